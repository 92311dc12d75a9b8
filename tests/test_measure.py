"""Measuring in a room whose every point is known to the last digit."""

import math

import numpy as np
import pytest

from core.geometry.camera import rotation_from_angles
from core.geometry.points import depth_at, points_from_depth
from core.geometry.sphere import directions_to_lonlat, erp_angles, lonlat_to_directions
from core.measure import CannotMeasure, Measurement, ground_below, locate, measure, number
from core.panorama import Panorama
from core.prediction import Prediction
from training.worlds.box_room import BoxRoom

ROOM = BoxRoom((-2.0, -1.2, -3.0), (2.5, 1.6, 3.5))
EXACT = 2e-6
"""Depth is float32."""


def room_depth(height, width=None, turn=None):
    """Depth of the room in its middle, seen by a camera that is turned by ``world_from_room = turn``."""
    lon, lat = erp_angles(height, width or 2 * height)
    rays = lonlat_to_directions(lon[None], lat[:, None])
    return ROOM.depth((0, 0, 0), rays if turn is None else rays @ turn).astype(np.float32)


def room(height=256, width=None, **fields):
    return Prediction(room_depth(height, width), is_metric=True, camera_height=1.6, **fields)


def picture(**fields):
    return Panorama(np.zeros((8, 16, 3), np.uint8), **fields)


def toward(*points):
    points = np.asarray(points, np.float64)
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


PAIRS = {
    "in front": ((0.31, 0.2, 3.5), (-0.8, 0.9, 3.5)),
    "across the seam": ((0.4, 0.3, -3.0), (-0.5, -0.7, -3.0)),
    "over the zenith": ((0.21, -1.2, 0.17), (-0.3, -1.2, -0.11)),
    "over the nadir": ((0.05, 1.6, 0.02), (-0.4, 1.6, -0.3)),
    "from the zenith to the nadir": ((0, -1.2, 0), (0, 1.6, 0)),
    "from wall to wall": ((2.5, 0.33, 0.2), (-2.0, -0.4, 0.9)),
}


@pytest.mark.parametrize(("height", "width"), [(256, 512), (127, 255), (64, 128)])
@pytest.mark.parametrize("name", PAIRS)
def test_a_distance_in_a_box_room_is_exact(name, height, width):
    first, second = PAIRS[name]
    found = measure(picture(), room(height, width), toward(first, second))
    np.testing.assert_allclose(found.points, [first, second], atol=4 * EXACT)
    assert found.length == pytest.approx(math.dist(first, second), rel=EXACT)


def test_a_turned_camera_measures_the_same():
    turn = rotation_from_angles(0.7, 0.4, -0.9)
    prediction = Prediction(room_depth(256, turn=turn), is_metric=True, camera_height=1.6)
    for first, second in PAIRS.values():
        found = measure(picture(level_from_world=turn.T), prediction, toward(first, second) @ turn.T)
        assert found.length == pytest.approx(math.dist(first, second), rel=EXACT)
        np.testing.assert_allclose(found.heights, [1.6 - first[1], 1.6 - second[1]], atol=4 * EXACT)


def test_the_point_of_a_pixel_is_the_one_of_the_cloud():
    rng = np.random.default_rng(3)
    depth = rng.uniform(1, 5, (16, 32)).astype(np.float32)
    points = points_from_depth(depth)
    for row, col in [(0, 0), (0, 31), (15, 7), (8, 16), (5, 31)]:
        direction = points[row, col].astype(np.float64)
        np.testing.assert_allclose(locate(Prediction(depth), direction), points[row, col], rtol=1e-6)


def test_an_edge_of_depth_is_not_smoothed():
    depth = np.full((32, 64), 2.0, np.float32)
    depth[:, 32:] = 4.0
    for lon, expected in ((-0.001, 2.0), (0.001, 4.0)):
        assert depth_at(depth, lonlat_to_directions(lon, 0.3)) == pytest.approx(expected, rel=0.01)


def test_a_polyline_adds_up_and_its_last_corner_has_an_angle():
    corners = [(-1, 1.6, 1.0), (1, 1.6, 1.0), (1, 1.6, 2.5)]
    found = measure(picture(), room(), toward(*corners))
    np.testing.assert_allclose(found.lengths, [2.0, 1.5], rtol=EXACT)
    assert found.length == pytest.approx(3.5, rel=EXACT)
    assert found.angle == pytest.approx(math.pi / 2, abs=1e-5)
    assert found.area == pytest.approx(1.5, rel=1e-5)
    np.testing.assert_allclose(found.heights, 0, atol=1e-5)


@pytest.mark.parametrize("height", [64, 256])
def test_the_area_of_a_wall_is_exact_even_around_the_seam(height):
    corners = [(-1, -0.8, -3.0), (1, -0.8, -3.0), (1, 1.0, -3.0), (-1, 1.0, -3.0)]
    assert measure(picture(), room(height), toward(*corners)).area == pytest.approx(3.6, rel=1e-5)


