"""Brush, eraser and lasso in real windows: what they cover, over the seam and the poles, and how it is undone."""

import math

import numpy as np
import pytest
from annotation_samples import DISK, HEIGHT, POLE, SEAM, a_segment, direction, disk, iou, key, position, position_around
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from window_samples import array_from_qimage, drag, hover, turn_wheel

from core.geometry.sphere import angle_between
from core.mask import SphereMask
from core.segment.brush import brush
from panoviewer.mask_edits import SlowEdit
from panoviewer.tools.brush_tool import LARGEST_DEG, SMALLEST_DEG
from panoviewer.views.marks import PathMark

ALT, SHIFT, CTRL = (getattr(Qt.KeyboardModifier, f"{name}Modifier") for name in ("Alt", "Shift", "Control"))
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(red_window):
    red_window.desk.size.set_degrees(10.0)
    return red_window


def use(window, what):
    key(window, what)


def add(window, *args, **kwargs):
    window.desk.annotating.add([a_segment(*args, **kwargs)])


def segments(window):
    return window.session.document.scene.segments


def stroke(window, *places, modifiers=Qt.KeyboardModifier.NoModifier, around=False):
    """Drag over places; returns the directions that the mouse really was at."""
    view = window.stage.perspective if around else window.stage.erp
    port = view if around else view.viewport()
    points = [(position_around if around else position)(window, place) for place in places]
    kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * len(points), QEvent.Type.MouseButtonRelease]
    for kind, point in zip(kinds, [points[0], *points, points[-1]], strict=True):
        where = QPointF(point)
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else LEFT
        held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else LEFT
        QApplication.sendEvent(port, QMouseEvent(kind, where, port.mapToGlobal(where), button, held, modifiers))
    return np.stack([view.direction_at(QPointF(point)) for point in points])


def expected(directions, degrees=10.0):
    return brush(SphereMask.empty(HEIGHT, 2 * HEIGHT), directions, math.radians(degrees / 2), positive=True)


@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize("places", [[DISK, (45.0, 20.0)], [(172.0, -10.0), (-170.0, -5.0)]])
def test_a_stroke_becomes_a_segment_of_the_same_angle_everywhere(window, settle, places, around):
    if around:
        window.viewpoint.look_at(direction(places[0]))
        settle(window)
    use(window, Qt.Key.Key_B)
    directions = stroke(window, *places, around=around)
    settle(window)
    (segment,) = segments(window)
    assert segment.mask.same_as(expected(directions))
    assert (segment.clicks, segment.model) == ((), "")
    assert math.isnan(segment.score)
    assert window.session.document.undo_name == "Brush segment"
    assert window.desk.annotating.selected == (1,)


def test_a_stroke_over_the_pole_is_one_piece(window, settle):
    window.viewpoint.look_at(direction(POLE))
    settle(window)
    use(window, Qt.Key.Key_B)
    directions = stroke(window, (0.0, 80.0), POLE, (180.0, 80.0), around=True)
    settle(window)
    mask = segments(window)[0].mask
    assert mask.same_as(expected(directions))
    assert mask.cols == 2 * HEIGHT


def test_strokes_go_on_with_the_selected_segment_and_are_undone_one_by_one(window, settle):
    document = window.session.document
    use(window, Qt.Key.Key_B)
    first = stroke(window, DISK, (40.0, 10.0))
    second = stroke(window, (60.0, 10.0), (70.0, 10.0))
    settle(window)
    (segment,) = segments(window)
    assert segment.mask.same_as(expected(first) | expected(second))
    key(window, Qt.Key.Key_Z, CTRL)
    assert segments(window)[0].mask.same_as(expected(first))
    key(window, Qt.Key.Key_Z, CTRL)
    assert segments(window) == ()
    key(window, Qt.Key.Key_Y, CTRL)
    key(window, Qt.Key.Key_Z, CTRL | SHIFT)
    assert segments(window)[0].mask is segment.mask
    assert document.redo_name is None


