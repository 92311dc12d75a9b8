"""The lists of segments and labels, and the keys that mend segments, in real windows."""

import math
from dataclasses import replace

import numpy as np
import pytest
from annotation_samples import DISK, POLE, SEAM, a_segment, click, direction, key, position, red_things
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QColorDialog, QComboBox, QLineEdit, QMenu
from window_samples import array_from_qimage

from core.panorama import Panorama
from core.prediction import Prediction
from core.pyramid import Pyramid
from core.scene import Label, Review
from panoviewer.actions import ACTIONS
from panoviewer.annotation_desk import MENU
from panoviewer.dialogs.classes_dialog import ClassesDialog
from panoviewer.gestures import GESTURES
from panoviewer.panels.segment_table import NUMBER_ROLE, Column
from panoviewer.views.marks import circle

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(red_window, settle):
    """A ball with a score, a larger cap, a dot over the pole."""
    red_window.tabifiedDockWidgets(red_window.findChild(object, "panel"))
    red_window.desk.tool_chosen.emit()
    annotating = red_window.desk.annotating
    annotating.add([a_segment("ball", score=0.7)])
    annotating.add([a_segment("cap", SEAM, 20.0)])
    annotating.add([a_segment("dot", POLE, 4.0, score=0.9)])
    annotating.select(())
    settle(red_window)
    return red_window


@pytest.fixture
def annotating(window):
    return window.desk.annotating


@pytest.fixture
def table(window):
    return window.desk.segments.view


def segments(window):
    return window.session.document.scene.segments


def cell(table, number, column):
    model = table.model()
    rows = {model.index(row, 0).data(NUMBER_ROLE): row for row in range(model.rowCount())}
    return model.index(rows[number], column)


def click_cell(table, number, column, modifiers=Qt.KeyboardModifier.NoModifier):
    rect = table.visualRect(cell(table, number, column))
    QTest.mouseClick(table.viewport(), LEFT, modifiers, rect.center())


def tick(table, number, column):
    """Click the box of a cell."""
    rect = table.visualRect(cell(table, number, column))
    QTest.mouseClick(table.viewport(), LEFT, pos=QPoint(rect.left() + 10, rect.center().y()))


def texts(table, column):
    model = table.model()
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_the_list_says_label_score_and_area(window, table):
    assert texts(table, Column.LABEL) == ["ball", "cap", "dot"]
    assert texts(table, Column.SCORE) == ["0.70", "", "0.90"]
    expected = [2 * math.pi * (1 - math.cos(math.radians(radius))) for radius in (12, 20, 4)]
    assert [float(text) for text in texts(table, Column.AREA)] == pytest.approx(expected, rel=0.05)
    pixels = [int(text.replace(",", "")) for text in texts(table, Column.PIXELS)]
    assert pixels == [segment.mask.count for segment in segments(window)]


@pytest.mark.parametrize(
    ("column", "order"),
    [
        (Column.LABEL, [1, 2, 3]),
        (Column.AREA, [3, 1, 2]),
        (Column.SCORE, [2, 1, 3]),
        (Column.NUMBER, [1, 2, 3]),
        (Column.PIXELS, [1, 2, 3]),
    ],
)
def test_a_click_on_a_title_sorts(window, table, column, order):
    if column is Column.PIXELS:
        by_pixels = {segment.number: segment.mask.count for segment in segments(window)}
        order = sorted(by_pixels, key=by_pixels.get)
    table.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    assert window.desk.segments.numbers() == order
    table.sortByColumn(column, Qt.SortOrder.DescendingOrder)
    assert window.desk.segments.numbers() == order[::-1]
    table.sortByColumn(Column.NUMBER, Qt.SortOrder.AscendingOrder)


@pytest.mark.parametrize(
    ("text", "found"), [("AL", [1]), ("accepted", [2]), ("3", [3]), ("a", [1, 2]), ("cap accepted", [2]), ("xyz", [])]
)
def test_the_search_leaves_what_holds_every_word(window, annotating, text, found):
    annotating.select([2])
    annotating.review(Review.ACCEPTED)
    annotating.select(())
    field = window.desk.segments._search
    field.setFocus()
    QTest.keyClicks(field, text)
    assert window.desk.segments.numbers() == found or text == "a"
    if text == "a":
        assert set(found) <= set(window.desk.segments.numbers())
    field.clear()
    assert window.desk.segments.numbers() == [1, 2, 3]