def test_the_area_of_the_floor_around_the_nadir_is_exact():
    corners = [(-1.1, 1.6, -1), (1, 1.6, -1), (1, 1.6, 1), (-1.1, 1.6, 1)]
    assert measure(picture(), room(), toward(*corners)).area == pytest.approx(4.2, rel=1e-5)


def test_the_area_of_a_polygon_that_is_not_flat_is_that_of_its_largest_shadow():
    corners = np.array([(0.0, 0, 0), (2, 0, 1), (2, 2, -1), (0, 2, 1)])
    found = Measurement(corners).area
    rng = np.random.default_rng(0)
    planes = rng.normal(size=(20_000, 3))
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    vector = sum(np.cross(corners[i - 1], corners[i]) for i in range(4)) / 2
    shadows = np.abs(planes @ vector)
    assert shadows.max() <= found * (1 + 1e-12)
    assert shadows.max() > 0.999 * found


def test_heights_are_over_the_ground_and_by_the_camera_height():
    found = measure(picture(), room(), toward((2.5, 0.6, 1.0), (0, 1.6, 1.0), (0.3, -1.2, 0.5)))
    np.testing.assert_allclose(found.heights, [1.0, 0.0, 2.8], atol=1e-5)


def test_without_a_camera_height_the_ground_is_what_lies_below():
    prediction = Prediction(room_depth(256), is_metric=True)
    assert ground_below(prediction, np.eye(3)) == pytest.approx(1.6, rel=1e-3)
    turn = rotation_from_angles(0.3, 0.8, 0.2)
    tilted = Prediction(room_depth(256, turn=turn), is_metric=True)
    assert ground_below(tilted, turn.T) == pytest.approx(1.6, rel=1e-3)
    depth = room_depth(256).copy()
    depth[200:] = np.nan
    assert ground_below(Prediction(depth), np.eye(3)) is None
    assert measure(picture(), Prediction(depth), toward((0, 0, 1))).heights is None


def test_what_is_unknown_or_far_is_said_in_a_sentence():
    depth = room_depth(64).copy()
    far = np.zeros((64, 128), np.bool_)
    depth[:32, :64] = np.nan
    far[:16, :64] = True
    prediction = Prediction(depth, far=far)
    for lat, words in ((70, "too far"), (10, "not known")):
        with pytest.raises(CannotMeasure, match=words):
            measure(picture(), prediction, lonlat_to_directions([-1.0], [math.radians(lat)]))
    for nothing in (None, Prediction()):
        with pytest.raises(CannotMeasure, match="run a model"):
            measure(picture(), nothing, toward((0, 0, 1)))


def test_the_text_says_what_the_points_say_and_that_it_is_an_estimate():
    one = measure(picture(), room(), toward((0, 0.6, 3.5)))
    assert one.text() == "3.55 m from the camera  ·  estimate  ·  height over ground 1.00 m"
    two = measure(picture(), room(), toward((0, 0.6, 3.5), (1, 0.6, 3.5)))
    assert two.text() == "length 1.00 m  ·  estimate  ·  height over ground 1.00, 1.00 m"
    three = measure(picture(), room(), toward((0, 0.6, 3.5), (1, 0.6, 3.5), (1, 0.1, 3.5)))
    assert "length 1.50 m (1.00 + 0.50)  ·  estimate  ·  angle 90.0°  ·  area 0.25 m²" in three.text()


def test_the_text_says_that_a_length_is_known_and_only_of_metres():
    ways = toward((0, 0.6, 3.5), (1, 0.6, 3.5))
    known = measure(picture(), room(), ways, is_scaled=True).text()
    assert known.startswith("length 1.00 m  ·  estimate, scaled by a known length  ·  ")
    relative = Prediction(room_depth(64), is_metric=False)
    assert "scaled" not in measure(picture(), relative, ways, is_scaled=True).text()


def test_a_relative_depth_has_no_metres():
    relative = Prediction(room_depth(64), is_metric=False)
    text = measure(picture(), relative, toward((0, 0.6, 3.5), (1, 0.6, 3.5))).text()
    assert "1.00 m" not in text
    assert "without unit" in text


def test_directions_need_not_be_of_unit_length():
    np.testing.assert_allclose(locate(room(), (0.0, 0.0, 7.0)), (0, 0, 3.5), atol=1e-5)
    assert directions_to_lonlat(locate(room(), (1.0, 0.0, 0.0)))[0] == pytest.approx(math.pi / 2)


def test_numbers_are_no_finer_than_millimetres():
    assert [number(value) for value in (2.434, 120, 0.0123, 0.0001, -0.0001, -0.35)] == [
        "2.43", "120.00", "0.012", "0.000", "0.000", "-0.35"
    ]  # fmt: skip
