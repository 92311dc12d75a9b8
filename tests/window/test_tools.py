"""Tools get gestures of both views in directions; without a tool the mouse moves the picture."""

import math

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtTest import QTest
from window_samples import drag, hover, send_mouse, turn_wheel

from core.geometry.sphere import directions_to_lonlat
from core.mask import SphereMask
from panoviewer.tools.tool import Tool
from panoviewer.views.masks import MaskLayer
from panoviewer.views.mouse import CLICK_PX

LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
PLAIN, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


class Recorder(Tool):
    """Notes what it is told."""

    buttons = LEFT | RIGHT
    shape = Qt.CursorShape.CrossCursor

    def __init__(self):
        super().__init__()
        self.heard, self.keys, self.moves, self.wheels = [], [], [], []
        self.taken = {Qt.Key.Key_Escape, Qt.Key.Key_1, Qt.Key.Key_Backspace}

    def begin(self):
        self.heard.append(("begin", None))

    def end(self):
        self.heard.append(("end", None))

    def press(self, view, pointer):
        self.heard.append(("press", pointer))

    def drag(self, view, pointer):
        self.heard.append(("drag", pointer))

    def release(self, view, pointer):
        self.heard.append(("release", pointer))

    def click(self, view, pointer):
        self.heard.append(("click", pointer))

    def double_click(self, view, pointer):
        self.heard.append(("double", pointer))

    def move(self, view, pointer):
        self.moves.append(pointer)

    def wheel(self, view, pointer, steps):
        self.wheels.append((pointer, steps))

    def takes_key(self, key, modifiers):
        return key in self.taken

    def press_key(self, key, modifiers):
        self.keys.append(("press", key))

    def release_key(self, key, modifiers):
        self.keys.append(("release", key))

    def names(self):
        return [name for name, _ in self.heard]


@pytest.fixture
def tool(window):
    tool = Recorder()
    window.toolbox.use(tool)
    tool.heard.clear()
    yield tool
    window.toolbox.use(window.navigate)


@pytest.fixture(params=["erp", "perspective"])
def view(request, window):
    return getattr(window.stage, request.param)


def port(view):
    return view.viewport() if hasattr(view, "viewport") else view


def view_state(window):
    return window.stage.erp.visible_degrees(), window.viewpoint.camera


def test_a_left_drag_is_the_tools_and_the_picture_stays(window, tool, view):
    before = view_state(window)
    drag(port(view), (100, 80), (130, 90), (160, 120))
    assert tool.names() == ["press", "drag", "drag", "release"]
    assert view_state(window) == before
    first, last = tool.heard[0][1], tool.heard[-1][1]
    assert last.start is first
    np.testing.assert_array_equal(first.direction, view.direction_at(QPointF(100, 80)))
    np.testing.assert_array_equal(last.direction, view.direction_at(QPointF(160, 120)))
    assert last.position.toTuple() == (160, 120)


def test_a_click_may_tremble_and_last(tool, view, qtbot):
    widget = port(view)
    send_mouse(widget, QEvent.Type.MouseButtonPress, 90, 70, button=RIGHT, held=RIGHT)
    send_mouse(widget, QEvent.Type.MouseMove, 90 + CLICK_PX - 1, 70, held=RIGHT)
    qtbot.wait(400)
    send_mouse(widget, QEvent.Type.MouseButtonRelease, 90 + CLICK_PX - 1, 70, button=RIGHT)
    assert tool.names() == ["press", "release", "click"]
    assert tool.heard[-1][1].button == RIGHT
    assert len(tool.moves) == 1


def test_modifiers_are_told(tool, view):
    QTest.mouseClick(port(view), LEFT, SHIFT, port(view).rect().center())
    assert tool.heard[-1][0] == "click"
    assert tool.heard[-1][1].holds(SHIFT)
    assert not tool.heard[-1][1].holds(Qt.KeyboardModifier.ControlModifier)


def test_a_middle_drag_moves_the_picture_under_a_tool(window, tool, view):
    held = view.direction_at(QPointF(100, 80))
    drag(port(view), (100, 80), (150, 90), (220, 100), button=MIDDLE)
    assert tool.names() == []
    np.testing.assert_allclose(
        directions_to_lonlat(view.direction_at(QPointF(220, 100)))[0], directions_to_lonlat(held)[0], atol=1e-6
    )


def test_space_and_a_left_drag_move_the_picture_under_a_tool(window, tool, view):
    view.setFocus()
    before = view_state(window)
    QTest.keyPress(view, Qt.Key.Key_Space)
    drag(port(view), (100, 80), (150, 90), (220, 100))
    QTest.mouseClick(port(view), LEFT, PLAIN, port(view).rect().center())
    QTest.keyRelease(view, Qt.Key.Key_Space)
    assert tool.names() == []
    moved = view_state(window)
    assert moved != before
    drag(port(view), (100, 80), (150, 90), (220, 100))
    assert tool.names() == ["press", "drag", "drag", "release"]
    assert view_state(window) == moved


