"""Two predictions compared in the window: divider, difference, numbers, files."""

from dataclasses import replace

import numpy as np
import pytest
from fake_model import room
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QFileDialog
from window_samples import hover, painted, press, send_mouse, shot, write_panorama

from core.colors import depth_colors
from core.export.results import ResultOptions, write_results
from core.mask import SphereMask
from core.panorama import Panorama
from core.prediction import Prediction
from core.pyramid import Pyramid
from core.scene import Segment
from panoviewer.probe import Probe, compared
from panoviewer.views.overlay import Layer

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def twice(window, settle, fake_model):
    """A window in which the model has run twice; the second time everything is a quarter farther."""
    press(window, Qt.Key.Key_1)
    settle(window)
    first = fake_model.predict

    def farther(rgb, *, progress):
        prediction = first(rgb, progress=progress)
        return replace(prediction, depth=prediction.depth * np.float32(1.25), model="dap")

    fake_model.predict = farther
    press(window, Qt.Key.Key_R, CTRL)
    settle(window)
    return window


def other_room(model="other"):
    """The box room of other classes, and half of it far."""
    depth, normals, classes = room(32, 64)
    far = np.zeros((32, 64), bool)
    far[:, :32] = True
    return Prediction(
        np.where(far, np.float32(np.nan), depth), normals, classes, ("tree", "car", "sea"), far, 1.6, True, model, "cpu"
    )


def columns(widget, place, width=0.1):
    """What a widget shows around a share of its width, in the upper part, where neither outline nor handle is."""
    picture = shot(widget)
    _, wide = picture.shape[:2]
    return picture[20:60, int((place - width / 2) * wide) : int((place + width / 2) * wide)]


def test_there_is_nothing_to_compare_before_the_second_run(window, settle):
    press(window, Qt.Key.Key_1)
    settle(window)
    assert not window.actions_by_name["compare_previous"].isEnabled()
    window.comparison.predictions.start_previous()
    assert "run it" in window.messages.text
    assert not window.comparison.predictions.active


def test_the_prediction_before_is_compared_in_numbers(twice, settle):
    press(twice, Qt.Key.Key_K, CTRL)
    settle(twice)
    assert twice.comparison.bar.isVisible()
    assert "AbsRel 0.2500" in twice.comparison.bar.text
    assert "0.00° apart" in twice.comparison.bar.text
    assert "100.0 % agree" in twice.comparison.bar.text
    assert "A: dap" in twice.comparison.bar._names.text()
    twice.comparison.bar.matching.click()
    settle(twice)
    assert "AbsRel 0.0000 after B × 1.25" in twice.comparison.bar.text


@pytest.mark.parametrize("use_opengl", [True, False])
def test_each_side_of_the_divider_shows_its_prediction(make_main_window, settle, opengl, use_opengl):
    if use_opengl and opengl.reason is not None:
        pytest.skip(f"no OpenGL: {opengl.reason}")
    window = make_main_window(use_opengl=use_opengl)
    panorama = Panorama(painted(256))
    window.session.show(panorama, Pyramid.of(panorama.rgb))
    settle(window)
    press(window, Qt.Key.Key_3)
    settle(window)
    views = window.stage.erp, window.stage.perspective
    alone = [columns(view, 0.75) for view in views]
    window.comparison.predictions.start(other_room(), "other")
    settle(window)
    window.comparison.predictions.divide(1.0)
    settle(window)
    only_a = [[columns(view, place) for place in (0.25, 0.75)] for view in views]
    window.comparison.predictions.divide(0.0)
    settle(window)
    only_b = [[columns(view, place) for place in (0.25, 0.75)] for view in views]
    window.comparison.predictions.divide(0.5)
    settle(window)
    for view, a, b in zip(views, only_a, only_b, strict=True):
        assert np.abs(a[0] - b[0]).mean() > 10
        np.testing.assert_allclose(columns(view, 0.25), a[0], atol=3)
        np.testing.assert_allclose(columns(view, 0.75), b[1], atol=3)
    window.comparison.predictions.stop()
    settle(window)
    for view, before in zip(views, alone, strict=True):
        np.testing.assert_allclose(columns(view, 0.75), before, atol=3)


