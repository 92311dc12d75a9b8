"""Which segment a label is given to, where the keys go while something is typed, and what waits for a stroke."""

import threading
from dataclasses import replace

import cv2
import pytest
from annotation_samples import DISK, POLE, SEAM, a_segment, click, iou, key, position, red_things
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from window_samples import drag

from core.io.scene_file import annotation_path, read_annotation
from core.scene import Review
from panoviewer.jobs import Lane
from panoviewer.mask_edits import SlowEdit
from panoviewer.tools.segment_tool import PREPARING

CTRL = Qt.KeyboardModifier.ControlModifier
ENTER, ESC = Qt.Key.Key_Return, Qt.Key.Key_Escape
LEFT = Qt.MouseButton.LeftButton
PATIENCE_S = 250


@pytest.fixture
def window(red_window, settle):
    """The segment tool in use, with labels to choose from and the lists in sight."""
    red_window.activateWindow()
    assert QTest.qWaitForWindowActive(red_window, PATIENCE_S * 1000)
    for name in ("sofa", "lamp"):
        red_window.desk.annotating.set_label(name)
    red_window.desk.annotating.set_label("")
    key(red_window, Qt.Key.Key_S)
    settle(red_window)
    return red_window


@pytest.fixture
def gate():
    """Open at the end of a test at the latest."""
    made = threading.Event()
    yield made
    made.set()


def hold_up(window, gate):
    """Edits that are put from now on wait for the gate."""

    def wait(scene):
        gate.wait(PATIENCE_S)
        return scene

    window.desk.edits.put(SlowEdit("Wait", wait))


def hold_up_models(window, gate):
    """Nothing is found from now on until the gate is open."""
    window.session.jobs.run(
        "Hold", lambda _progress: gate.wait(PATIENCE_S), done=lambda _: None, lane=Lane.MODEL, visible=False
    )


def named(window):
    return [segment.label for segment in window.session.document.scene.segments]


def keep(window, place, settle):
    click(window, place)
    settle(window)
    key(window, ENTER)


def field(window):
    """The field for new labels, with the focus in it."""
    new = window.desk.labels._new
    QTest.mouseClick(new, LEFT)
    assert window.focusWidget() is new
    return new


def told(window):
    """What the strip of the tool and the status line say."""
    return window.desk.strip.text + window.statusBar().currentMessage()


def stroke(window, start, end):
    view = window.stage.erp
    view.setFocus()
    points = [position(window, place) for place in (start, end)]
    drag(view.viewport(), *[(point.x(), point.y()) for point in points])


# ----- what gets a label -----


def test_a_digit_after_an_object_was_kept_is_for_the_next_one(window, settle):
    key(window, Qt.Key.Key_1)
    keep(window, DISK, settle)
    key(window, Qt.Key.Key_2)
    assert named(window) == ["sofa"]
    assert window.desk.strip.text == "The next one is called lamp."
    keep(window, SEAM, settle)
    assert named(window) == ["sofa", "lamp"]


def test_who_names_after_keeping_names_what_was_kept_and_the_next(window, settle):
    keep(window, DISK, settle)
    key(window, Qt.Key.Key_1)
    assert named(window) == ["sofa"]
    keep(window, SEAM, settle)
    key(window, Qt.Key.Key_2)
    assert named(window) == ["sofa", "lamp"]
    assert "The last one is called lamp" in told(window)
    keep(window, POLE, settle)
    assert named(window) == ["sofa", "lamp", "lamp"]


def test_who_meant_the_next_one_takes_the_name_of_the_last_back(window, settle):
    for place in (DISK, SEAM):
        key(window, Qt.Key.Key_1) if place is DISK else None
        keep(window, place, settle)
    key(window, Qt.Key.Key_2)
    key(window, Qt.Key.Key_Z, CTRL)
    keep(window, POLE, settle)
    assert named(window) == ["sofa", "sofa", "lamp"]


def test_a_new_label_names_what_was_kept_under_the_name_of_the_object_before_once(window, settle):
    key(window, Qt.Key.Key_1)
    keep(window, DISK, settle)
    keep(window, SEAM, settle)
    new = field(window)
    for name in ("plant", "chair"):
        QTest.keyClicks(new, name)
        QTest.keyClick(new, ENTER)
    assert named(window) == ["sofa", "plant"]


def test_a_digit_names_the_open_object_and_does_not_keep_it(window, settle):
    click(window, DISK)
    settle(window)
    key(window, Qt.Key.Key_1)
    key(window, Qt.Key.Key_2)
    assert named(window) == []
    assert window.desk.segment_tool.making is not None
    key(window, ENTER)
    assert named(window) == ["lamp"]


def test_new_labels_are_added_one_after_another_and_the_open_object_stays_open(window, settle):
    click(window, DISK)
    settle(window)
    new = field(window)
    for name in ("plant", "chair"):
        QTest.keyClicks(new, name)
        QTest.keyClick(new, ENTER)
    assert [label.name for label in window.desk.annotating.labels] == ["sofa", "lamp", "plant", "chair"]
    assert named(window) == []
    assert window.desk.segment_tool.making is not None
    QTest.keyClick(new, ENTER)
    assert window.focusWidget() is window.stage.erp
    assert window.desk.segment_tool.making is not None
    QTest.keyClick(window.stage.erp, ENTER)
    assert named(window) == ["chair"]