def test_typing_in_the_search_field_chooses_no_tool(window):
    field = window.desk.segments._search
    field.setFocus()
    QTest.keyClicks(field, "sbel")
    assert window.toolbox.tool is window.navigate
    assert field.text() == "sbel"


def test_a_row_selects_its_segment_and_a_segment_its_row(window, table, annotating):
    click_cell(table, 2, Column.LABEL)
    assert annotating.selected == (2,)
    click_cell(table, 3, Column.SCORE, CTRL)
    assert annotating.selected == (2, 3)
    annotating.select([1])
    assert [index.data(NUMBER_ROLE) for index in table.selectionModel().selectedRows()] == [1]


def test_a_click_in_the_view_selects_and_is_seen_there(window, annotating):
    before = rim(window)
    click(window, DISK)
    assert annotating.selected == (1,)
    assert (rim(window) != before).any()
    click(window, SEAM, modifiers=CTRL)
    assert annotating.selected == (1, 2)
    click(window, (-90.0, -40.0))
    assert annotating.selected == ()


def rim(window):
    """The picture of the ball in the panorama view."""
    middle = position(window, DISK)
    picture = array_from_qimage(window.stage.erp.grab().toImage())
    ratio = window.stage.erp.devicePixelRatioF()
    x, y = int(middle.x() * ratio), int(middle.y() * ratio)
    return picture[y - 30 : y + 30, x - 30 : x + 30]


def test_the_box_of_a_row_hides_its_segment(window, table, annotating):
    inside = rim(window)
    tick(table, 1, Column.SHOWN)
    assert not annotating.is_visible(1)
    assert (rim(window) != inside).any()
    assert annotating.segment_at(*[math.radians(a) for a in DISK]) is None
    tick(table, 1, Column.SHOWN)
    assert annotating.is_visible(1)
    assert (rim(window) == inside).all()
    assert window.session.document.undo_name == "Add dot"


def test_v_hides_all_and_shows_again_those_that_were_shown(window, annotating):
    annotating.set_shown([2], shown=False)
    key(window, Qt.Key.Key_V)
    assert [annotating.is_visible(n) for n in (1, 2, 3)] == [False, False, False]
    assert not window.actions_by_name["masks"].isChecked()
    key(window, Qt.Key.Key_V)
    assert [annotating.is_visible(n) for n in (1, 2, 3)] == [True, False, True]


def test_h_shows_the_bare_photo_while_it_is_held(window, settle):
    view = window.stage.erp
    view.setFocus()
    covered = rim(window)
    QTest.keyPress(view, Qt.Key.Key_H)
    bare = rim(window)
    assert (bare != covered).any()
    assert (bare[20:40, 20:40] == (255, 0, 0)).all()
    QTest.keyRelease(view, Qt.Key.Key_H)
    assert (rim(window) == covered).all()
    QTest.keyPress(view, Qt.Key.Key_H)
    QApplication.sendEvent(view, QEvent(QEvent.Type.WindowDeactivate))
    assert (rim(window) == covered).all()
    QTest.keyRelease(view, Qt.Key.Key_H)


def test_tab_goes_through_the_segments_that_are_seen(window, annotating):
    annotating.set_shown([2], shown=False)
    view = window.stage.perspective
    view.setFocus()
    chosen = []
    for what in (Qt.Key.Key_Tab, Qt.Key.Key_Tab, Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
        QTest.keyClick(view, what, SHIFT if what == Qt.Key.Key_Backtab else Qt.KeyboardModifier.NoModifier)
        chosen.append(annotating.selected)
    assert chosen == [(1,), (3,), (1,), (3,)]
    assert view.hasFocus()


def test_tab_moves_on_from_a_field(window, annotating):
    field = window.desk.segments._search
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Tab)
    assert not field.hasFocus()
    assert annotating.selected == ()


def test_del_removes_what_is_selected_and_not_locked(window, annotating):
    annotating.set_locked([2], locked=True)
    annotating.select([1, 2])
    key(window, Qt.Key.Key_Delete)
    assert [s.number for s in segments(window)] == [2, 3]
    assert "Locked" in window.statusBar().currentMessage()
    key(window, Qt.Key.Key_Z, CTRL)
    assert [s.number for s in segments(window)] == [1, 2, 3]