def drag_handle(handle, view, place):
    """Drag the handle to a share of the view's width."""
    left = Qt.MouseButton.LeftButton
    send_mouse(handle, QEvent.Type.MouseButtonPress, handle.width() / 2, 40, button=left, held=left)
    where = QPointF(handle.mapFromGlobal(view.mapToGlobal(QPointF(place * view.width(), 40))))
    for _ in range(2):  # it has moved under the mouse meanwhile
        target = view.mapToGlobal(QPointF(place * view.width(), 40))
        QApplication.sendEvent(
            handle, QMouseEvent(QEvent.Type.MouseMove, where, target, Qt.MouseButton.NoButton, left, Qt.NoModifier)
        )
    send_mouse(handle, QEvent.Type.MouseButtonRelease, handle.width() / 2, 40, button=left)


def test_the_divider_is_dragged_and_follows_the_keys(twice, settle):
    press(twice, Qt.Key.Key_K, CTRL)
    settle(twice)
    for handle, view in zip(twice.stage._handles, twice.stage.sphere_views, strict=True):
        assert handle.isVisible()
        drag_handle(handle, view, 0.3)
        assert twice.comparison.predictions._divider == pytest.approx(0.3, abs=0.01)
        for one, of in zip(twice.stage._handles, twice.stage.sphere_views, strict=True):
            assert one.x() + one.width() / 2 == pytest.approx(0.3 * of.width(), abs=3)
        drag_handle(handle, view, 1.4)
        assert twice.comparison.predictions._divider == 1.0
    twice.comparison.predictions.divide(0.5)
    for _ in range(3):
        press(twice, Qt.Key.Key_Left, CTRL)
    assert twice.comparison.predictions._divider == pytest.approx(0.44)
    press(twice, Qt.Key.Key_Right, CTRL)
    assert twice.comparison.predictions._divider == pytest.approx(0.46)


def test_the_difference_has_the_colours_of_its_legend(twice, settle):
    press(twice, Qt.Key.Key_K, CTRL)
    settle(twice)
    assert twice.comparison.bar.legend_text == ""
    press(twice, Qt.Key.Key_Q)
    settle(twice)
    assert twice.actions_by_name["difference"].isChecked()
    assert not any(handle.isVisible() for handle in twice.stage._handles)
    # A is farther by a quarter everywhere: between half and all the way to red.
    assert twice.comparison.bar.legend_text == "A nearer by 50 % A farther by 50 %"
    view = columns(twice.stage.erp, 0.5, 0.2)
    assert (view[..., 0] > view[..., 2] + 30).all()
    press(twice, Qt.Key.Key_2)
    settle(twice)
    assert twice.comparison.bar.legend_text == "0° 5°"
    press(twice, Qt.Key.Key_3)
    settle(twice)
    assert twice.comparison.bar.legend_text == "another class"


def test_masks_are_only_in_one_or_in_both(window, settle):
    press(window, Qt.Key.Key_1)
    settle(window)
    window.comparison.predictions.start(other_room(), "other")
    window.comparison.predictions.show_difference()
    window.layering.set_style(window.layering.style.only(Layer.FAR))
    settle(window)
    assert window.comparison.bar.legend_text == "only in A only in B in both"
    assert "far: IoU 0.0000" in window.comparison.bar.text
    assert "of the sphere" in window.comparison.bar.text
    bare, orange = columns(window.stage.erp, 0.7), columns(window.stage.erp, 0.35)
    assert (orange[..., 0] > orange[..., 2] + 50).all()
    window.comparison.predictions.stop()
    window.layering.show(None)
    settle(window)
    assert np.abs(columns(window.stage.erp, 0.7) - bare).mean() < 12, "nothing is far there: the bare photo"