def test_new_labels_leave_the_object_alone_that_was_kept_last(window, settle):
    key(window, Qt.Key.Key_1)
    keep(window, DISK, settle)
    new = field(window)
    for name in ("plant", "chair"):
        QTest.keyClicks(new, name)
        QTest.keyClick(new, ENTER)
    assert named(window) == ["sofa"]
    assert window.desk.annotating.label == "chair"


@pytest.mark.parametrize("how", ["list", "tab"])
def test_what_the_user_selects_gets_the_label(window, settle, how):
    keep(window, DISK, settle)
    assert window.desk.annotating.selected == (1,)
    if how == "list":
        table = window.desk.segments.view
        QTest.mouseClick(table.viewport(), LEFT, pos=table.visualRect(table.model().index(0, 2)).center())
    else:
        key(window, Qt.Key.Key_Tab)
    key(window, Qt.Key.Key_1)
    assert named(window) == ["sofa"]


def test_the_open_object_comes_before_what_is_selected(window, settle):
    keep(window, DISK, settle)
    click(window, SEAM)
    settle(window)
    window.desk.annotating.select([1])
    key(window, Qt.Key.Key_1)
    assert named(window) == [""]
    key(window, ENTER)
    assert named(window) == ["", "sofa"]


def test_a_segment_that_is_corrected_gets_the_label(window, settle):
    keep(window, DISK, settle)
    key(window, Qt.Key.Key_C)
    settle(window)
    key(window, Qt.Key.Key_2)
    assert named(window) == ["lamp"]
    key(window, ENTER)
    assert named(window) == ["lamp"]


def test_what_was_painted_gets_the_label(window, settle):
    key(window, Qt.Key.Key_B)
    stroke(window, DISK, (40.0, 10.0))
    settle(window)
    key(window, Qt.Key.Key_2)
    assert named(window) == ["lamp"]


# ----- keys while something is typed -----


@pytest.mark.parametrize(("typed", "said"), [("", "Type the name"), ("  ", "Type the name"), ("sofa", "sofa already")])
def test_a_new_label_that_is_none_is_told(window, settle, typed, said):
    panel = window.desk.labels
    before = [label.name for label in window.desk.annotating.labels]
    panel._new.setFocus()
    QTest.keyClicks(panel._new, typed)
    QTest.mouseClick(panel._add_button, LEFT)
    assert said in told(window)
    assert [label.name for label in window.desk.annotating.labels] == before


def test_a_label_that_a_locked_segment_refuses_is_not_told_to_be_in_use(window):
    annotating = window.desk.annotating
    annotating.add([a_segment("ball")])
    annotating.set_locked([1], locked=True)
    annotating.select([1])
    annotating.add_label("sofa")
    assert "unlock first: ball 1" in told(window)
    assert "in use" not in told(window)
    assert named(window) == ["ball"]
    annotating.set_blocked("Another window has the project.")
    annotating.select(())
    annotating.add_label("lamp")
    annotating.set_blocked("")
    assert "Another window has the project." in told(window)
    assert "in use" not in told(window)


def test_a_rename_to_nothing_or_to_another_name_that_is_there_is_told(window, settle):
    panel = window.desk.labels
    panel.list.item(0).setText("  ")
    assert "needs a name; sofa keeps" in told(window)
    assert [label.name for label in window.desk.annotating.labels] == ["sofa", "lamp"]
    assert panel.list.item(0).text() == "sofa"
    panel.list.item(0).setText("lamp")
    assert "both are one now" in told(window)
    assert [label.name for label in window.desk.annotating.labels] == ["lamp"]
    key(window, Qt.Key.Key_Z, CTRL)
    settle(window)
    assert [label.name for label in window.desk.annotating.labels] == ["sofa", "lamp"]


def test_a_label_of_300_letters_leaves_the_window_its_width(window, settle):
    name = "m" * 300
    panel = window.desk.labels
    panel._new.setFocus()
    QTest.keyClicks(panel._new, name)
    before = window.minimumSizeHint().width()
    QTest.keyClick(panel._new, ENTER)
    settle(window)
    window.desk.annotating.add([replace(a_segment(), label=name)], f"Add {name}")
    settle(window)
    assert [label.name for label in window.desk.annotating.labels] == ["sofa", "lamp", name]
    assert window.minimumSizeHint().width() <= before
    assert len(window.actions_by_name["undo"].text()) < 100
    assert len(told(window)) < 200


def test_a_verdict_on_a_segment_that_was_just_undone_is_none_on_the_panorama(window, settle):
    keep(window, DISK, settle)
    key(window, ESC)
    window.desk.annotating.select([1])
    key(window, Qt.Key.Key_Z, CTRL)
    settle(window)
    assert named(window) == []
    key(window, Qt.Key.Key_Y)
    assert window.session.document.scene.review is Review.OPEN
    assert "once more judges the whole panorama" in told(window)
    key(window, Qt.Key.Key_Y)
    assert window.session.document.scene.review is Review.ACCEPTED