def test_undo_and_redo_say_what_they_do(window, annotating):
    annotating.select([1])
    key(window, Qt.Key.Key_Delete)
    assert window.actions_by_name["undo"].text() == "&Undo Delete"
    assert not window.actions_by_name["redo"].isEnabled()
    key(window, Qt.Key.Key_Z, CTRL)
    assert window.actions_by_name["undo"].text() == "&Undo Add dot"
    assert window.actions_by_name["redo"].text() == "&Redo Delete"
    for modifiers, what in ((CTRL, Qt.Key.Key_Y), (CTRL | SHIFT, Qt.Key.Key_Z)):
        key(window, what, modifiers)
        assert [s.number for s in segments(window)] == [2, 3]
        key(window, Qt.Key.Key_Z, CTRL)


def test_the_box_of_the_lock_and_its_key_refuse_edits(window, table, annotating):
    tick(table, 1, Column.LOCKED)
    assert segments(window)[0].locked
    annotating.select([1])
    annotating.set_label("door")
    assert segments(window)[0].label == "ball"
    key(window, Qt.Key.Key_L, CTRL)
    assert not segments(window)[0].locked
    assert window.session.document.undo_name == "Unlock"


def test_a_group_is_selected_and_hidden_together(window, annotating, table):
    annotating.select([1, 3])
    key(window, Qt.Key.Key_G, CTRL)
    annotating.select(())
    click(window, DISK)
    assert annotating.selected == (1, 3)
    annotating.set_shown([3], shown=False)
    assert not annotating.is_visible(1)
    annotating.set_shown([1], shown=True)
    assert texts(table, Column.GROUP) == ["1", "", "1"]
    annotating.select([1])
    key(window, Qt.Key.Key_G, CTRL | SHIFT)
    assert [s.group for s in segments(window)] == [0, 0, 0]


@pytest.mark.parametrize(("what", "verdict"), [(Qt.Key.Key_Y, Review.ACCEPTED), (Qt.Key.Key_X, Review.REJECTED)])
def test_y_and_x_review_segments_and_without_selection_the_panorama(window, annotating, table, what, verdict):
    annotating.select([1, 2])
    key(window, what)
    assert [s.review for s in segments(window)] == [verdict, verdict, Review.OPEN]
    assert texts(table, Column.REVIEW)[0] in ("✓", "✗")
    assert f"2 {verdict}" in window.desk.segments._count.text()
    key(window, what)
    assert segments(window)[0].review is Review.OPEN
    annotating.select(())
    key(window, what)
    assert window.session.document.scene.review is verdict
    assert f"panorama {verdict}" in window.desk.segments._count.text()


def test_a_double_click_on_a_label_edits_it_and_a_new_name_joins_the_set(window, table, annotating, qtbot):
    rect = table.visualRect(cell(table, 1, Column.LABEL))
    QTest.mouseClick(table.viewport(), LEFT, pos=rect.center())
    QTest.mouseDClick(table.viewport(), LEFT, pos=rect.center())
    editor = table.findChild(QComboBox)
    assert editor.currentText() == "ball"
    editor.setCurrentText("sphere")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: segments(window)[0].label == "sphere")
    assert [label.name for label in annotating.labels] == ["ball", "cap", "dot", "sphere"]
    assert window.session.document.undo_name == "Label as sphere"
    window.session.document.undo()
    assert [label.name for label in annotating.labels] == ["ball", "cap", "dot"]


def test_a_double_click_elsewhere_looks_at_the_segment(window, table):
    rect = table.visualRect(cell(table, 2, Column.AREA))
    QTest.mouseClick(table.viewport(), LEFT, pos=rect.center())
    QTest.mouseDClick(table.viewport(), LEFT, pos=rect.center())
    axis = window.viewpoint.photo.world_from_camera[:, 2]
    assert axis @ direction(SEAM) > 0.999


@pytest.mark.parametrize(("number", "place", "radius"), [(2, SEAM, 20.0), (3, POLE, 4.0)])
def test_f_shows_all_of_the_selected_segment_and_as_near_as_it_fits(window, annotating, number, place, radius):
    annotating.select([number])
    key(window, Qt.Key.Key_F)
    camera = window.viewpoint.photo
    away = math.degrees(math.acos(min(1.0, camera.world_from_camera[:, 2] @ direction(place))))
    assert away < radius
    assert number != 3 or abs(camera.yaw) < 1e-6  # at a pole the heading stays in front
    u, v = camera.project(circle(direction(place), math.radians(radius)))
    assert ((u > 0) & (u < camera.width) & (v > 0) & (v < camera.height)).all()
    assert min(camera.fov_x, 2 * math.atan(camera.height / 2 / camera.focal_px)) < math.radians(4.5 * radius)
    key(window, Qt.Key.Key_0, CTRL)
    assert window.viewpoint.photo.fov_x == pytest.approx(math.pi / 2)
    annotating.select(())
    key(window, Qt.Key.Key_F)
    assert "Select a segment" in window.statusBar().currentMessage()