def test_the_status_line_tells_both(twice, settle):
    press(twice, Qt.Key.Key_K, CTRL)
    settle(twice)
    hover(twice.stage.erp.viewport(), 300, 100)
    text = twice.status.text()
    assert "A:  depth" in text
    assert "B:  depth" in text
    assert "(A +25.0 %)" in text
    assert "(0.0°)" in text
    twice.comparison.predictions.stop()
    assert "B:" not in twice.status.text()


def test_what_one_does_not_know_is_said():
    known = Probe(0, 0, 0, 0, (1, 2, 3), depth=2.0, normal=(0.0, 0.0, -1.0), class_name="wall")
    unknown = Probe(0, 0, 0, 0, (1, 2, 3))
    assert compared(known, unknown).endswith("B:  nothing")
    far = Probe(0, 0, 0, 0, (1, 2, 3), is_far=True)
    assert compared(known, far).endswith("B:  far")
    assert compared(far, known).endswith("A:  far      B:  depth 2.00 m   ·   normal +0.00 +0.00 -1.00   ·   wall")


def test_another_run_or_scale_is_compared_with_the_same_one(twice, settle):
    press(twice, Qt.Key.Key_K, CTRL)
    settle(twice)
    before = twice.comparison.predictions.comparison
    twice.inference._height.setValue(3.2)
    settle(twice)
    after = twice.comparison.predictions.comparison
    assert after is not before
    np.testing.assert_array_equal(after.b.depth, before.b.depth)
    assert "AbsRel 1.5000" in twice.comparison.bar.text


def test_another_panorama_ends_the_comparison(twice, settle, tmp_path):
    press(twice, Qt.Key.Key_K, CTRL)
    settle(twice)
    twice.open(write_panorama(tmp_path / "other.png"))
    settle(twice)
    assert not twice.comparison.predictions.active
    assert not twice.comparison.bar.isVisible()
    assert twice.session.previous is None
    assert not twice.actions_by_name["swipe"].isEnabled()


def compare_with(window, report, settle):
    window.actions_by_name["compare_files"].trigger()
    window.findChild(QFileDialog, "compare_files").fileSelected.emit(str(report))
    settle(window)


