"""A rectangle of the screen as a box of longitudes and latitudes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_lonlat, lonlat_to_directions
from core.scene import Box
from core.segment.boxes import border_of, box_around
from core.segment.brush import box_mask


def rectangle(camera, left, top, right, bottom):
    return camera.directions(np.array([left, right, right, left]), np.array([top, top, bottom, bottom]))


@given(
    st.floats(-180, 180), st.floats(-89, 89), st.floats(20, 110), st.floats(0, 40), st.floats(60, 100)
)  # fmt: skip
def test_a_box_holds_all_that_the_rectangle_shows(yaw, pitch, fov, low, high):
    camera = Camera(math.radians(yaw), math.radians(pitch), 0.0, math.radians(fov), 100, 100)
    box = box_around(rectangle(camera, low, low, high, high))
    grid = np.linspace(low + 0.5, high - 0.5, 23)
    lon, lat = directions_to_lonlat(camera.directions(*np.meshgrid(grid, grid)))
    width = (box.east - box.west) % (2 * math.pi)
    assert np.all((lon - box.west) % (2 * math.pi) <= width + 0.01)
    assert np.all((lat >= box.south - 0.01) & (lat <= box.north + 0.01))


def test_a_rectangle_across_the_seam_is_a_narrow_box():
    box = box_around(rectangle(Camera(math.pi, 0.0, 0.0, math.radians(40), 100, 100), 25, 25, 75, 75))
    assert box.east < box.west
    assert (box.east - box.west) % (2 * math.pi) == pytest.approx(2 * math.atan(0.5 * math.tan(math.radians(20))))


@pytest.mark.parametrize("pole", [-1, 1])
def test_a_rectangle_around_a_pole_is_a_cap(pole):
    box = box_around(rectangle(Camera(1.0, pole * math.pi / 2, 0.0, math.radians(90), 100, 100), 25, 25, 75, 75))
    mask = box_mask(64, 128, box)
    assert mask.contains(0.3, pole * math.pi / 2 * 0.999)
    assert mask.cols == 128
    assert not mask.contains(0.0, 0.0)


def test_meridians_and_parallels_come_back_as_they_are():
    lon, lat = np.radians([10, 20, 30, 30, 20, 10]), np.radians([-5, -5, -5, 5, 5, 5])
    box = box_around(lonlat_to_directions(lon, lat))
    assert (box.west, box.east) == (pytest.approx(math.radians(10)), pytest.approx(math.radians(30)))
    assert (box.south, box.north) == (pytest.approx(math.radians(-5), abs=0.01), pytest.approx(0.0873, abs=0.01))


def test_one_direction_is_no_box():
    with pytest.raises(ValueError, match="two directions"):
        box_around([[0, 0, 1]])


@pytest.mark.parametrize("box", [Box(3.0, -0.5, -2.5, 0.4), Box(-0.2, 0.1, 0.3, 0.2), Box(-2.0, -1.0, 2.5, 1.2)])
def test_the_border_of_a_box_comes_back_as_the_box(box):
    border = border_of(box)
    again = box_around(border)
    for side in ("west", "south", "east", "north"):
        assert getattr(again, side) == pytest.approx(getattr(box, side), abs=1e-3)
    steps = np.arccos(np.clip((border * np.roll(border, -1, axis=0)).sum(axis=1), -1, 1))
    assert steps.max() < math.radians(2.5)