def test_the_menu_of_the_list_has_what_the_menus_have(window, table, annotating):
    annotating.select([1])
    table.customContextMenuRequested.emit(table.visualRect(cell(table, 1, Column.LABEL)).center())
    menu = window.desk.segments._menu
    names = [action.objectName() for action in menu.actions() if action.objectName()]
    assert menu.isVisible()
    assert names == [name for name in MENU if name is not None]
    menu.close()


def test_columns_are_chosen_by_a_right_click_on_the_titles(window, table):
    assert table.isColumnHidden(Column.PIXELS)
    table.horizontalHeader().customContextMenuRequested.emit(QPoint(5, 5))
    menu = next(menu for menu in window.desk.segments.findChildren(QMenu) if menu is not window.desk.segments._menu)
    action = next(action for action in menu.actions() if "pixels" in action.text())
    action.trigger()
    assert not table.isColumnHidden(Column.PIXELS)
    table.setColumnHidden(Column.PIXELS, True)
    menu.close()


def test_a_segment_has_a_colour_of_its_own(window, annotating):
    before = rim(window)
    annotating.select([1])
    selected = rim(window)
    window.actions_by_name["color"].trigger()
    dialog = window.findChild(QColorDialog, "segment_color")
    dialog.setCurrentColor(QColor(10, 20, 250))
    dialog.accept()
    assert segments(window)[0].color == (10, 20, 250)
    assert (rim(window) != selected).any()
    assert (rim(window) != before).any()
    assert window.session.document.undo_name == "Colour"


def test_a_segment_is_brought_to_the_top_and_the_bottom(window, annotating):
    annotating.add([a_segment("lid", DISK, 14.0)])
    click(window, DISK)
    assert annotating.selected == (4,)
    annotating.select([1])
    key(window, Qt.Key.Key_BracketRight, CTRL)
    assert [s.number for s in segments(window)] == [2, 3, 4, 1]
    click(window, DISK)
    assert annotating.selected == (1,)
    key(window, Qt.Key.Key_BracketLeft, CTRL)
    assert [s.number for s in segments(window)] == [1, 2, 3, 4]
    assert window.session.document.undo_name == "To the bottom"


# ----- labels -----


@pytest.fixture
def labels(window, annotating):
    window.session.document.apply("No labels", lambda scene: replace(scene, labels=()))
    for name in ("door", "lamp", "sofa"):
        annotating.set_label(name)
    annotating.set_label("")
    return window.desk.labels


def names(labels):
    return [labels.list.item(row).text() for row in range(labels.list.count())]


def test_a_label_is_added_and_given_by_a_click(window, labels, annotating):
    annotating.select([2])
    QTest.keyClicks(labels._new, "plant")
    QTest.keyClick(labels._new, Qt.Key.Key_Return)
    assert names(labels) == ["door", "lamp", "sofa", "plant"]
    assert segments(window)[1].label == "plant"
    QTest.mouseClick(labels.list.viewport(), LEFT, pos=labels.list.visualItemRect(labels.list.item(0)).center())
    assert segments(window)[1].label == "door"
    assert annotating.label == "door"
    assert labels.list.item(0).font().bold()


def test_a_name_that_was_refused_is_not_listed(window, labels, annotating):
    before = names(labels)
    annotating.set_blocked("The project is open elsewhere.")
    labels.list.item(0).setText("gate")
    annotating.set_blocked("")
    assert names(labels) == before


def test_a_renamed_label_is_renamed_everywhere(window, labels, annotating):
    annotating.select([1, 2])
    annotating.set_label("door")
    labels.list.item(0).setText("gate")
    assert names(labels) == ["gate", "lamp", "sofa"]
    assert [s.label for s in segments(window)] == ["gate", "gate", "dot"]
    assert annotating.label == "gate"
    assert window.session.document.undo_name == "Change label door"
    labels.list.item(0).setText("  ")
    assert names(labels) == ["gate", "lamp", "sofa"]


def test_two_clicks_on_a_label_rename_it_and_give_it_to_nobody(window, annotating):
    annotating.set_label("dot")
    annotating.select([1])
    labels = window.desk.labels.list
    place = labels.visualItemRect(labels.item(1)).center()
    QTest.mouseClick(labels.viewport(), LEFT, pos=place)
    assert segments(window)[0].label == "cap"
    QTest.mouseDClick(labels.viewport(), LEFT, pos=place)
    assert segments(window)[0].label == "ball"
    assert annotating.label == "dot"
    editor = labels.findChild(QLineEdit)
    editor.setText("hat")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert [segment.label for segment in segments(window)] == ["ball", "hat", "dot"]