def test_the_files_of_predict_are_compared(make_main_window, settle, tmp_path):
    window = make_main_window()
    photo = write_panorama(tmp_path / "room.png")
    window.open(photo)
    settle(window)
    press(window, Qt.Key.Key_1)
    settle(window)
    document = window.session.document
    depth = document.prediction.depth * np.float32(0.8)
    depth[:, : depth.shape[1] // 2] = np.nan
    write_results(
        document.panorama, replace(document.prediction, depth=depth), tmp_path / "room", ResultOptions("pano-s")
    )
    compare_with(window, tmp_path / "room.json", settle)
    assert "B: pano-s, room.json" in window.comparison.bar._names.text()
    assert "AbsRel 0.2500 on 50.0 % of the sphere" in window.comparison.bar.text
    assert window.messages.text == ""

    write_panorama(photo, 64)
    compare_with(window, tmp_path / "room.json", settle)
    assert "was made from another file" in window.messages.text

    (tmp_path / "room.depth.npy").unlink()
    compare_with(window, tmp_path / "room.json", settle)
    assert "run 'panoviewer predict' again" in window.messages.text
    assert window.comparison.predictions.active, "what was compared still is"


def test_the_colours_of_both_sides_mean_the_same(twice, settle):
    """The farther prediction is drawn with the limits of the one that is looked at."""
    press(twice, Qt.Key.Key_K, CTRL)
    settle(twice)
    comparison, _figures, composer = twice.comparison.predictions._compared
    style = twice.layering.style
    depth = comparison.b.depth
    expected = depth_colors(depth, limits=twice.session.summary.limits, name=style.color_map)
    alpha = style.layers[Layer.DEPTH].opacity
    np.testing.assert_allclose(composer.compose(style)[..., :3], expected * alpha, atol=1.5)


def test_the_masks_of_two_selected_segments_are_compared(red_window, settle):
    annotating = red_window.desk.annotating
    for column in (40, 60):
        bits = np.zeros(red_window.session.document.panorama.rgb.shape[:2], bool)
        bits[20:60, column : column + 40] = True
        annotating.add([Segment(1, SphereMask.pack(bits), "ball")])
    a, b = annotating.segments
    compare = red_window.actions_by_name["compare_segments"].trigger
    annotating.select([a.number])
    compare()
    assert "Select two segments" in red_window.messages.text
    annotating.select([a.number, b.number])
    compare()
    settle(red_window)
    assert f"IoU {a.mask.iou(b.mask):.4f}" in red_window.comparison.bar.text
    assert f"only in A {(a.mask - b.mask).solid_angle():.4f} sr" in red_window.comparison.bar.text
    assert red_window.comparison.bar.legend_text == "only in A only in B in both"
    assert red_window.actions_by_name["difference"].isChecked()
    assert red_window.desk.display._bare
    red_window.actions_by_name["compare_end"].trigger()
    assert not red_window.comparison.bar.isVisible()
    assert not red_window.desk.display._bare
    compare()
    settle(red_window)
    smaller = replace(b, mask=b.mask.eroded(0.05))
    red_window.session.document.apply("Edit", lambda scene: replace(scene, segments=(a, smaller)))
    settle(red_window)
    assert f"IoU {a.mask.iou(smaller.mask):.4f}" in red_window.comparison.bar.text
    annotating.select([a.number])
    assert not red_window.comparison.bar.isVisible(), "other segments are selected"


def test_a_divider_lies_between_the_masks_of_two_selected_segments(red_window, settle):
    window, annotating = red_window, red_window.desk.annotating
    views = window.stage.sphere_views
    before = [columns(view, 0.5, 1.0) for view in views]
    bits = np.zeros(window.session.document.panorama.rgb.shape[:2], bool)
    for rows in (np.s_[:], np.s_[: len(bits) // 2]):
        held = np.zeros_like(bits)
        held[rows] = True
        annotating.add([Segment(1, SphereMask.pack(held), "ball")])
    a, b = annotating.segments
    annotating.select([a.number, b.number])
    window.actions_by_name["compare_segments"].trigger()
    settle(window)
    press(window, Qt.Key.Key_W)
    settle(window)
    assert window.actions_by_name["swipe"].isChecked()
    assert f"IoU {a.mask.iou(b.mask):.4f}" in window.comparison.bar.text
    assert window.comparison.bar.legend_text == ""
    for handle, view in zip(window.stage._handles, views, strict=True):
        assert handle.isVisible()
        left, right = columns(view, 0.25), columns(view, 0.75)
        assert (left[..., 2] > left[..., 0] + 60).all(), "A is blue"
        assert (right[..., 0] > right[..., 2] + 60).all(), "B is orange"
    drag_handle(window.stage._handles[0], window.stage.erp, 0.9)
    settle(window)
    for view in views:
        moved = columns(view, 0.75)
        assert (moved[..., 2] > moved[..., 0] + 60).all()
    press(window, Qt.Key.Key_Left, CTRL)
    assert window.comparison.segments.divider == pytest.approx(0.88, abs=0.01)
    empty = replace(b, mask=SphereMask.pack(np.zeros_like(bits)))
    window.session.document.apply("Edit", lambda scene: replace(scene, segments=(a, empty)))
    settle(window)
    assert window.actions_by_name["swipe"].isChecked(), "an edit keeps the divider"
    press(window, Qt.Key.Key_Q)
    settle(window)
    assert not any(handle.isVisible() for handle in window.stage._handles)
    assert window.comparison.bar.legend_text == "only in A only in B in both"
    window.actions_by_name["compare_end"].trigger()
    assert not window.actions_by_name["swipe"].isEnabled()
    window.session.document.apply("Remove", lambda scene: replace(scene, segments=()))
    settle(window)
    for view, picture in zip(views, before, strict=True):
        np.testing.assert_allclose(columns(view, 0.5, 1.0), picture, atol=3)
