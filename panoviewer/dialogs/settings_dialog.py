"""The settings that have a label, each as a row, and the keys of all actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from panoviewer.dialogs.keys_page import KeysPage
from panoviewer.panels.number_field import NumberField
from panoviewer.settings import SETTINGS, Setting, Settings
from panoviewer.shortcuts import Shortcuts
from panoviewer.translation import tr


class SettingsDialog(QDialog):
    """Shows and stores every setting that has a label; most take effect with the next picture or window."""

    def __init__(self, settings: Settings, shortcuts: Shortcuts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Settings"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._settings = settings
        self._shortcuts = shortcuts
        self._values: dict[Setting[Any], Callable[[], object]] = {}
        general = QWidget()
        form = QFormLayout(general)
        for setting in SETTINGS:
            if setting.label:
                editor, self._values[setting] = _editor(setting, settings[setting])
                form.addRow(tr(setting.label), editor)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self._store)
        buttons.rejected.connect(self.reject)
        self._keys = KeysPage()
        self._keys.checked.connect(buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled)
        self._keys.set_keys(shortcuts.keys())
        pages = QTabWidget()
        pages.addTab(general, tr("General"))
        pages.addTab(self._keys, tr("Keys"))
        layout = QVBoxLayout(self)
        layout.addWidget(pages)
        layout.addWidget(buttons)

    def _store(self) -> None:
        for setting, value in self._values.items():
            self._settings[setting] = value()
        self._shortcuts.store(self._keys.keys())
        self.accept()


def _editor(setting: Setting[Any], value: object) -> tuple[QWidget, Callable[[], object]]:
    """A widget for a setting and a function that reads it."""
    if isinstance(setting.default, bool):
        box = QCheckBox()
        box.setChecked(bool(value))
        return box, box.isChecked
    if setting.choices:
        combo = QComboBox()
        for choice in setting.choices:
            combo.addItem(tr(choice), choice)
        combo.setCurrentIndex(setting.choices.index(str(value)))
        return combo, combo.currentData
    field = NumberField(minimum=setting.low, maximum=setting.high, decimals=0, singleStep=max(1, setting.low))
    field.setValue(int(str(value)))
    return field, lambda: int(field.value())
