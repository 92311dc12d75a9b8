"""Numbers that are typed: comma and point are one sign in every country, and what is no number is not taken in part."""

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QDoubleSpinBox, QLineEdit, QToolTip, QVBoxLayout, QWidget

import panoviewer
from core.cloud import CloudOptions
from panoviewer.dialogs.export_dialog import ExportDialog
from panoviewer.panels.inference_panel import InferencePanel
from panoviewer.panels.measure_strip import MeasureStrip
from panoviewer.panels.number_field import NumberField


@pytest.fixture(params=["C", "en_US", "de_DE", "de_CH", "hi_IN"])
def country(request, qapp):
    """Each country in its turn; what is made then reads as it does."""
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield request.param
    QLocale.setDefault(before)


@pytest.fixture
def shown(qtbot):
    """Shows a widget in a window that has the keyboard."""
    kept = []

    def show(widget):
        window = QWidget()
        layout = QVBoxLayout(window)
        layout.addWidget(widget)
        layout.addWidget(QLineEdit())
        qtbot.addWidget(window)
        kept.append(window)
        window.show()
        widget.show()
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        return widget

    return show


def type_into(field, text, end=Qt.Key.Key_Return):
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, end)


def fields_of(widget):
    return {type(field) for field in widget.findChildren(QDoubleSpinBox)}


@pytest.mark.parametrize(
    ("typed", "metres"), [("1,62", 1.62), ("1.62", 1.62), ("2,5 m", 2.5), (",5", 0.5), ("7.", 7.0)]
)
def test_comma_and_point_are_the_decimal_sign_of_the_camera_height(country, shown, typed, metres):
    panel = shown(InferencePanel())
    heights = []
    panel.camera_height_changed.connect(heights.append)
    type_into(panel._height, typed)
    assert heights == [metres]
    assert panel._height.text() == f"{metres:.2f} m"


@pytest.mark.parametrize(("typed", "metres"), [("1,62", 1.62), ("2.5", 2.5), ("3m", 3.0)])
def test_comma_and_point_are_the_decimal_sign_of_a_true_length(country, shown, typed, metres):
    strip = shown(MeasureStrip())
    strip.tell("", has_length=True, has_value=True)
    lengths = []
    strip.length_typed.connect(lengths.append)
    type_into(strip._length, typed)
    assert lengths == [metres]


@pytest.mark.parametrize(
    "typed", ["1e99", "1e5", "3ft", "3cm", "ft", "1.000,5", "1,2,3", "-2", "99999", "0.001", "1 2"]
)
@pytest.mark.parametrize("end", [Qt.Key.Key_Return, Qt.Key.Key_Tab])
def test_what_is_no_number_leaves_the_field_as_it_was_and_is_told(shown, qtbot, typed, end):
    panel = shown(InferencePanel())
    panel.set_camera_height(1.7)
    heights = []
    panel.camera_height_changed.connect(heights.append)
    type_into(panel._height, typed, end)
    assert heights == []
    assert panel._height.value() == 1.7
    assert panel._height.text() == "1.70 m"
    qtbot.waitUntil(lambda: f"got '{typed}'; the field keeps 1.70 m" in QToolTip.text(), timeout=3000)
    QToolTip.hideText()


def test_a_length_that_is_no_number_is_no_length(shown):
    strip = shown(MeasureStrip())
    strip.tell("", has_length=True, has_value=True)
    lengths = []
    strip.length_typed.connect(lengths.append)
    type_into(strip._length, "3ft")
    assert lengths == []
    type_into(strip._length, "3")
    assert lengths == [3.0]


def test_empty_is_as_estimated_and_a_digit_takes_the_place_of_a_name(shown):
    panel = shown(InferencePanel())
    panel.set_camera_height(1.7)
    panel._height.setFocus()
    panel._height.selectAll()
    QTest.keyClick(panel._height, Qt.Key.Key_Delete)
    QTest.keyClick(panel._height, Qt.Key.Key_Return)
    assert panel._height.value() == 0
    assert panel._height.text() == "as estimated"
    panel._height.lineEdit().setCursorPosition(3)
    QTest.keyClicks(panel._height, "2,5")
    QTest.keyClick(panel._height, Qt.Key.Key_Return)
    assert panel._height.value() == 2.5


@pytest.fixture
def export_dialog(country, qtbot):
    dialog = ExportDialog(CloudOptions(), Path("a.ply"))
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.activateWindow()
    with qtbot.waitActive(dialog):
        pass
    return dialog


def test_a_dialog_does_not_go_on_with_what_was_refused(shown, qtbot):
    dialog = QDialog()
    field = NumberField(dialog, maximum=10.0)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok, dialog)
    buttons.accepted.connect(dialog.accept)
    shown(dialog)
    type_into(field, "3ft")
    assert dialog.result() == QDialog.DialogCode.Rejected
    type_into(field, "3")
    assert dialog.result() == QDialog.DialogCode.Accepted


def test_the_export_reads_its_numbers_in_the_same_way(export_dialog):
    assert fields_of(export_dialog) == {NumberField}
    for field in (export_dialog._max, export_dialog._voxel, export_dialog._angle):
        type_into(field, "2,5", Qt.Key.Key_Tab)
        assert field.value() == 2.5
        type_into(field, "3.5", Qt.Key.Key_Tab)
        assert field.value() == 3.5


@pytest.mark.parametrize(
    ("typed", "expected"), [("700000", 700_000), ("700 000", 700_000), ("1\u00a0200\u00a0000", 1_200_000)]
)
def test_whole_numbers_are_read_with_and_without_their_gaps(shown, typed, expected):
    field = shown(NumberField(minimum=1000, maximum=50_000_000, decimals=0))
    type_into(field, typed)
    assert field.value() == expected
    assert field.text() == f"{expected:,}".replace(",", "\u00a0")


@pytest.mark.parametrize(
    "typed", ["12 34 567", "30x00", "3,000", "3.000", "4096.5", "65536,000", "1e6", "x", "30 000 px 5"]
)
def test_no_part_of_what_is_typed_becomes_a_whole_number(shown, qtbot, typed):
    field = shown(NumberField(minimum=1000, maximum=50_000_000, decimals=0))
    field.setValue(5000)
    type_into(field, typed)
    assert field.value() == 5000
    qtbot.waitUntil(lambda: f"got '{typed}'; the field keeps 5\u00a0000" in QToolTip.text(), timeout=3000)
    QToolTip.hideText()


def test_the_density_takes_digits_and_what_it_says_itself_and_nothing_else(export_dialog):
    for typed, expected in (("3", 3), ("5ft", 3), ("every 4th pixel", 4), ("every 4th 2 pixel", 4), ("99", 4)):
        type_into(export_dialog._stride, typed, Qt.Key.Key_Tab)
        assert export_dialog._stride.value() == expected


def test_no_part_of_the_window_has_a_field_that_reads_numbers_in_another_way():
    package = Path(panoviewer.__file__).parent
    made = {path.name for path in package.rglob("*.py") if re.search(r"\bQ(Double)?SpinBox\b", path.read_text())}
    # The density of the export is a sentence around a number, and checks it by itself.
    assert made == {"number_field.py", "export_dialog.py"}