@pytest.mark.parametrize("by_alt", [False, True])
def test_the_eraser_takes_away(window, settle, by_alt):
    add(window, "ball")
    use(window, Qt.Key.Key_B if by_alt else Qt.Key.Key_E)
    directions = stroke(window, DISK, (45.0, 10.0), modifiers=ALT if by_alt else Qt.KeyboardModifier.NoModifier)
    settle(window)
    assert segments(window)[0].mask.same_as(disk() - expected(directions))
    assert window.session.document.undo_name == "Erase ball"


def test_the_eraser_takes_what_is_under_the_cursor_when_nothing_is_selected(window, settle):
    add(window, "ball")
    add(window, "cap", SEAM)
    window.desk.annotating.select(())
    use(window, Qt.Key.Key_E)
    directions = stroke(window, DISK, (36.0, 10.0))
    settle(window)
    assert segments(window)[0].mask.same_as(disk() - expected(directions))
    assert segments(window)[1].mask.same_as(disk(SEAM))
    window.desk.annotating.select(())
    stroke(window, (-90.0, -40.0), (-80.0, -40.0))
    assert "nothing to erase" in window.desk.strip.text


def test_what_is_erased_altogether_is_removed(window, settle):
    add(window, "dot", radius=2.0)
    use(window, Qt.Key.Key_E)
    stroke(window, DISK, (31.0, 10.0))
    settle(window)
    assert segments(window) == ()
    window.session.document.undo()
    assert segments(window)[0].mask.same_as(disk(radius=2.0))


def test_a_locked_segment_is_not_painted_on(window, settle):
    add(window, "ball", locked=True)
    use(window, Qt.Key.Key_B)
    stroke(window, DISK, (45.0, 10.0))
    settle(window)
    assert segments(window)[0].mask.same_as(disk())
    assert "Locked" in window.desk.strip.text


def test_several_selected_segments_are_not_painted_on(window, settle):
    add(window, "ball")
    add(window, "cap", SEAM)
    window.desk.annotating.select([1, 2])
    use(window, Qt.Key.Key_B)
    stroke(window, DISK, (45.0, 10.0))
    settle(window)
    assert "Several" in window.desk.strip.text
    assert segments(window)[0].mask.same_as(disk())


