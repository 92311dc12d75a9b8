"""What is remembered between sessions: one record per setting, stored in the user's configuration folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from PySide6.QtCore import QByteArray, QObject, QSettings, QStandardPaths, Signal

from core.models import DEFAULT_MODEL, DEFAULT_SEGMENTER, DEVICES, SEGMENTERS
from panoviewer.translation import mark

T = TypeVar("T")

MAX_RECENT = 12


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One thing that is remembered.

    Attributes:
        key: Its name in the file, 'group/name'.
        default: Its value until the user chooses another; its type is the setting's type.
        label: What the settings dialog calls it; empty when it is remembered without being shown there.
        choices: The values allowed, empty for any.
        low, high: Limits of a number.
    """

    key: str
    default: T
    label: str = ""
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0


MODEL = Setting("run/model", DEFAULT_MODEL)
DEVICE = Setting("run/device", DEVICES[0], mark("Device for models"), choices=DEVICES)
SEGMENTER = Setting(
    "segment/model", DEFAULT_SEGMENTER, mark("Network for clicks"), choices=tuple(spec.name for spec in SEGMENTERS)
)
POINTS_SHOWN = Setting("cloud/points_shown", 3_000_000, mark("Points shown in 3D at most"), low=50_000, high=50_000_000)
TEXTURE_WIDTH = Setting("view/texture_width", 4096, mark("Widest texture in pixels"), low=1024, high=32768)
THEME = Setting(
    "window/theme", "system", mark("Colours of the window"), choices=(mark("system"), mark("dark"), mark("light"))
)
HINTS = Setting("window/hints", True, mark("Show hints on the sample"))
COLOR_MAP = Setting("layers/color_map", "turbo")
FRAME = Setting("export/frame", "z-up")
GEOMETRY_FORMAT = Setting("export/geometry", ".ply")
DATASET = Setting("export/dataset", "coco")
GEOMETRY = Setting("window/geometry", b"")
LAYOUT = Setting("window/layout", b"")
RECENT: Setting[tuple[str, ...]] = Setting("files/recent", ())
LAST_FOLDER = Setting("files/last_folder", "")
SHORTCUTS = Setting("window/shortcuts", "")
"""The keys that the user chose, as `panoviewer.shortcuts` writes them."""
LICENCES: Setting[tuple[str, ...]] = Setting("models/licences", ())
"""Names of the models whose licence was accepted."""

SETTINGS: tuple[Setting[Any], ...] = (
    MODEL,
    DEVICE,
    SEGMENTER,
    POINTS_SHOWN,
    TEXTURE_WIDTH,
    THEME,
    HINTS,
    COLOR_MAP,
    FRAME,
    GEOMETRY_FORMAT,
    DATASET,
    GEOMETRY,
    LAYOUT,
    RECENT,
    LAST_FOLDER,
    SHORTCUTS,
    LICENCES,
)


class Settings(QObject):
    """The stored settings.

    Signals:
        changed(Setting): A setting has another value.
    """

    changed = Signal(object)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        """Open the settings in `path`, by default the file of this user (XDG_CONFIG_HOME decides where)."""
        super().__init__(parent)
        if path is None:
            folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
            path = Path(folder) / "panoviewer" / "settings.ini"
        self._store = QSettings(str(path), QSettings.Format.IniFormat)

    def __getitem__(self, setting: Setting[T]) -> T:
        """The value, or the default where the file holds nothing usable."""
        value = self._store.value(setting.key)
        if value is None:
            return setting.default
        try:
            value = cast(T, _converted(value, type(setting.default)))
        except (TypeError, ValueError):
            return setting.default
        outside = isinstance(value, int) and bool(setting.high) and not setting.low <= value <= setting.high
        unknown = bool(setting.choices) and value not in setting.choices
        return setting.default if outside or unknown else value

    def __setitem__(self, setting: Setting[T], value: T) -> None:
        if value != self[setting]:
            self._store.setValue(setting.key, list(value) if isinstance(value, tuple) else value)
            self.changed.emit(setting)

    def recent(self) -> list[Path]:
        """The files opened last, newest first."""
        return [Path(name) for name in self[RECENT]]

    def remember(self, path: Path) -> None:
        """Put a file at the top of the recent ones."""
        path = path.absolute()
        names = [str(path), *(name for name in self[RECENT] if name != str(path))]
        self[RECENT] = tuple(names[:MAX_RECENT])
        self[LAST_FOLDER] = str(path.parent)

    def forget_recent(self) -> None:
        """Empty the list of recent files."""
        self[RECENT] = ()


def _converted(value: object, kind: type) -> object:
    """A stored value as the setting's own type; an INI file keeps most things as text."""
    if kind is bool:
        return value if isinstance(value, bool) else str(value).lower() in ("true", "1")
    if kind is tuple:
        return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (str(value),)
    if kind is bytes:
        return bytes(value.data()) if isinstance(value, QByteArray) else value
    return kind(value)
