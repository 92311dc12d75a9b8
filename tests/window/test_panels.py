"""Panels and dialogs by themselves."""

import itertools
import math
import time

import pytest
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDialog, QFileDialog, QLabel, QMessageBox, QScrollArea, QWidget

from core.cloud import CloudOptions
from panoviewer.actions import ACTIONS
from panoviewer.dialogs.about import show_shortcuts
from panoviewer.dialogs.export_dialog import ExportDialog
from panoviewer.gestures import GESTURES
from panoviewer.panels.message_bar import MessageBar
from panoviewer.panels.range_plot import DepthAxis


def test_the_list_of_keys_is_seen_whole(application, qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.show()
    show_shortcuts(parent, {spec.name: spec.keys for spec in ACTIONS})
    dialog = parent.findChild(QDialog)
    qtbot.waitExposed(dialog)
    view = dialog.findChild(QScrollArea)
    qtbot.waitUntil(lambda: not view.verticalScrollBar().isVisible())
    assert not view.horizontalScrollBar().isVisible()
    shown = view.viewport().rect()
    labels = view.widget().findChildren(QLabel)
    texts = [label.text() for label in labels]
    for spec in ACTIONS:
        assert not spec.keys or spec.tip in texts
    for group, _, sentence in GESTURES:
        assert sentence in texts
        assert texts.count(group) == 1
    for spec in ACTIONS:
        assert not spec.keys or texts.count(spec.menu.replace("&", "")) == 1
    for label in labels:
        place = label.geometry().translated(label.parentWidget().mapTo(view.viewport(), label.rect().topLeft()))
        assert shown.contains(place), label.text()
        assert label.height() >= label.heightForWidth(label.width()), label.text()


@pytest.mark.parametrize(
    ("stride", "text"),
    [
        (1, "every pixel"),
        (2, "every 2nd pixel"),
        (3, "every 3rd pixel"),
        (4, "every 4th pixel"),
        (11, "every 11th pixel"),
        (21, "every 21st pixel"),
        (63, "every 63rd pixel"),
    ],
)
def test_the_density_reads_as_one_says_it(application, qtbot, tmp_path, stride, text):
    dialog = ExportDialog(CloudOptions(stride=stride), tmp_path / "cloud")
    qtbot.addWidget(dialog)
    assert dialog._stride.text() == text
    for typed in (text, str(stride)):
        dialog._stride.setValue(5)
        dialog._stride.lineEdit().setText(typed)
        dialog._stride.interpretText()
        assert dialog._stride.value() == stride
    assert dialog._stride.validate("every 99th pixel", 0)[0] == QValidator.State.Intermediate


@pytest.mark.parametrize("is_there", [False, True])
def test_an_ending_that_is_added_never_replaces_a_file_unasked(application, qtbot, tmp_path, is_there):
    dialog = ExportDialog(CloudOptions(), tmp_path / "cloud")
    qtbot.addWidget(dialog)
    written = []
    dialog.write_requested.connect(lambda path, _frame: written.append(path))
    if is_there:
        (tmp_path / "room.ply").write_bytes(b"precious")
    dialog._choose_file()
    dialog.findChild(QFileDialog).fileSelected.emit(str(tmp_path / "room"))
    if is_there:
        assert written == []
        question = dialog.findChild(QMessageBox, "replace")
        next(button for button in question.buttons() if button.text() == "Replace").click()
    assert written == [tmp_path / "room.ply"]


def test_a_file_that_goes_with_another_is_not_replaced_unasked(application, qtbot, tmp_path):
    dialog = ExportDialog(CloudOptions(), tmp_path / "cloud")
    qtbot.addWidget(dialog)
    written = []
    dialog.write_requested.connect(lambda path, _frame: written.append(path))
    (tmp_path / "room.mtl").write_bytes(b"precious")
    dialog._choose_file()
    dialog.findChild(QFileDialog).fileSelected.emit(str(tmp_path / "room.obj"))
    assert written == []
    question = dialog.findChild(QMessageBox, "replace")
    assert "room.mtl is there already" in question.text()
    next(button for button in question.buttons() if button.text() == "Replace").click()
    assert written == [tmp_path / "room.obj"]


def test_an_error_stays_until_something_begun_after_it_has_worked(application, qtbot):
    bar = MessageBar()
    qtbot.addWidget(bar)
    before = time.monotonic()
    bar.show_error("It did not work.")
    bar.outdate(before)
    assert bar.text == "It did not work."
    bar.outdate(time.monotonic())
    assert bar.text == ""


def test_a_note_is_not_taken_away_by_a_success(application, qtbot):
    bar = MessageBar()
    qtbot.addWidget(bar)
    bar.show_error("It did not work.")
    bar.show_note("Written.")
    bar.outdate(time.monotonic())
    assert bar.text == "Written."


@pytest.mark.parametrize(
    ("low", "high"), [(1.36, 7.25), (1.6, 4.8), (1.5, 68), (2.05, 2.9), (2.3, 2.6), (0.4, 900), (8.1, 9.9)]
)
@pytest.mark.parametrize("size", [180, 260, 400])
def test_every_depth_axis_has_a_few_ticks_that_do_not_collide(application, low, high, size):
    axis = DepthAxis("bottom")
    (_, ticks), *rest = axis.tickValues(math.log10(low), math.log10(high), size)
    assert not rest
    assert 3 <= len(ticks) <= size / axis.ROOM_PX + 1
    assert all(math.log10(low) <= tick <= math.log10(high) for tick in ticks)
    px = [(tick - math.log10(low)) / math.log10(high / low) * size for tick in ticks]
    assert all(b - a >= axis.ROOM_PX - 1e-6 for a, b in itertools.pairwise(px))
    assert len(set(axis.tickStrings(ticks, 1.0, 1.0))) == len(ticks)
