"""Clicks in the views become segments: real windows, real events, a network that sees red."""

import math

import pytest
from annotation_samples import (
    DISK,
    HEIGHT,
    LEAK,
    NOTHING,
    POLE,
    SEAM,
    SeesRed,
    a_segment,
    cap,
    click,
    direction,
    disk,
    iou,
    key,
    position,
    position_around,
)
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from window_samples import array_from_qimage, drag

from core.errors import ModelUnavailable
from core.mask import SphereMask
from core.segment.session import SegmentSession
from panoviewer.tools.segment_tool import NOTHING as NOTHING_FOUND
from panoviewer.views.marks import PathMark, PointMark, Sign

RIGHT, SHIFT = Qt.MouseButton.RightButton, Qt.KeyboardModifier.ShiftModifier
CTRL = Qt.KeyboardModifier.ControlModifier
ENTER, ESC = Qt.Key.Key_Return, Qt.Key.Key_Escape


@pytest.fixture
def window(red_window, settle):
    key(red_window, Qt.Key.Key_S)
    settle(red_window)
    return red_window


@pytest.fixture
def tool(window):
    return window.desk.segment_tool


def segments(window):
    return window.session.document.scene.segments


def shown(window):
    """Masks of the preview."""
    return [layer.mask for layer in window.desk.display.preview]


def marks(window):
    return list(window.desk.display._marks)


@pytest.mark.parametrize("place", [DISK, SEAM, POLE])
def test_one_click_and_enter_make_a_segment_wherever_it_lies(window, settle, place):
    click(window, place)
    settle(window)
    assert segments(window) == ()
    assert iou(shown(window)[0], place) > (0.5 if place == DISK else 0.85)
    key(window, ENTER)
    (segment,) = segments(window)
    assert segment.mask is not None
    assert shown(window) == []
    assert marks(window) == []
    assert (segment.model, segment.score) == ("click-s", pytest.approx(0.9))
    assert [c.positive for c in segment.clicks] == [True]
    assert segment.clicks[0].lat == pytest.approx(math.radians(place[1]), abs=0.02)
    assert window.session.document.undo_name == "Add segment"


@pytest.mark.parametrize(
    ("button", "modifiers"), [(RIGHT, Qt.KeyboardModifier.NoModifier), (Qt.MouseButton.LeftButton, SHIFT)]
)
def test_a_negative_click_takes_a_leak_away(window, settle, button, modifiers):
    click(window, DISK)
    settle(window)
    leaked = SphereMask.pack(cap(*LEAK, 4.0))
    assert shown(window)[0].shared_solid_angle(leaked) > 0.9 * leaked.solid_angle()
    click(window, LEAK, button, modifiers)
    settle(window)
    assert [mark.sign for mark in marks(window)] == [Sign.POSITIVE, Sign.NEGATIVE]
    assert iou(shown(window)[0]) > 0.9
    key(window, ENTER)
    assert [c.positive for c in segments(window)[0].clicks] == [True, False]


def test_clicks_in_the_look_around_view_are_the_same(window, settle):
    window.viewpoint.look_at(direction(SEAM))
    settle(window)
    view = window.stage.perspective
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=position_around(window, SEAM))
    settle(window)
    assert iou(shown(window)[0], SEAM) > 0.85
    view.setFocus()
    QTest.keyClick(view, ENTER)
    assert len(segments(window)) == 1


@pytest.mark.parametrize("in_erp", [True, False])
def test_a_dragged_box_finds_what_is_in_it(window, settle, in_erp):
    window.viewpoint.look_at(direction(SEAM))
    settle(window)
    view = window.stage.erp.viewport() if in_erp else window.stage.perspective
    place = position if in_erp else position_around
    middle = place(window, SEAM)
    reach = middle - place(window, (SEAM[0] - 15, SEAM[1] + 14))
    corners = [middle - reach, middle, middle + reach]
    drag(view, *[(point.x(), point.y()) for point in corners])
    settle(window)
    assert iou(shown(window)[0], SEAM) > 0.8
    assert any(isinstance(mark, PathMark) and mark.closed for mark in marks(window))
    key(window, ENTER)
    (segment,) = segments(window)
    assert segment.box is not None
    assert segment.clicks == ()
    assert segment.box.south < math.radians(SEAM[1]) < segment.box.north


def test_the_box_is_drawn_while_it_is_dragged(window):
    view = window.stage.erp.viewport()
    seen = []
    window.desk.display.set_marks, real = (
        lambda given=(): (seen.append(list(given)), real(given)),
        window.desk.display.set_marks,
    )
    drag(view, (200, 100), (260, 150), (300, 170))
    assert any(isinstance(mark, PathMark) and mark.dashed for mark in seen[0])


