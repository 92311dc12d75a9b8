"""The colours of the window: a dark and a light theme, chosen in the settings or by the system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import pyqtgraph
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPalette, QPixmap
from PySide6.QtWidgets import QApplication

from panoviewer.settings import THEME, Setting, Settings

DARK: Mapping[str, str] = {
    "text": "#d7dae0",
    "text_off": "#6b717b",
    "window": "#1e2126",
    "bar": "#25282e",
    "line": "#3a3f48",
    "gap": "#15171b",
    "gap_hover": "#3a4150",
    "field": "#16181c",
    "list": "#191b20",
    "list_line": "#2b2f36",
    "list_hover": "#262a31",
    "chosen": "#39414f",
    "accent": "#ffb454",
    "primary": "#b5701c",
    "primary_line": "#c98432",
    "primary_hover": "#c67e26",
    "primary_text": "#ffffff",
    "primary_off": "#4a3d2c",
    "primary_text_off": "#8f877c",
    "button": "#333943",
    "button_line": "#434a56",
    "button_hover": "#3d4552",
    "button_down": "#2b3038",
    "button_off": "#282c32",
    "button_line_off": "#31363e",
    "tool_on": "#46505f",
    "hint": "#2f4a63",
    "hint_line": "#40617f",
    "hint_hover": "#3a5a78",
    "hints": "#243444",
    "error": "#5b2a2a",
    "note": "#28482f",
    "quiet": "#9aa1ab",
    "tip": "#2e333b",
    "tip_text": "#e6e8ec",
    "tip_line": "#4a515d",
    "edge": "#565d69",
    "groove_off": "#4a4037",
    "handle_off": "#5a606a",
    "scroll_hover": "#4d5460",
    "check_off": "#202328",
    "canvas": "#15171b",
    "canvas_text": "#858c97",
    "tool_hover": "#333943",
    "chosen_text": "#ffffff",
    "handle": "#d7dae0",
    "touched": "rgba(255, 255, 255, 30)",
}
LIGHT: Mapping[str, str] = {
    "text": "#23272e",
    "text_off": "#9aa0a8",
    "window": "#f3f4f6",
    "bar": "#e6e8ec",
    "line": "#c3c8d0",
    "gap": "#cfd3d9",
    "gap_hover": "#b4bac4",
    "field": "#ffffff",
    "list": "#ffffff",
    "list_line": "#d0d4da",
    "list_hover": "#eceef2",
    "chosen": "#d3dae6",
    "accent": "#a25a00",
    "primary": "#b5701c",
    "primary_line": "#9a5c10",
    "primary_hover": "#c67e26",
    "primary_text": "#ffffff",
    "primary_off": "#e4d3bb",
    "primary_text_off": "#8a7c68",
    "button": "#fcfcfd",
    "button_line": "#bcc2cb",
    "button_hover": "#eef0f4",
    "button_down": "#dfe3e9",
    "button_off": "#eceef0",
    "button_line_off": "#d5d8dd",
    "tool_on": "#c4ccd9",
    "hint": "#c9dcef",
    "hint_line": "#9dbfdf",
    "hint_hover": "#b6d0ea",
    "hints": "#dfeaf5",
    "error": "#f6d5d3",
    "note": "#d5ecd9",
    "quiet": "#5b626d",
    "tip": "#ffffff",
    "tip_text": "#23272e",
    "tip_line": "#b4bac4",
    "edge": "#949ca8",
    "groove_off": "#e4d3bb",
    "handle_off": "#b9bec6",
    "scroll_hover": "#a4abb6",
    "check_off": "#eceef0",
    "canvas": "#15171b",
    "canvas_text": "#858c97",
    "tool_hover": "#d7dbe2",
    "chosen_text": "#14171c",
    "handle": "#5a6472",
    "touched": "rgba(0, 0, 0, 25)",
}
ICON_COLOR = "#d7dae0"
"""The colour of lines in the files of icons, which stands for the theme's text."""
ICON_PX = 96
"""Side of a drawn icon; shown smaller, so that it is sharp on every screen."""


class Theme(QObject):
    """Dresses the application, again whenever the setting or the system's scheme changes.

    Signals:
        changed: The colours are others; icons have to be made anew.
    """

    changed = Signal()

    def __init__(self, application: QApplication, settings: Settings) -> None:
        """Dress the application."""
        super().__init__(application)
        self._application = application
        self._settings = settings
        settings.changed.connect(self._follow_setting)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._dress)
        self._dress()

    def _follow_setting(self, setting: Setting[object]) -> None:
        if setting is THEME:
            self._dress()

    def _dress(self) -> None:
        scheme = QGuiApplication.styleHints().colorScheme()
        choice = self._settings[THEME]
        light = choice == "light" or (choice == "system" and scheme == Qt.ColorScheme.Light)
        wear(self._application, LIGHT if light else DARK)
        self.changed.emit()


def wear(application: QApplication, colors: Mapping[str, str]) -> None:
    """Give the application its palette and its style sheet, whose pictures lie beside it, in these colours."""
    pyqtgraph.setConfigOptions(background=None, antialias=True)
    folder = files("resources")
    sheet = folder.joinpath("panoviewer.qss").read_text(encoding="utf-8")
    sheet = re.sub("@([a-z_]+)", lambda match: colors.get(match[1], match[0]), sheet)
    palette = QPalette()
    roles = {
        "window": (QPalette.ColorRole.Window, QPalette.ColorRole.AlternateBase),
        "text": (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText),
        "field": (QPalette.ColorRole.Base,),
        "button": (QPalette.ColorRole.Button,),
        "quiet": (QPalette.ColorRole.PlaceholderText,),
        "line": (QPalette.ColorRole.Mid,),
        "primary": (QPalette.ColorRole.Highlight,),
        "primary_text": (QPalette.ColorRole.HighlightedText,),
        "accent": (QPalette.ColorRole.Link,),
        "tip": (QPalette.ColorRole.ToolTipBase,),
        "tip_text": (QPalette.ColorRole.ToolTipText,),
    }
    for name, same in roles.items():
        for role in same:
            palette.setColor(role, QColor(colors[name]))
    application.setStyle("Fusion")
    application.setPalette(palette)
    application.setStyleSheet(sheet.replace("RESOURCES", Path(str(folder)).as_posix()))


def icon(name: str) -> QIcon:
    """A picture of `resources` by its name without the ending, in the colours that the application wears."""
    drawing = files("resources").joinpath(f"{name}.svg").read_text(encoding="utf-8")
    text = QGuiApplication.palette().color(QPalette.ColorRole.WindowText).name()
    drawing = drawing.replace(ICON_COLOR, text).replace("<svg ", f'<svg width="{ICON_PX}" height="{ICON_PX}" ', 1)
    pixmap = QPixmap()
    pixmap.loadFromData(drawing.encode(), "SVG")
    return QIcon(pixmap)
