"""Which keys do what: those of the table of actions, unless the user chose others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QKeySequence

from panoviewer.actions import ACTIONS
from panoviewer.settings import SHORTCUTS, Settings
from panoviewer.translation import mark, tr

Keys = tuple[str, ...]

MOST = 2
"""Shortcuts of one action that the user may choose."""
OF_VIEWS = {
    **dict.fromkeys(("Tab", "Shift+Tab", "Backtab", "Shift+Backtab"), mark("goes through the segments")),
    **dict.fromkeys(("Left", "Right", "Up", "Down"), mark("turns the views")),
    **dict.fromkeys(("+", "-", "=", "PgUp", "PgDown"), mark("zooms")),
    **dict.fromkeys(("Return", "Enter", "Backspace"), mark("belongs to the tools")),
    "H": mark("shows the bare photo"),
    "Space": mark("moves the picture"),
}
"""Keys that never reach an action, because the views take them first, and what they do there."""


class Shortcuts(QObject):
    """The keys of every action.

    Signals:
        changed: The user chose other keys.
    """

    changed = Signal()

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings

    def keys(self) -> dict[str, Keys]:
        """The keys of each action by its name, as `QKeySequence` writes them; the one that is shown first.

        A key that the user gave to an action is taken from the one that has it in the table.
        """
        table = {spec.name: tuple(normal(key) for key in spec.keys) for spec in ACTIONS}
        chosen = {name: keys for name, keys in _read(self._settings[SHORTCUTS]).items() if name in table}
        given = {key for keys in chosen.values() for key in keys}
        return {
            name: chosen[name] if name in chosen else tuple(key for key in keys if key not in given)
            for name, keys in table.items()
        }

    def store(self, keys: Mapping[str, Sequence[str]]) -> None:
        """Remember what the user chose; what is as in the table follows the table of later versions.

        Args:
            keys: Of each action by its name.
        """
        table = {spec.name: tuple(normal(key) for key in spec.keys) for spec in ACTIONS}
        chosen = {name: list(keys[name]) for name in table if tuple(keys[name]) != table[name]}
        text = json.dumps(chosen) if chosen else ""
        if text != self._settings[SHORTCUTS]:
            self._settings[SHORTCUTS] = text
            self.changed.emit()


def normal(key: str) -> str:
    """A key as `QKeySequence` writes it on every system; empty for none."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)


def clashes(keys: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What is wrong with keys, a sentence for each action that cannot have them.

    Args:
        keys: Of each action by its name, as `normal` gives them.
    """
    titles = {spec.name: tr(spec.text).replace("&", "").rstrip("…") for spec in ACTIONS}
    owners: dict[str, list[str]] = {}
    for name, each in keys.items():
        for key in each:
            owners.setdefault(key, []).append(name)
    found: dict[str, str] = {}
    for key, names in owners.items():
        for name in names:
            others = [titles[other] for other in names if other != name]
            if key in OF_VIEWS:
                found.setdefault(name, tr("{key} {does} and cannot do anything else.", key=key, does=tr(OF_VIEWS[key])))
            elif others:
                found.setdefault(
                    name, tr("{key} is the key of “{other}”, too; take it from one of them.", key=key, other=others[0])
                )
            elif len(names) > 1:
                found.setdefault(name, tr("{key} is there twice; once is enough.", key=key))
    return found


def _read(text: str) -> dict[str, Keys]:
    """What `Shortcuts.store` wrote; what means nothing is left out."""
    try:
        stored = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {
        name: tuple(normal(key) for key in keys[:MOST])
        for name, keys in stored.items()
        if isinstance(keys, list) and all(isinstance(key, str) and normal(key) for key in keys)
    }
