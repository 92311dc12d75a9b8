"""Lengths by clicks on the panorama, in the look-around view and in 3D; a true length that sets the scale."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fake_model import HALF_SIZE
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from window_samples import drag, press, shot, write_panorama

from core.errors import ProjectError
from core.geometry.sphere import lonlat_to_directions
from core.io.kept_scale import read_scale
from core.io.project_file import NAME
from panoviewer.scene_keeper import SceneKeeper

LEFT = Qt.MouseButton.LeftButton
X, FLOOR, Z = HALF_SIZE
AMBER = (255, 180, 84)


def toward(point):
    return np.asarray(point, np.float64) / np.linalg.norm(point)


def click_panorama(window, point):
    """A real click on the pixel of the panorama where a point is seen."""
    erp = window.stage.erp
    place = erp.position_of(toward(point))
    QTest.mouseClick(erp.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, place.toPoint())
    return erp.direction_at(QPointF(place.toPoint()))


def click_around(window, direction):
    """The same in the look-around view, turned there."""
    window.viewpoint.look_at(direction)
    view = window.stage.perspective
    u, v = window.viewpoint.photo.project(direction)
    place = QPoint(round(float(u)), round(float(v)))
    QTest.mouseClick(view, LEFT, Qt.KeyboardModifier.NoModifier, place)
    return view.direction_at(QPointF(place))


def wall_point(direction):
    """What of the fake model's room lies in a direction, exactly."""
    return direction * (np.array(HALF_SIZE) / np.maximum(np.abs(direction), 1e-12)).min()


def length_of(text):
    """Metres in a readout."""
    return float(text.removeprefix("length ").split(" m")[0])


@pytest.fixture
def measuring(window, settle):
    """A window that measures in the room of the fake model."""
    press(window, Qt.Key.Key_M)
    settle(window)
    return window.measuring


def test_two_clicks_on_the_panorama_give_the_distance(window, measuring):
    clicked = [click_panorama(window, point) for point in ((-1, 0.5, Z), (1.2, 0.5, Z))]
    true = math.dist(*map(wall_point, clicked))
    assert length_of(measuring.strip.text) == pytest.approx(true, rel=0.03)
    assert "m  ·  estimate" in measuring.strip.text
    assert true == pytest.approx(2.2, abs=0.05)


def test_the_look_around_view_measures_across_the_seam(window, measuring):
    clicked = [click_around(window, toward(point)) for point in ((0.8, 0.3, -Z), (-0.7, 0.3, -Z))]
    true = math.dist(*map(wall_point, clicked))
    assert length_of(measuring.strip.text) == pytest.approx(true, rel=0.03)
    assert true == pytest.approx(1.5, abs=0.05)


def test_clicks_in_both_views_make_one_line_and_it_is_seen_in_both(window, measuring, settle):
    click_panorama(window, (-1, 0.5, Z))
    click_around(window, toward((1, 0.5, Z)))
    settle(window)
    window.viewpoint.look_at(toward((0, 0.5, Z)))
    settle(window)
    assert len(measuring.tool.corners) == 2
    for view in (window.stage.perspective, window.stage.erp):
        picture = shot(view)
        middle = (
            view.position_of(toward((0.4, 0.5, Z)))
            if view is window.stage.erp
            else QPointF(*map(float, window.viewpoint.photo.project(toward((0.4, 0.5, Z)))))
        )
        x, y = round(middle.x()), round(middle.y())
        near = picture[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3)
        assert np.abs(near - AMBER).max(axis=1).min() < 40


def test_clicks_in_3d_measure_what_they_hit(window, measuring, settle, needs_opengl):
    press(window, Qt.Key.Key_4)
    settle(window)
    canvas = window.stage.cloud._canvas
    width, height = canvas._canvas.size
    hits = []
    window.stage.cloud.clicked.connect(hits.append)
    for x, y in ((0.45, 0.6), (0.6, 0.7)):
        place = QPoint(round(x * width), round(y * height))
        QTest.mouseClick(canvas.widget, LEFT, Qt.KeyboardModifier.NoModifier, place)
    assert len(measuring.tool.corners) == 2
    assert length_of(measuring.strip.text) == pytest.approx(math.dist(*hits), abs=0.006)
    settle(window)
    first, second = (canvas._clip_from_point() @ np.append(hit, 1) for hit in hits)
    middle = sum(clip[:2] / clip[3] for clip in (first, second)) / 2
    x, y = (middle[0] + 1) / 2 * width, (1 - middle[1]) / 2 * height
    near = shot(canvas.widget)[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5].reshape(-1, 3)
    assert np.abs(near - AMBER).max(axis=1).min() < 40
    canvas.widget.setFocus()
    QTest.keyClick(canvas.widget, Qt.Key.Key_Backspace)
    assert len(measuring.tool.corners) == 1


def test_a_drag_in_3d_turns_and_measures_nothing(window, measuring, settle, needs_opengl):
    press(window, Qt.Key.Key_4)
    settle(window)
    before = window.stage.cloud.orbit
    drag(window.stage.cloud._canvas.widget, (100, 100), (130, 110), (160, 120))
    assert measuring.tool.corners == ()
    assert window.stage.cloud.orbit != before


