"""Keys that the user chooses: in the dialog with real keys, in the window at once, in the file for the next time."""

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QKeySequenceEdit, QLabel, QTableWidget, QTabWidget
from window_samples import press

from panoviewer.actions import ACTIONS
from panoviewer.dialogs.keys_page import WRONG
from panoviewer.settings import SHORTCUTS, Settings
from panoviewer.shortcuts import Shortcuts, clashes, normal

ROWS = {spec.name: row for row, spec in enumerate(ACTIONS)}


@pytest.fixture
def dialog(window, qtbot):
    """The settings dialog of a window, opened by its key, with the page of keys in front."""
    QTest.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    found = window.findChild(QDialog)
    found.findChild(QTabWidget).setCurrentIndex(1)
    with qtbot.waitExposed(found):
        found.activateWindow()
    return found


def give(dialog, qtbot, name, key, modifiers=Qt.KeyboardModifier.NoModifier):
    """Go to the key of an action, begin to edit, and press another one."""
    table = dialog.findChild(QTableWidget)
    item = table.item(ROWS[name], 1)
    table.scrollToItem(item)
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualItemRect(item).center())
    QTest.keyClick(table, Qt.Key.Key_F2)
    qtbot.waitUntil(lambda: table.findChild(QKeySequenceEdit) is not None)
    QTest.keyClick(table.findChild(QKeySequenceEdit), key, modifiers)
    wanted = normal(QKeySequence(modifiers | key if modifiers.value else key).toString())
    qtbot.waitUntil(lambda: table.item(ROWS[name], 1).text() == wanted)
    # The editor goes when another line is clicked.
    table.setCurrentCell(-1, -1)
    qtbot.waitUntil(lambda: table.findChild(QKeySequenceEdit) is None)


def ok(dialog):
    return dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)


def test_a_chosen_key_works_at_once_and_the_next_time(dialog, window, qtbot, settings, tmp_path):
    give(dialog, qtbot, "grid", Qt.Key.Key_F9, Qt.KeyboardModifier.ControlModifier)
    assert ok(dialog).isEnabled()
    ok(dialog).click()
    with qtbot.waitActive(window):
        window.activateWindow()
    window.stage.erp.setFocus()
    grid = window.actions_by_name["grid"]
    assert "(Ctrl+F9)" in grid.toolTip()
    before = grid.isChecked()
    press(window, Qt.Key.Key_G)
    assert grid.isChecked() == before
    QTest.keyClick(window, Qt.Key.Key_F9, Qt.KeyboardModifier.ControlModifier)
    assert grid.isChecked() != before
    settings._store.sync()
    assert json.loads(settings[SHORTCUTS]) == {"grid": ["Ctrl+F9"]}
    assert Shortcuts(Settings(tmp_path / "settings.ini")).keys()["grid"] == ("Ctrl+F9",)