def test_backspace_takes_back_click_after_click_and_then_the_object(window, settle, tool):
    click(window, DISK)
    click(window, LEAK, RIGHT)
    settle(window)
    key(window, Qt.Key.Key_Backspace)
    settle(window)
    assert [mark.sign for mark in marks(window)] == [Sign.POSITIVE]
    assert shown(window)[0].contains(*[math.radians(angle) for angle in LEAK])
    key(window, Qt.Key.Key_Backspace)
    assert tool.making is None
    assert shown(window) == []


def test_shift_and_backspace_take_all_clicks_back(window, settle, tool):
    click(window, DISK)
    click(window, LEAK, RIGHT)
    settle(window)
    key(window, Qt.Key.Key_Backspace, SHIFT)
    assert tool.making is None
    assert marks(window) == []


def test_escape_gives_the_object_up(window, settle, tool):
    click(window, DISK)
    settle(window)
    key(window, ESC)
    assert tool.making is None
    assert shown(window) == marks(window) == []
    key(window, ENTER)
    assert segments(window) == ()
    assert window.session.document.undo_name is None


def test_escape_without_an_object_ends_the_selection(window, settle):
    click(window, DISK)
    settle(window)
    key(window, ENTER)
    assert window.desk.annotating.selected == (1,)
    key(window, ESC)
    assert window.desk.annotating.selected == ()


def test_t_turns_the_last_click_into_its_opposite(window, settle):
    click(window, DISK)
    click(window, LEAK)
    settle(window)
    key(window, Qt.Key.Key_T)
    settle(window)
    assert [mark.sign for mark in marks(window)] == [Sign.POSITIVE, Sign.NEGATIVE]
    assert iou(shown(window)[0]) > 0.9


def test_p_changes_what_clicks_mean(window, settle, tool):
    click(window, DISK)
    settle(window)
    readings = []
    for _ in range(3):
        key(window, Qt.Key.Key_P)
        readings.append((tool.making.prompts.reading, window.desk.strip._readings.currentText()))
    assert readings == [(2, "Group"), (0, "Part"), (None, "Object")]
    settle(window)


def test_digits_label_what_is_selected_and_those_to_come(window, settle):
    annotating = window.desk.annotating
    for name in ("door", "lamp"):
        annotating.set_label(name)
    annotating.set_label("")
    click(window, DISK)
    settle(window)
    key(window, ENTER)
    key(window, Qt.Key.Key_Tab)
    key(window, Qt.Key.Key_2)
    assert segments(window)[0].label == "lamp"
    assert window.session.document.undo_name == "Label as lamp"
    click(window, SEAM)
    settle(window)
    key(window, Qt.Key.Key_1)
    assert [s.label for s in segments(window)] == ["lamp"]
    key(window, ENTER)
    assert [s.label for s in segments(window)] == ["lamp", "door"]
    key(window, Qt.Key.Key_9)
    assert "no label 9" in window.desk.strip.text


def test_enter_before_the_end_lets_the_next_object_begin(window, qtbot, settle, fake_segmenter):
    window.desk.annotating.set_label("ball")
    fake_segmenter.free.clear()
    click(window, DISK)
    key(window, ENTER)
    assert window.desk.segment_tool.making is None
    click(window, SEAM)
    assert segments(window) == ()
    fake_segmenter.free.set()
    qtbot.waitUntil(lambda: len(segments(window)) == 1)
    settle(window)
    assert segments(window)[0].label == "ball"
    assert window.desk.annotating.selected == ()
    key(window, ENTER)
    assert [iou(s.mask, p) > 0.5 for s, p in zip(segments(window), (DISK, SEAM), strict=True)] == [True, True]


def test_the_label_of_an_object_is_that_at_its_enter_however_early(window, qtbot, settle, fake_segmenter):
    for name in ("lamp", "ball"):
        window.desk.annotating.set_label(name)
    fake_segmenter.free.clear()
    click(window, DISK)
    key(window, ENTER)
    key(window, Qt.Key.Key_1)
    fake_segmenter.free.set()
    qtbot.waitUntil(lambda: len(segments(window)) == 1)
    assert segments(window)[0].label == "ball"
    assert window.desk.annotating.label == "lamp"


