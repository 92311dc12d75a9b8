"""Lines on the sphere without a window."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.camera import Camera
from core.geometry.sphere import angle_between, directions_to_lonlat, lonlat_to_directions
from panoviewer.views.marks import ARC_STEP, PathMark, box, circle, smooth_path, unrolled, visible_runs

ANGLES = st.tuples(st.floats(-math.pi, math.pi), st.floats(-math.pi / 2, math.pi / 2))


@given(ANGLES, ANGLES)
def test_a_line_runs_along_the_great_circle_in_small_steps(start, end):
    corners = np.stack([lonlat_to_directions(*start), lonlat_to_directions(*end)])
    line = smooth_path(PathMark(corners))
    np.testing.assert_allclose(np.linalg.norm(line, axis=-1), 1.0, atol=1e-12)
    np.testing.assert_array_equal(line[[0, -1]], corners)
    steps = angle_between(line[:-1], line[1:])
    assert steps.max() <= ARC_STEP + 1e-9
    assert steps.sum() == pytest.approx(float(angle_between(*corners)), abs=1e-6)


def test_a_closed_line_ends_where_it_began():
    corners = np.eye(3)
    line = smooth_path(PathMark(corners, closed=True))
    np.testing.assert_array_equal(line[0], line[-1])
    assert angle_between(line[:-1], line[1:]).sum() == pytest.approx(3 * math.pi / 2)


@given(ANGLES, st.floats(0.001, 1.5))
def test_a_circle_is_everywhere_as_far_from_its_middle(lonlat, radius):
    middle = lonlat_to_directions(*lonlat)
    np.testing.assert_allclose(angle_between(circle(middle, radius), middle), radius, atol=1e-7)


def test_a_box_takes_the_shorter_way_around():
    border = box(lonlat_to_directions(math.radians(170), -0.2), lonlat_to_directions(math.radians(-170), 0.3))
    lon, lat = directions_to_lonlat(border)
    assert np.abs(np.degrees(lon)).min() == pytest.approx(170)
    assert (lat.min(), lat.max()) == (pytest.approx(-0.2), pytest.approx(0.3))


def test_a_line_over_the_seam_runs_on():
    line = smooth_path(PathMark(lonlat_to_directions(np.radians([170.0, -170.0]), np.zeros(2))))
    lon = unrolled(line)[:, 0]
    assert lon[0] == pytest.approx(170)
    assert lon[-1] == pytest.approx(190)
    assert np.abs(np.diff(lon)).max() < 2


def test_a_ring_around_a_pole_runs_once_around():
    ring = circle([0.0, -1.0, 0.0], 0.3)
    lon = unrolled(smooth_path(PathMark(ring, closed=True)))[:, 0]
    assert abs(lon[-1] - lon[0]) == pytest.approx(360, abs=1e-6)


def test_what_lies_behind_the_camera_is_cut_off():
    camera = Camera(yaw=0.0, pitch=0.0, roll=0.0, fov_x=1.5, height=100, width=100)
    horizon = smooth_path(PathMark(circle([0.0, 1.0, 0.0], math.pi / 2), closed=True))
    runs = visible_runs(horizon, camera)
    assert 1 <= len(runs) <= 2
    for run in runs:
        assert np.isfinite(run).all()
        np.testing.assert_allclose(run[:, 1], 50, atol=1e-6)
    assert visible_runs(-smooth_path(PathMark(circle([0.0, 0.0, 1.0], 0.2))), camera) == []