def test_the_stroke_is_seen_while_it_is_drawn(window, settle):
    use(window, Qt.Key.Key_B)
    port = window.stage.erp.viewport()
    start, end = position(window, (60.0, -20.0)), position(window, (80.0, -20.0))
    middle = position(window, (70.0, -20.0))
    before = pixel(window, middle)
    events = ((QEvent.Type.MouseButtonPress, start), (QEvent.Type.MouseMove, end))
    for kind, point in events:
        where = QPointF(point)
        button = LEFT if kind == QEvent.Type.MouseButtonPress else Qt.MouseButton.NoButton
        event = QMouseEvent(kind, where, port.mapToGlobal(where), button, LEFT, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(port, event)
    assert np.abs(pixel(window, middle) - before).max() > 40
    assert segments(window) == ()
    window.toolbox.let_go()
    settle(window)
    assert len(segments(window)) == 1
    assert window.desk.display.preview == []


def pixel(window, place):
    picture = array_from_qimage(window.stage.erp.grab().toImage())
    ratio = window.stage.erp.devicePixelRatioF()
    return picture[int(place.y() * ratio), int(place.x() * ratio)].astype(int)


def test_a_long_stroke_is_drawn_in_few_pieces(window, settle):
    use(window, Qt.Key.Key_B)
    port = window.stage.erp.viewport()
    window.desk.size.set_degrees(3.0)
    points = [position(window, (lon, 30 * math.sin(lon / 9))) for lon in np.linspace(-150, 150, 160)]
    seen = []
    real, window.desk.display.set_preview = window.desk.display.set_preview, lambda *a, **k: seen.append(len(a[1]))
    drag(port, *[(point.x(), point.y()) for point in points])
    window.desk.display.set_preview = real
    settle(window)
    assert max(seen) < 12
    assert len(segments(window)) == 1


def test_the_rim_of_the_brush_follows_the_mouse_and_its_size(window):
    use(window, Qt.Key.Key_B)
    where = position(window, (20.0, 40.0))
    hover(window.stage.erp.viewport(), where.x(), where.y())
    middle = window.stage.erp.direction_at(QPointF(where))
    for act, degrees in (
        (lambda: None, 10.0),
        (lambda: key(window, Qt.Key.Key_BracketRight), 12.5),
        (lambda: key(window, Qt.Key.Key_BracketLeft), 10.0),
        (lambda: turn_wheel(window.stage.erp.viewport(), where.x(), where.y(), 1, CTRL), 12.5),
        (lambda: window.desk.strip._size.setValue(3.0), 3.0),
    ):
        act()
        (mark,) = window.desk.display._marks
        assert isinstance(mark, PathMark)
        np.testing.assert_allclose(angle_between(mark.directions, middle), math.radians(degrees / 2), atol=1e-9)
        assert window.desk.strip._size.value() == pytest.approx(degrees, abs=0.01)


def test_the_brush_has_a_smallest_and_a_largest_size(window):
    window.desk.size.step(100)
    assert window.desk.size.degrees == LARGEST_DEG
    window.desk.size.step(-200)
    assert window.desk.size.degrees == SMALLEST_DEG


def test_a_stroke_that_is_not_made_yet_is_when_the_panorama_is_left(window, qtbot):
    edits = []
    window.session.document.edited.connect(edits.append)
    use(window, Qt.Key.Key_B)
    stroke(window, DISK, (45.0, 10.0))
    window.session.leaving.emit()
    assert edits == ["Brush segment"]
    assert window.desk.edits.waiting == ()


def test_a_lasso_by_hand_encloses(window, settle):
    use(window, Qt.Key.Key_L)
    ring = [
        (DISK[0] + 12 * math.cos(a) / math.cos(math.radians(DISK[1])), DISK[1] + 12 * math.sin(a))
        for a in np.linspace(0, 6.2, 40)
    ]
    stroke(window, *ring)
    settle(window)
    assert iou(segments(window)[0].mask) > 0.9
    assert window.session.document.undo_name == "Lasso segment"


def corners(window, *places, modifiers=Qt.KeyboardModifier.NoModifier):
    for place in places:
        QTest.mouseClick(window.stage.erp.viewport(), LEFT, modifiers, position(window, place))


SQUARE = [(20.0, 0.0), (40.0, 0.0), (40.0, 20.0), (20.0, 20.0)]


@pytest.mark.parametrize("how", ["enter", "double"])
def test_a_lasso_corner_by_corner(window, settle, how):
    use(window, Qt.Key.Key_L)
    if how == "enter":
        corners(window, *SQUARE)
        key(window, Qt.Key.Key_Return)
    else:
        corners(window, *SQUARE)
        where = QPointF(position(window, SQUARE[-1]))
        port = window.stage.erp.viewport()
        for kind in (QEvent.Type.MouseButtonDblClick, QEvent.Type.MouseButtonRelease):
            held = LEFT if kind == QEvent.Type.MouseButtonDblClick else Qt.MouseButton.NoButton
            event = QMouseEvent(kind, where, port.mapToGlobal(where), LEFT, held, Qt.KeyboardModifier.NoModifier)
            QApplication.sendEvent(port, event)
    settle(window)
    (segment,) = segments(window)
    assert segment.mask.contains(math.radians(30), math.radians(10))
    assert not segment.mask.contains(math.radians(30), math.radians(-3))
    assert window.desk.display._marks == []


def test_a_corner_is_taken_back_and_the_line_given_up(window, settle):
    use(window, Qt.Key.Key_L)
    corners(window, *SQUARE)
    key(window, Qt.Key.Key_Backspace)
    assert len(window.desk.tools["lasso"]._corners) == 3
    key(window, Qt.Key.Key_Escape)
    key(window, Qt.Key.Key_Return)
    settle(window)
    assert segments(window) == ()


def test_undo_takes_corners_back_before_edits(window, settle):
    add(window, "ball")
    window.desk.annotating.select(())
    use(window, Qt.Key.Key_L)
    corners(window, *SQUARE[:2])
    assert window.actions_by_name["undo"].text() == "&Undo corner"
    for left in (1, 0):
        key(window, Qt.Key.Key_Z, CTRL)
        assert len(window.desk.tools["lasso"]._corners) == left
    assert len(segments(window)) == 1
    key(window, Qt.Key.Key_Z, CTRL)
    settle(window)
    assert segments(window) == ()


@pytest.mark.parametrize("tool", [Qt.Key.Key_B, Qt.Key.Key_L])
def test_enter_ends_a_segment_and_the_next_stroke_makes_another(window, settle, tool):
    add(window, "ball")
    use(window, tool)
    key(window, Qt.Key.Key_Return)
    assert window.desk.annotating.selected == ()
    if tool == Qt.Key.Key_B:
        stroke(window, SEAM, (170.0, 0.0))
    else:
        corners(window, *SQUARE)
        key(window, Qt.Key.Key_Return)
    settle(window)
    assert len(segments(window)) == 2


@pytest.mark.parametrize(("modifiers", "name"), [(ALT, "Cut ball"), (ALT | SHIFT, "Keep part of ball")])
def test_a_lasso_subtracts_and_intersects(window, settle, modifiers, name):
    add(window, "ball")
    use(window, Qt.Key.Key_L)
    corners(window, *SQUARE, modifiers=modifiers)
    key(window, Qt.Key.Key_Return)
    settle(window)
    mask = segments(window)[0].mask
    assert window.session.document.undo_name == name
    assert mask.contains(math.radians(DISK[0]), math.radians(DISK[1])) is (modifiers != ALT)
    assert mask.contains(math.radians(DISK[0] + 11), math.radians(DISK[1])) is (modifiers == ALT)


def test_a_lasso_around_the_pole_takes_the_smaller_side(window, settle):
    use(window, Qt.Key.Key_L)
    corners(window, (0, 70), (90, 70), (180, 70), (-90, 70))
    key(window, Qt.Key.Key_Return)
    settle(window)
    mask = segments(window)[0].mask
    assert mask.contains(0.3, math.radians(89))
    assert mask.solid_angle() < 1.0


@pytest.mark.parametrize(
    ("keys", "name", "left", "result"),
    [
        (CTRL, "Unite ball", 1, lambda a, b: a | b),
        (CTRL | ALT, "Subtract from ball", 2, lambda a, b: a - b),
        (CTRL | SHIFT, "Intersect ball", 1, lambda a, b: a & b),
    ],
)
def test_two_segments_are_combined(window, settle, keys, name, left, result):
    add(window, "ball")
    add(window, "other", (38.0, 10.0))
    window.desk.annotating.select([1, 2])
    key(window, Qt.Key.Key_J, keys)
    settle(window)
    assert len(segments(window)) == left
    assert segments(window)[0].mask.same_as(result(disk(), disk((38.0, 10.0))))
    assert window.session.document.undo_name == name
    window.session.document.undo()
    assert [s.label for s in segments(window)] == ["ball", "other"]


def test_one_segment_cannot_be_combined(window, settle):
    add(window, "ball")
    key(window, Qt.Key.Key_J, CTRL)
    settle(window)
    assert segments(window)[0].mask.same_as(disk())
    assert window.statusBar().currentMessage().startswith("Select two segments")


def test_what_would_leave_nothing_is_refused_in_a_sentence(window, settle):
    add(window, "ball")
    add(window, "far", SEAM)
    window.desk.annotating.select([1, 2])
    key(window, Qt.Key.Key_J, CTRL | SHIFT)
    settle(window)
    assert [s.label for s in segments(window)] == ["ball", "far"]
    assert "leave nothing of ball 1" in window.statusBar().currentMessage()
    assert window.desk.edits.waiting == ()


def test_a_mask_that_a_hand_has_changed_has_no_score_of_the_network(window, settle):
    add(window, "ball", score=0.9)
    use(window, Qt.Key.Key_B)
    stroke(window, DISK, (45.0, 10.0))
    settle(window)
    assert math.isnan(segments(window)[0].score)


def test_a_fault_in_one_edit_does_not_hold_up_the_next(window, settle):
    def fault(_scene):
        raise RuntimeError("a fault")

    window.desk.edits.put(SlowEdit("Fault", fault))
    settle(window)
    use(window, Qt.Key.Key_B)
    stroke(window, DISK, (45.0, 10.0))
    settle(window)
    assert len(segments(window)) == 1
    assert "fault in the program" in window.messages.text
    window.messages.hide()
