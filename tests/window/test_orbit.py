"""The eye around the cloud: no Qt, no OpenGL."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panoviewer.orbit import HIGHEST, Orbit, framing, picked

orbits = st.builds(
    Orbit,
    centre=st.tuples(*[st.floats(-5, 5)] * 3),
    distance=st.floats(0.5, 50),
    azimuth=st.floats(-3, 3),
    elevation=st.floats(-1.5, 1.5),
)


def project(orbit, point, aspect=1.5):
    clip = orbit.clip_from_point(aspect) @ np.append(point, 1.0)
    return clip[:2] / clip[3], clip[3]


@given(orbits)
def test_the_centre_is_in_the_middle_at_its_distance(orbit):
    position, depth = project(orbit, orbit.centre)
    np.testing.assert_allclose(position, 0, atol=1e-9)
    assert depth == pytest.approx(orbit.distance)


@given(orbits)
def test_up_stays_up(orbit):
    """A point above the centre, -y in our axes, is drawn above it, and the picture never leans."""
    position, _ = project(orbit, np.add(orbit.centre, (0, -0.05 * orbit.distance, 0)))
    assert position[0] == pytest.approx(0, abs=1e-9)
    assert position[1] > 0


def test_right_is_right_and_forward_is_away():
    orbit = Orbit(elevation=0.0)
    assert project(orbit, (1, 0, 0))[0][0] > 0
    assert project(orbit, (0, 0, 1))[1] > project(orbit, (0, 0, 0))[1]


@given(orbits, st.floats(-3, 3), st.floats(-3, 3))
def test_turning_stops_at_the_poles(orbit, right, down):
    assert abs(orbit.turned(right, down).elevation) <= HIGHEST


@given(orbits, st.floats(0.2, 5.0), st.tuples(*[st.floats(-0.2, 0.2)] * 3))
def test_zooming_about_a_point_leaves_it_where_it_is(orbit, factor, offset):
    point = np.array(orbit.centre) + np.array(offset) * orbit.distance
    before, _ = project(orbit, point)
    after, _ = project(orbit.nearer(factor, point), point)
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_moving_follows_the_cursor():
    orbit = Orbit(distance=4.0)
    moved = orbit.moved(0.25, 0.0)
    position, _ = project(moved, orbit.centre, aspect=1.0)
    np.testing.assert_allclose(position, [0.5, 0.0], atol=1e-12)


def test_framing_shows_the_cloud_from_above():
    points = np.random.default_rng(0).uniform([-2, -1, -3], [4, 1, 3], (5000, 3)).astype(np.float32)
    orbit = framing(points)
    assert orbit.eye[1] < 0
    positions = np.array([project(orbit, point, aspect=1.0)[0] for point in points[::50]])
    assert (np.abs(positions) < 1).mean() > 0.95


def test_framing_an_empty_cloud_is_possible():
    assert framing(np.empty((0, 3), np.float32)).distance > 0


def test_of_two_points_under_the_cursor_the_nearer_is_picked():
    orbit = Orbit(centre=(0, 0, 0), distance=10, azimuth=0, elevation=0)
    points = np.array([[0, 0, 5], [0, 0, -3], [4, 0, 0]], np.float32)
    clip = orbit.clip_from_point(2.0)
    assert picked(points, clip, (400, 200), (800, 400), 5.0) == 1
    assert picked(points, clip, (10, 10), (800, 400), 5.0) is None
    u = 400 + 400 * (clip @ [4, 0, 0, 1])[0] / (clip @ [4, 0, 0, 1])[3]
    assert picked(points, clip, (u + 3, 200), (800, 400), 5.0) == 2


def test_what_lies_behind_the_eye_is_not_picked():
    orbit = Orbit(distance=1.0, elevation=0.0)
    behind = np.array([[0, 0, -5]], np.float32)
    assert picked(behind, orbit.clip_from_point(1.0), (50, 50), (100, 100), math.inf) is None