def test_escape_leaves_the_field_first(window, settle):
    window.desk.annotating.add([a_segment("ball")])
    window.desk.annotating.select([1])
    click(window, SEAM)
    settle(window)
    window.desk.annotating.select([1])
    new = field(window)
    QTest.keyClick(new, ESC)
    assert window.focusWidget() is window.stage.erp
    assert window.desk.annotating.selected == (1,)
    assert window.desk.segment_tool.making is not None
    QTest.keyClick(window.stage.erp, ESC)
    assert window.desk.segment_tool.making is None
    assert named(window) == ["ball"]


def test_enter_in_another_field_keeps_nothing(window, settle):
    click(window, DISK)
    settle(window)
    search = window.desk.segments._search
    QTest.mouseClick(search, LEFT)
    QTest.keyClick(search, ENTER)
    assert named(window) == []
    assert window.focusWidget() is window.stage.erp


# ----- what waits for a stroke -----


def test_a_label_waits_for_the_stroke_before_it(window, gate, settle):
    hold_up(window, gate)
    key(window, Qt.Key.Key_B)
    stroke(window, POLE, (20.0, 80.0))
    key(window, Qt.Key.Key_2)
    assert named(window) == []
    gate.set()
    settle(window)
    assert named(window) == ["lamp"]


def test_undo_takes_the_stroke_back_that_is_still_in_the_making(window, gate, settle):
    window.desk.annotating.add([a_segment("ball")])
    window.desk.annotating.select(())
    hold_up(window, gate)
    key(window, Qt.Key.Key_B)
    stroke(window, SEAM, (170.0, 0.0))
    key(window, Qt.Key.Key_Z, CTRL)
    gate.set()
    settle(window)
    assert named(window) == ["ball"]
    assert window.session.document.redo_name == "Brush segment"


def test_what_is_saved_has_the_stroke_before_it(window, gate, settle, qtbot, tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), red_things(64)[..., ::-1])
    window.open(path)
    qtbot.waitUntil(lambda: window.session.document.panorama.path == path)
    settle(window)
    try:
        hold_up(window, gate)
        key(window, Qt.Key.Key_B)
        stroke(window, DISK, (40.0, 10.0))
        key(window, Qt.Key.Key_S, CTRL)
        assert "Saved" not in window.desk.strip.text
        gate.set()
        qtbot.waitUntil(lambda: window.desk.strip.text == f"Saved: {annotation_path(path).name}")
        assert len(read_annotation(annotation_path(path)).segments) == 1
        assert not window.desk.saving.is_modified
        settle(window)
        stroke(window, SEAM, (170.0, 0.0))
        settle(window)
        assert "Saved" not in window.desk.strip.text
    finally:
        gate.set()
        assert window.desk.finish() == ""


# ----- another tool -----


@pytest.mark.parametrize("other", [Qt.Key.Key_B, Qt.Key.Key_L, Qt.Key.Key_S])
def test_another_tool_keeps_the_object_that_is_open(window, settle, other):
    key(window, Qt.Key.Key_1)
    click(window, DISK)
    settle(window)
    key(window, other)
    assert named(window) == ["sofa"]
    assert window.desk.annotating.selected == (1,)


def test_another_tool_keeps_the_object_that_is_still_looked_for(window, gate, settle, qtbot):
    hold_up_models(window, gate)
    key(window, Qt.Key.Key_1)
    click(window, DISK)
    key(window, Qt.Key.Key_B)
    key(window, Qt.Key.Key_2)
    stroke(window, SEAM, (170.0, 0.0))
    qtbot.waitUntil(lambda: named(window) == ["lamp"])
    gate.set()
    qtbot.waitUntil(lambda: named(window) == ["lamp", "sofa"])
    settle(window)
    assert iou(window.session.document.scene.segments[1].mask) > 0.5
    # The brush goes on with its own.
    assert window.desk.annotating.selected == (1,)


def test_correcting_another_segment_keeps_the_object_that_is_open(window, settle):
    keep(window, DISK, settle)
    click(window, SEAM)
    settle(window)
    window.desk.annotating.select([1])
    key(window, Qt.Key.Key_C)
    settle(window)
    assert len(named(window)) == 2


# ----- the first click -----


def test_the_first_click_says_at_once_that_the_network_is_prepared(window, gate, settle):
    tool, clicking = window.desk.segment_tool, window.desk.clicking
    key(window, Qt.Key.Key_S)
    clicking._used.clear()
    clicking._session = None
    hold_up_models(window, gate)
    key(window, Qt.Key.Key_S)
    assert PREPARING in window.desk.strip.text
    click(window, DISK)
    assert window.desk.strip.text == PREPARING
    assert window.progress_text.text().startswith("Preparing the click network")
    gate.set()
    settle(window)
    assert clicking.is_ready
    assert "score" in window.desk.strip.text
    key(window, ENTER)
    assert tool.making is None
    assert len(named(window)) == 1