def test_the_wheel_zooms_and_is_the_tools_with_a_key(window, tool, view):
    before = view_state(window)
    turn_wheel(port(view), 100, 80, 2, SHIFT)
    assert [steps for _, steps in tool.wheels] == [2.0]
    assert view_state(window) == before
    turn_wheel(port(view), 100, 80, 2)
    assert len(tool.wheels) == 1
    assert view_state(window) != before


def test_a_double_click_is_told_beside_its_clicks(tool, view):
    for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
        send_mouse(port(view), kind, 90, 70, button=LEFT, held=LEFT)
        send_mouse(port(view), QEvent.Type.MouseButtonRelease, 90, 70, button=LEFT)
    assert tool.names() == ["press", "release", "click", "press", "double", "release", "click"]


def test_a_drag_that_is_interrupted_is_released(window, tool, view):
    send_mouse(port(view), QEvent.Type.MouseButtonPress, 90, 70, button=LEFT, held=LEFT)
    send_mouse(port(view), QEvent.Type.MouseMove, 120, 70, held=LEFT)
    window.toolbox.let_go()
    send_mouse(port(view), QEvent.Type.MouseMove, 150, 70, held=LEFT)
    send_mouse(port(view), QEvent.Type.MouseButtonRelease, 150, 70, button=LEFT)
    assert tool.names() == ["press", "drag", "release"]


def test_another_tool_ends_the_first(window, tool, qtbot):
    with qtbot.waitSignal(window.toolbox.changed):
        window.toolbox.use(window.navigate)
    assert tool.names() == ["end"]
    assert port(window.stage.erp).cursor().shape() == Qt.CursorShape.OpenHandCursor
    with qtbot.waitSignal(window.toolbox.changed):
        window.toolbox.use(tool)
    assert window.stage.perspective.cursor().shape() == Qt.CursorShape.CrossCursor


def test_keys_that_a_tool_takes_reach_no_shortcut(window, tool, view, fake_model, settle):
    view.setFocus()
    for key in (Qt.Key.Key_1, Qt.Key.Key_Backspace):
        QTest.keyClick(view, key)
    settle(window)
    assert tool.keys == [(kind, key) for key in (Qt.Key.Key_1, Qt.Key.Key_Backspace) for kind in ("press", "release")]
    assert fake_model.runs == 0
    tool.taken.clear()
    QTest.keyClick(view, Qt.Key.Key_1)
    settle(window)
    assert fake_model.runs == 1


def test_a_held_key_is_released_when_the_window_is_left(window, tool, view):
    view.setFocus()
    QTest.keyPress(view, Qt.Key.Key_1)
    window.toolbox.let_go()
    assert tool.keys == [("press", Qt.Key.Key_1), ("release", Qt.Key.Key_1)]


def test_keys_in_a_field_are_the_fields(window, tool):
    field = window.inference._height
    field.setFocus()
    field.selectAll()
    QTest.keyClick(field, Qt.Key.Key_1)
    assert tool.keys == []
    assert field.text().startswith("1")


def test_the_cursor_of_the_other_view_follows_under_a_tool(window, tool):
    hover(window.stage.erp.viewport(), 200, 100)
    np.testing.assert_array_equal(window.viewpoint.cursor, window.stage.erp.direction_at(QPointF(200, 100)))
    assert tool.moves


def test_a_box_is_the_rectangle_of_the_view_it_was_drawn_in(window, tool):
    stage = window.stage
    drag(stage.erp.viewport(), (300, 100), (380, 140), (400, 160))
    last = tool.heard[-1][1]
    lon, lat = directions_to_lonlat(stage.erp.box_between(last.start, last))
    for values, ends in ((lon, (last.start.lonlat[0], last.lonlat[0])), (lat, (last.start.lonlat[1], last.lonlat[1]))):
        assert (values.min(), values.max()) == (pytest.approx(min(ends)), pytest.approx(max(ends)))
    drag(stage.perspective, (30, 40), (80, 90), (120, 100))
    last = tool.heard[-1][1]
    corners = stage.perspective.box_between(last.start, last)
    expected = [stage.perspective.direction_at(QPointF(x, y)) for x, y in ((30, 40), (120, 40), (120, 100), (30, 100))]
    np.testing.assert_array_equal(corners, expected)


def test_the_stage_needs_a_panorama_for_masks(make_main_window):
    window = make_main_window()
    window.stage.set_masks([])
    with pytest.raises(ValueError, match="panorama"):
        window.stage.set_masks([MaskLayer(SphereMask.empty(64, 128))])


def test_a_drag_beyond_the_edge_of_the_panorama_stays_on_the_sphere(tool, window):
    drag(window.stage.erp.viewport(), (100, 80), (100, -300))
    assert tool.heard[-1][1].lonlat[1] == pytest.approx(math.pi / 2)