def test_a_label_has_another_place_and_another_key(window, labels, annotating):
    labels.move_label("sofa", 0)
    assert names(labels) == ["sofa", "door", "lamp"]
    key(window, Qt.Key.Key_S)
    annotating.select([1])
    key(window, Qt.Key.Key_1)
    assert segments(window)[0].label == "sofa"


def test_a_colour_is_chosen_in_a_dialog_and_seen(window, labels, annotating):
    annotating.select([1])
    annotating.set_label("door")
    before = rim(window)
    labels.choose_color("door")
    dialog = labels.findChild(QColorDialog, "color")
    dialog.setCurrentColor(QColor(10, 20, 250))
    dialog.accept()
    assert annotating.labels[0] == Label("door", (10, 20, 250))
    assert (rim(window) != before).any()


def test_the_menu_of_a_label_removes_it(window, labels, annotating):
    annotating.select([1])
    annotating.set_label("door")
    labels.list.customContextMenuRequested.emit(labels.list.visualItemRect(labels.list.item(0)).center())
    menu = labels.findChild(QMenu)
    next(action for action in menu.actions() if action.text() == "Remove").trigger()
    assert names(labels) == ["lamp", "sofa"]
    assert segments(window)[0].label == ""
    menu.close()


def test_the_strip_chooses_the_label_of_what_comes(window, labels, annotating):
    key(window, Qt.Key.Key_B)
    combo = window.desk.strip._label
    assert [combo.itemText(row) for row in range(combo.count())] == ["no label", "1  door", "2  lamp", "3  sofa"]
    combo.setCurrentIndex(2)
    combo.activated.emit(2)
    assert annotating.label == "lamp"


def test_every_key_of_annotation_is_listed_in_help_and_no_two_actions_share_one():
    keys = [one for spec in ACTIONS for one in spec.keys]
    assert len(set(keys)) == len(keys)
    said = " ".join(gesture for _, gesture, _ in GESTURES)
    assert all(word in said for word in ("Tab", "Hold H", "1 to 9", "Enter", "Esc", "Backspace", "Alt"))


# ----- classes -----


def test_classes_become_segments_piece_by_piece(window, settle):
    classes = np.zeros((64, 128), np.int16)
    classes[20:30, 40:52] = 1
    classes[22:32, 124:] = classes[22:32, :6] = 1
    prediction = Prediction(classes=classes, class_names=("wall", "window"), model="fake")
    window.session._take_estimate(prediction)
    settle(window)
    before = len(segments(window))
    window.actions_by_name["class_segments"].trigger()
    dialog = window.findChild(ClassesDialog, "classes")
    assert not dialog.add.isEnabled()
    names = [dialog.list.item(row).text().split()[0] for row in range(dialog.list.count())]
    assert set(names) == {"wall", "window"}
    dialog.list.item(names.index("window")).setCheckState(Qt.CheckState.Checked)
    dialog.add.click()
    settle(window)
    new = segments(window)[before:]
    assert [(s.label, s.model) for s in new] == [("window", "fake")] * 2
    assert {s.mask.size for s in new} == {(256, 512)}
    assert "window" in [label.name for label in window.desk.annotating.labels]
    assert window.session.document.undo_name == "Add 2 segments of classes"
    key(window, Qt.Key.Key_Z, CTRL)
    assert len(segments(window)) == before


def test_classes_of_a_panorama_are_not_cut_out_of_another(window, settle):
    prediction = Prediction(classes=np.zeros((64, 128), np.int16), class_names=("wall",), model="fake")
    window.session._take_estimate(prediction)
    settle(window)
    window.actions_by_name["class_segments"].trigger()
    dialog = window.findChild(ClassesDialog, "classes")
    dialog.list.item(0).setCheckState(Qt.CheckState.Checked)
    panorama = Panorama(red_things())
    window.session.show(panorama, Pyramid.of(panorama.rgb))
    settle(window)
    dialog.add.click()
    settle(window)
    assert segments(window) == ()
    assert "Another panorama" in window.statusBar().currentMessage()


def test_without_classes_the_model_is_to_run_first(window):
    window.actions_by_name["class_segments"].trigger()
    assert "run the model" in window.messages.text
    window.messages.hide()