def test_what_was_cancelled_is_finished_by_enter(window, qtbot, settle, fake_segmenter):
    fake_segmenter.free.clear()
    click(window, DISK)
    window.session.jobs.cancel()
    fake_segmenter.free.set()
    settle(window)
    assert segments(window) == ()
    key(window, ENTER)
    qtbot.waitUntil(lambda: len(segments(window)) == 1)
    assert iou(segments(window)[0].mask) > 0.5
    assert shown(window) == []


def test_a_newer_click_drops_the_answer_to_the_older(window, settle, fake_segmenter):
    heard = []
    window.desk.clicking.found.connect(lambda number, found: heard.append(len(found.prompts.clicks)))
    fake_segmenter.free.clear()
    click(window, DISK)
    click(window, LEAK, RIGHT)
    fake_segmenter.free.set()
    settle(window)
    assert set(heard) == {2}


def test_where_nothing_is_found_nothing_is_added(window, settle):
    click(window, NOTHING)
    settle(window)
    assert window.desk.strip.text == NOTHING_FOUND
    key(window, ENTER)
    assert segments(window) == ()
    assert window.desk.strip.text == NOTHING_FOUND


def test_a_negative_click_alone_waits_for_a_positive_one(window, settle):
    click(window, LEAK, RIGHT)
    settle(window)
    assert shown(window) == []
    assert [mark.sign for mark in marks(window)] == [Sign.NEGATIVE]
    click(window, DISK)
    settle(window)
    assert iou(shown(window)[0]) > 0.9


def test_views_are_prepared_before_the_first_click_and_not_again(window, settle, fake_segmenter):
    assert fake_segmenter.encoded == 24
    click(window, DISK)
    settle(window)
    assert fake_segmenter.encoded == 24


def test_the_preview_and_the_clicks_are_seen_in_both_views(window, settle, needs_opengl):
    window.viewpoint.look_at(direction(DISK))
    settle(window)
    erp, around = window.stage.erp, window.stage.perspective
    beside = (DISK[0] + 6, DISK[1] - 5)
    places = [position(window, beside), position_around(window, beside)]
    before = [color(view, place) for view, place in zip((erp, around), places, strict=True)]
    click(window, DISK)
    settle(window)
    after = [color(view, place) for view, place in zip((erp, around), places, strict=True)]
    for old, new in zip(before, after, strict=True):
        assert new[2] > old[2] + 60
    assert color(erp, position(window, DISK) + QPoint(0, 6))[1] > 120


def color(widget, place):
    ratio = widget.devicePixelRatioF()
    picture = array_from_qimage(widget.grab().toImage())
    return picture[int(place.y() * ratio), int(place.x() * ratio)].astype(int)