def test_three_clicks_say_angle_area_and_heights(window, measuring):
    for point in ((-1, FLOOR, 2), (1, FLOOR, 2), (1, FLOOR, 1)):
        click_around(window, toward(point))
    text = measuring.strip.text
    assert 87 < float(text.split("angle ")[1].split("°")[0]) < 93
    assert 0.9 < float(text.split("area ")[1].split(" m²")[0]) < 1.1
    heights = text.split("height over ground ")[1].split(" m")[0].split(", ")
    np.testing.assert_allclose([float(height) for height in heights], 0, atol=0.02)


def test_backspace_enter_and_escape(window, measuring, settle, fake_model):
    for point in ((-1, 0.5, Z), (1, 0.5, Z), (1, -0.5, Z)):
        click_panorama(window, point)
    press(window, Qt.Key.Key_Backspace)
    assert len(measuring.tool.corners) == 2
    kept = measuring.strip.text
    press(window, Qt.Key.Key_Return)
    assert measuring.strip.text == kept
    click_panorama(window, (-1, 0.2, Z))
    assert len(measuring.tool.corners) == 1
    assert "from the camera" in measuring.strip.text
    press(window, Qt.Key.Key_Escape)
    assert measuring.tool.corners == ()
    assert measuring.strip.text.startswith("Click two points")
    press(window, Qt.Key.Key_M)
    assert measuring.strip.isHidden()
    assert not window.actions_by_name["measure"].isChecked()


def test_the_readout_is_copied(window, measuring):
    for point in ((-1, 0.5, Z), (1, 0.5, Z)):
        click_panorama(window, point)
    press(window, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == measuring.strip.text
    QGuiApplication.clipboard().clear()
    QTest.mouseClick(measuring.strip._copy, LEFT)
    assert "estimate" in QGuiApplication.clipboard().text()


def test_the_sky_cannot_be_measured(window, settle, fake_model):
    run = fake_model.predict

    def with_sky(rgb, **options):
        prediction = run(rgb, **options)
        far = np.zeros(prediction.size, np.bool_)
        far[:10] = True
        return replace(prediction, far=far, depth=np.where(far, np.float32(np.nan), prediction.depth))

    fake_model.predict = with_sky
    press(window, Qt.Key.Key_M)
    settle(window)
    for _ in range(2):
        click_around(window, lonlat_to_directions(0.3, 1.2))
        assert "too far away" in window.measuring.strip.text
        assert len(window.measuring.tool.corners) < 2
        click_panorama(window, (1, 0.5, Z))
    assert "too far away" not in window.measuring.strip.text
    assert len(window.measuring.tool.corners) == 2
    click_around(window, lonlat_to_directions(0.3, 1.2))
    assert "too far away" in window.measuring.strip.text
    assert "length" in window.measuring.strip.text


def test_clicks_before_there_is_a_depth_are_measured_when_it_is_there(window, settle, fake_model):
    fake_model.seconds = 2.0
    press(window, Qt.Key.Key_M)
    for point in ((-1, 0.5, Z), (1, 0.5, Z)):
        click_panorama(window, point)
    assert "being estimated" in window.measuring.strip.text
    settle(window)
    assert length_of(window.measuring.strip.text) == pytest.approx(2.0, rel=0.05)


def open_photo(window, settle, path):
    window.open(path)
    settle(window)


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png"):
        write_panorama(tmp_path / name, 128)
    return tmp_path


def type_length(window, text):
    field = window.measuring.strip._length
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def test_a_true_length_scales_depth_and_cloud_and_is_kept_for_the_folder(make_main_window, settle, folder, qtbot):
    window = make_main_window()
    open_photo(window, settle, folder / "a.png")
    press(window, Qt.Key.Key_4)
    settle(window)
    press(window, Qt.Key.Key_M)
    before, cloud = window.session.document.prediction, window.session.document.cloud
    for point in ((-1, 0.5, Z), (1, 0.5, Z)):
        click_panorama(window, point)
    measured = window.measuring._measured.length
    type_length(window, f"{3 * measured:.3f}")
    settle(window)
    after = window.session.document.prediction
    np.testing.assert_allclose(after.depth, 3 * before.depth, rtol=1e-3)
    np.testing.assert_allclose(window.session.document.cloud.points, 3 * cloud.points, rtol=1e-3)
    assert window.measuring._measured.length == pytest.approx(3 * measured, rel=1e-3)
    assert window.inference._height.value() == pytest.approx(4.8, abs=0.01)
    qtbot.waitUntil((folder / NAME).is_file)
    assert read_scale(folder / "b.png").camera_height == pytest.approx(4.8, rel=1e-3)

    open_photo(window, settle, folder / "b.png")
    settle(window)
    press(window, Qt.Key.Key_1)
    settle(window)
    assert window.session.document.prediction.camera_height == pytest.approx(4.8, rel=1e-3)
    window.inference._height.setValue(0.0)
    settle(window)
    assert window.session.document.prediction.camera_height == pytest.approx(1.6)
    qtbot.waitUntil(lambda: not read_scale(folder / "a.png"))


def test_a_second_length_of_one_line_takes_the_place_of_the_first(make_main_window, settle, folder):
    window = make_main_window()
    open_photo(window, settle, folder / "a.png")
    press(window, Qt.Key.Key_M)
    settle(window)
    before = window.session.document.prediction
    for point in ((-1, 0.5, Z), (1, 0.5, Z)):
        click_panorama(window, point)
    measured = window.measuring._measured
    # Both before depth has followed the first.
    for times in (2, 3):
        window.scaling.set_length(measured, times * measured.length)
    settle(window)
    np.testing.assert_allclose(window.session.document.prediction.depth, 3 * before.depth, rtol=1e-3)


def test_a_model_that_knows_no_camera_height_is_held_to_a_factor(window, settle, fake_model):
    run = fake_model.predict
    fake_model.predict = lambda rgb, **options: replace(
        run(rgb, **options), camera_height=None, is_metric=False, model="scaleless"
    )
    press(window, Qt.Key.Key_M)
    settle(window)
    before = window.session.document.prediction
    for point in ((-1, 0.5, Z), (1, 0.5, Z)):
        click_panorama(window, point)
    assert "without unit" in window.measuring.strip.text
    measured = window.measuring._measured.length
    type_length(window, "1.000")
    settle(window)
    after = window.session.document.prediction
    np.testing.assert_allclose(after.depth, before.depth / np.float32(measured), rtol=1e-6)
    assert after.is_metric
    assert window.measuring.strip.text.startswith("length 1.00 m  ·  estimate, scaled by a known length")
    assert "counts for this one" in window.messages.text
    window.inference._height.setValue(1.8)
    settle(window)
    assert "does not estimate how high" in window.messages.text


def test_a_length_that_is_hardly_true_counts_and_is_doubted(window, measuring, settle):
    for point in ((-1, 0.5, Z), (1.2, 0.5, Z)):
        click_panorama(window, point)
    noted = []
    window.scaling.noted.connect(noted.append)
    measured = length_of(measuring.strip.text)
    type_length(window, f"{10 * measured:.3f}")
    settle(window)
    assert length_of(measuring.strip.text) == pytest.approx(10 * measured, rel=1e-2)
    assert ["far from what the model" in note for note in noted] == [True]
    type_length(window, f"{1.2 * measured:.3f}")
    settle(window)
    assert length_of(measuring.strip.text) == pytest.approx(1.2 * measured, rel=1e-2)
    assert len(noted) == 1, "it is right again"
    assert window.messages.text == ""


@pytest.mark.parametrize("typed", ["0", "1.7"])
def test_a_doubt_goes_with_the_camera_height_that_it_was_about(window, settle, typed):
    press(window, Qt.Key.Key_1)
    settle(window)
    field = window.inference._height
    for text, is_doubted in (("162", True), (typed, False)):
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)
        settle(window)
        assert ("far from what the model" in window.messages.text) == is_doubted