def test_a_key_that_is_taken_is_told_and_cannot_be_kept(dialog, window, qtbot, settings):
    give(dialog, qtbot, "grid", Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    told = [label.text() for label in dialog.findChildren(QLabel) if "Ctrl+E" in label.text()]
    assert told == ["Ctrl+E is the key of “Grid”, too; take it from one of them."]
    table = dialog.findChild(QTableWidget)
    for name in ("grid", "export"):
        assert table.item(ROWS[name], 1).foreground().color() == QColor(WRONG)
    assert not ok(dialog).isEnabled()
    give(dialog, qtbot, "export", Qt.Key.Key_F2)
    assert ok(dialog).isEnabled()
    ok(dialog).click()
    assert window.shortcuts.keys()["grid"] == ("Ctrl+E",)
    assert window.shortcuts.keys()["export"] == ("F2",)
    with qtbot.waitActive(window):
        window.activateWindow()
    heard = listen(window)
    for key, modifiers, name in (
        (Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier, "grid"),
        (Qt.Key.Key_F2, Qt.KeyboardModifier.NoModifier, "export"),
    ):
        QTest.keyClick(window.stage.erp, key, modifiers)
        assert heard == [name], "the key is that of one action, and of the one that was chosen"
        heard.clear()


def test_keys_of_the_views_are_refused(dialog, qtbot):
    give(dialog, qtbot, "grid", Qt.Key.Key_H)
    assert not ok(dialog).isEnabled()


def test_a_cancelled_dialog_changes_nothing(dialog, window, qtbot, settings):
    give(dialog, qtbot, "grid", Qt.Key.Key_F3)
    dialog.reject()
    assert window.shortcuts.keys()["grid"] == ("G",)
    assert settings[SHORTCUTS] == ""


def test_standard_keys_come_back(settings, qtbot, application):
    from panoviewer.dialogs.settings_dialog import SettingsDialog

    shortcuts = Shortcuts(settings)
    shortcuts.store(shortcuts.keys() | {"grid": ("F3",), "undo": ()})
    dialog = SettingsDialog(settings, shortcuts)
    qtbot.addWidget(dialog)
    assert dialog._keys.keys()["undo"] == ()
    dialog._keys.set_keys({spec.name: spec.keys for spec in ACTIONS})
    ok(dialog).click()
    assert settings[SHORTCUTS] == ""
    assert shortcuts.keys()["undo"] == ("Ctrl+Z",)


def test_the_search_finds_actions_and_keys(settings, qtbot, application):
    from panoviewer.dialogs.settings_dialog import SettingsDialog

    dialog = SettingsDialog(settings, Shortcuts(settings))
    qtbot.addWidget(dialog)
    table = dialog.findChild(QTableWidget)
    dialog._keys._search.setText("ctrl+z")
    assert not table.isRowHidden(ROWS["undo"])
    assert table.isRowHidden(ROWS["grid"])
    dialog._keys._search.setText("grid")
    assert table.isRowHidden(ROWS["undo"])
    assert not table.isRowHidden(ROWS["grid"])


def listen(window):
    """Names of the actions that are triggered from here on; they do nothing else."""
    heard = []
    for name, action in window.actions_by_name.items():
        action.triggered.disconnect()
        action.triggered.connect(lambda _checked=False, name=name: heard.append(name))
        action.setEnabled(True)
    return heard


@pytest.mark.parametrize("view", ["erp", "perspective", "cloud"])
def test_every_key_of_the_table_reaches_its_own_action_alone(window, view):
    heard = listen(window)
    widget = getattr(window.stage, view)
    widget.setFocus()
    for spec in ACTIONS:
        for key in spec.keys:
            pressed = QKeySequence(key)[0]
            QTest.keyClick(widget, pressed.key(), pressed.keyboardModifiers())
            assert (key, heard) == (key, [spec.name])
            heard.clear()


def test_the_table_of_actions_has_no_clashes(qapp):
    assert clashes({spec.name: tuple(normal(key) for key in spec.keys) for spec in ACTIONS}) == {}


def test_a_users_key_is_taken_from_the_action_that_has_it_in_the_table(settings):
    settings[SHORTCUTS] = json.dumps({"sample": ["Ctrl+O"]})
    keys = Shortcuts(settings).keys()
    assert keys["sample"] == ("Ctrl+O",)
    assert keys["open"] == ()


@pytest.mark.parametrize("text", ['{"gone": ["Ctrl+O"]}', '{"gone": ["Ctrl+O"], "sample": ["F9"]}'])
def test_an_action_that_is_no_more_keeps_no_key(settings, text):
    settings[SHORTCUTS] = text
    assert Shortcuts(settings).keys()["open"] == ("Ctrl+O",)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"grid": 3}', '{"grid": [3]}', '{"nothing": ["F9"]}', "[" * 5000, '{"grid": [""]}']
)
def test_nonsense_in_the_file_leaves_the_keys_alone(settings, text):
    settings[SHORTCUTS] = text
    assert Shortcuts(settings).keys() == {spec.name: tuple(normal(key) for key in spec.keys) for spec in ACTIONS}


def test_the_light_of_a_bright_picture_takes_its_keys_from_the_eraser_alone(window, settings):
    window.shortcuts.store(window.shortcuts.keys() | {"eraser": ("F4",), "brighter": ("F5",)})
    assert [key.toString() for key in window.actions_by_name["eraser"].shortcuts()] == ["F4"]
    assert window.actions_by_name["brighter"].shortcuts() == []