def test_a_segment_is_corrected_by_going_on_with_its_clicks(window, settle):
    click(window, DISK)
    settle(window)
    key(window, ENTER)
    before = segments(window)[0]
    key(window, Qt.Key.Key_C)
    settle(window)
    assert [mark.sign for mark in marks(window) if isinstance(mark, PointMark)] == [Sign.POSITIVE]
    click(window, LEAK, RIGHT)
    settle(window)
    assert len(window.desk.display._stage._masks._layers) == 1
    key(window, ENTER)
    (after,) = segments(window)
    assert (after.number, len(after.clicks)) == (before.number, 2)
    assert iou(after.mask) > 0.9 > iou(before.mask)
    assert window.session.document.undo_name == "Correct segment"
    key(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert segments(window)[0].mask is before.mask


def test_what_was_not_made_by_clicks_is_mended_by_them(window, settle):
    window.desk.annotating.add([a_segment("door")])
    key(window, Qt.Key.Key_C)
    assert shown(window)[0].same_as(disk())
    click(window, SEAM)
    settle(window)
    assert "score" not in window.desk.strip.text
    key(window, ENTER)
    (segment,) = segments(window)
    assert segment.mask.iou(disk() | disk(SEAM)) > 0.9
    assert (segment.label, len(segment.clicks)) == ("door", 1)
    assert math.isnan(segment.score)
    key(window, Qt.Key.Key_C)
    settle(window)
    click(window, DISK, RIGHT)
    settle(window)
    key(window, ENTER)
    assert iou(segments(window)[0].mask, SEAM) > 0.85


def test_what_a_hand_has_added_survives_a_correction(window, settle):
    click(window, DISK)
    settle(window)
    key(window, ENTER)
    drawn = segments(window)[0].mask | disk(NOTHING, 8)
    window.desk.annotating.change(1, "Brush", mask=drawn, score=math.nan)
    key(window, Qt.Key.Key_C)
    settle(window)
    assert shown(window)[0].same_as(drawn)
    click(window, LEAK, RIGHT)
    settle(window)
    key(window, ENTER)
    assert segments(window)[0].mask.iou(disk() | disk(NOTHING, 8)) > 0.9


def test_a_correction_without_a_click_is_no_edit(window, settle):
    window.desk.annotating.add([a_segment("door")])
    for how in (ENTER, Qt.Key.Key_Backspace, ESC):
        key(window, Qt.Key.Key_C)
        settle(window)
        key(window, how)
        assert window.desk.segment_tool.making is None
    assert window.session.document.undo_name == "Add door"
    assert segments(window)[0].mask.same_as(disk())


def test_a_locked_segment_is_not_corrected(window):
    window.desk.annotating.add([a_segment("door", locked=True)])
    key(window, Qt.Key.Key_C)
    assert "unlock first" in window.desk.strip.text
    assert window.desk.segment_tool.making is None


def test_undo_takes_back_click_after_click_and_only_then_a_segment(window, settle, tool):
    click(window, SEAM)
    settle(window)
    key(window, ENTER)
    click(window, DISK)
    click(window, LEAK, RIGHT)
    settle(window)
    undo = window.actions_by_name["undo"]
    assert (undo.text(), undo.isEnabled()) == ("&Undo click", True)
    key(window, Qt.Key.Key_Z, CTRL)
    assert [mark.sign for mark in marks(window)] == [Sign.POSITIVE]
    key(window, Qt.Key.Key_Z, CTRL)
    assert tool.making is None
    assert len(segments(window)) == 1
    assert undo.text() == "&Undo Add segment"
    key(window, Qt.Key.Key_Z, CTRL)
    assert segments(window) == ()
    settle(window)


def test_undo_ends_a_correction_before_it_takes_the_segment_back(window, settle, tool):
    click(window, DISK)
    settle(window)
    key(window, ENTER)
    key(window, Qt.Key.Key_C)
    settle(window)
    assert window.actions_by_name["undo"].text() == "&Undo correction"
    key(window, Qt.Key.Key_Z, CTRL)
    assert tool.making is None
    assert len(segments(window)) == 1


def test_clicks_one_after_another_are_the_same_as_all_at_once_without_a_window(window, settle):
    click(window, DISK)
    settle(window)
    click(window, LEAK, RIGHT)
    settle(window)
    key(window, ENTER)
    (segment,) = segments(window)
    alone = SegmentSession(SeesRed(), window.session.document.panorama).segment(segment.clicks)
    assert segment.mask.same_as(alone.mask)
    assert segment.score == alone.score


def test_without_a_network_one_sentence_says_so(red_window, settle):
    def refuse(_name, _device):
        raise ModelUnavailable("Weights for 'click-s' are missing. Install PanoViewer again.")

    red_window.desk.clicking._loader = refuse
    key(red_window, Qt.Key.Key_S)
    settle(red_window)
    assert red_window.desk.strip.text.startswith("Weights for 'click-s' are missing")
    click(red_window, DISK)
    settle(red_window)
    assert red_window.desk.segment_tool.making is None
    assert red_window.desk.strip.text.startswith("Weights for 'click-s' are missing")


def test_the_key_a_second_time_looks_around_again(window, settle):
    click(window, DISK)
    settle(window)
    assert window.actions_by_name["segment"].isChecked()
    assert window.desk.strip.isVisible()
    key(window, Qt.Key.Key_S)
    assert window.toolbox.tool is window.navigate
    assert not window.actions_by_name["segment"].isChecked()
    assert not window.desk.strip.isVisible()
    assert shown(window) == marks(window) == []


def test_what_is_found_when_the_panorama_is_left_becomes_a_segment(window, settle):
    from core.panorama import Panorama
    from core.pyramid import Pyramid

    document = window.session.document
    edits = []
    document.edited.connect(edits.append)
    click(window, DISK)
    settle(window)
    panorama = Panorama(document.panorama.rgb[::-1].copy())
    window.session.show(panorama, Pyramid.of(panorama.rgb))
    assert edits == ["Add segment"]
    assert document.scene.segments == ()
    settle(window)
    click(window, (SEAM[0], -SEAM[1]))
    settle(window)
    assert iou(shown(window)[0], (SEAM[0], -SEAM[1])) > 0.85


def test_a_mask_is_as_large_as_the_photograph(window, settle):
    click(window, SEAM)
    settle(window)
    assert shown(window)[0].size == (HEIGHT, 2 * HEIGHT)
    assert disk(SEAM).cols < HEIGHT
    assert shown(window)[0].cols < HEIGHT / 2