@pytest.mark.parametrize("back", ["0", ""])
def test_the_field_says_that_a_length_was_taken_and_takes_it_back(window, measuring, settle, back):
    for point in ((-1, 0.5, Z), (1, 0.5, Z)):
        click_panorama(window, point)
    before = window.session.document.prediction
    field = measuring.strip._length
    assert field.text() == "unknown"
    type_length(window, "3,00")
    settle(window)
    assert field.text() == "scaled to 3.00 m"
    assert length_of(measuring.strip.text) == pytest.approx(3, rel=1e-2)
    assert "estimate, scaled by a known length" in measuring.strip.text
    type_length(window, "3ft")
    settle(window)
    assert field.text() == "scaled to 3.00 m"
    field.selectAll()
    QTest.keyClick(field, Qt.Key.Key_Delete)
    type_length(window, back)
    settle(window)
    assert field.text() == "unknown"
    assert "scaled" not in measuring.strip.text
    np.testing.assert_array_equal(window.session.document.prediction.depth, before.depth)


def test_a_length_that_cannot_be_true_is_refused(window, measuring, settle):
    for point in ((-1, 0.5, Z), (1, 0.5, Z)):
        click_panorama(window, point)
    before = window.session.document.prediction
    window.measuring.strip.length_typed.emit(1e9)
    settle(window)
    assert "check both points" in window.messages.text
    assert window.session.document.prediction is before


def test_a_scale_that_nobody_may_write_still_counts(make_main_window, settle, folder, monkeypatch):
    window = make_main_window()
    open_photo(window, settle, folder / "a.png")

    def full(self, opened, scale):
        raise ProjectError("No space left")

    monkeypatch.setattr(SceneKeeper, "keep_scale", full)
    press(window, Qt.Key.Key_1)
    settle(window)
    window.inference._height.setValue(3.2)
    settle(window)
    assert window.session.document.prediction.camera_height == pytest.approx(3.2)
    assert "is not kept" in window.messages.text
