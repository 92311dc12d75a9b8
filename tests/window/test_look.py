"""Gestures as cameras: no Qt."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.geometry.camera import Camera, rotation_from_angles
from panoviewer.look import (
    MAX_FOV_X,
    MIN_FOV_X,
    aimed_at,
    dragged,
    level_camera,
    outline,
    photo_camera,
    resized,
    turned,
    zoomed,
)

cameras = st.builds(
    Camera,
    yaw=st.floats(-3.1, 3.1),
    pitch=st.floats(-1.2, 1.2),
    roll=st.sampled_from([0.0, 0.1, -0.4]),
    fov_x=st.floats(0.2, 2.2),
    height=st.sampled_from([300, 700]),
    width=st.sampled_from([400, 1000]),
)
shares = st.floats(0.02, 0.98)


def at(camera, share_u, share_v):
    return share_u * camera.width, share_v * camera.height


@given(cameras, shares, shares, shares, shares)
def test_a_drag_keeps_the_point_under_the_cursor(camera, u0, v0, u1, v1):
    start, end = at(camera, u0, v0), at(camera, u1, v1)
    after = dragged(camera, start, end)
    assume(abs(after.pitch) < math.pi / 2 - 1e-6)
    held = camera.directions(*start)
    assume(math.hypot(held[0], held[2]) > 0.1)
    # Where the direction cannot reach the cursor's height at all, no camera can hold it.
    ray = Camera(0, 0, camera.roll, camera.fov_x, camera.height, camera.width).directions(*end)
    assume(abs(held[1]) < math.hypot(ray[1], ray[2]) - 1e-3)
    np.testing.assert_allclose(after.directions(*end), held, atol=1e-9)
    assert after.roll == camera.roll
    assert after.fov_x == camera.fov_x


@given(cameras, shares, shares, shares, shares)
def test_a_drag_never_tips_over_the_poles(camera, u0, v0, u1, v1):
    after = dragged(camera, at(camera, u0, v0), at(camera, u1, v1))
    assert -math.pi / 2 <= after.pitch <= math.pi / 2
    assert -math.pi <= after.yaw <= math.pi


def test_a_drag_without_a_way_changes_nothing():
    camera = Camera(0.5, 0.2, 0.0, 1.4, 600, 800)
    after = dragged(camera, (100, 500), (100, 500))
    assert after.yaw == pytest.approx(camera.yaw, abs=1e-12)
    assert after.pitch == pytest.approx(camera.pitch, abs=1e-12)


@given(cameras, shares, shares, st.floats(0.5, 2.0))
def test_the_wheel_keeps_the_direction_under_the_cursor(camera, u, v, factor):
    about = at(camera, u, v)
    after = zoomed(camera, about, factor)
    assume(abs(after.pitch) < math.pi / 2 - 1e-6)
    held = camera.directions(*about)
    assume(math.hypot(held[0], held[2]) > 0.1)
    upright = Camera(0, 0, camera.roll, after.fov_x, camera.height, camera.width)
    ray = upright.directions(*about)
    assume(abs(held[1]) < math.hypot(ray[1], ray[2]) - 1e-3)
    np.testing.assert_allclose(after.directions(*about), held, atol=1e-9)


def test_zooming_stops_at_both_ends():
    camera = Camera(0, 0, 0, 1.5, 600, 800)
    assert zoomed(camera, (400, 300), 1e6).fov_x == pytest.approx(MIN_FOV_X)
    assert zoomed(camera, (400, 300), 1e-6).fov_x <= MAX_FOV_X


@pytest.mark.parametrize("up", [5.0, -5.0])
def test_turning_stops_at_the_poles(up):
    assert turned(Camera(0, 0, 0, 1, 10, 10), 0.0, up).pitch == pytest.approx(math.copysign(math.pi / 2, up))


@given(st.floats(-3.0, 3.0), st.floats(-1.5, 1.5))
def test_aiming_brings_a_direction_to_the_middle(lon, lat):
    direction = np.array([math.cos(lat) * math.sin(lon), -math.sin(lat), math.cos(lat) * math.cos(lon)])
    camera = aimed_at(Camera(1.0, 0.3, 0.2, 1.2, 300, 500), direction)
    np.testing.assert_allclose(camera.directions(250, 150), direction, atol=1e-12)
    assert camera.roll == 0


@given(cameras, st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_level_and_photo_cameras_see_the_same(camera, pitch, roll):
    level_from_world = rotation_from_angles(0.3, pitch, roll)
    photo = photo_camera(camera, level_from_world)
    np.testing.assert_allclose(
        photo.directions(10, 20) @ level_from_world.T, camera.directions(10, 20), rtol=0, atol=1e-9
    )
    again = level_camera(photo, level_from_world)
    np.testing.assert_allclose(again.world_from_camera, camera.world_from_camera, atol=1e-9)


def test_the_horizon_of_a_tilted_photo_is_straight_and_stays_so_after_a_drag():
    level_from_world = rotation_from_angles(0.0, 0.2, 0.15)
    camera = dragged(Camera(0.4, 0.1, 0.0, 1.5, 600, 800), (200, 200), (500, 350))
    lon = np.linspace(-0.5, 0.5, 9) + camera.yaw
    horizon = np.stack([np.sin(lon), np.zeros_like(lon), np.cos(lon)], axis=-1)
    _, rows = photo_camera(camera, level_from_world).project(horizon @ level_from_world)
    np.testing.assert_allclose(rows, rows[0], atol=1e-6)


def test_a_resize_keeps_the_angle_of_the_shorter_side():
    camera = resized(Camera(0, 0, 0, math.pi / 2, 512, 512), 600, 900)
    assert 2 * math.atan(300 / camera.focal_px) == pytest.approx(math.pi / 2)
    back = resized(camera, 512, 512)
    assert back.fov_x == pytest.approx(math.pi / 2)


def test_the_outline_is_closed_and_lies_on_the_border():
    camera = Camera(2.5, 0.8, 0.0, 1.3, 400, 700)
    directions = outline(camera)
    u, v = camera.project(directions)
    on_border = (
        np.isclose(u, 0, atol=1e-6)
        | np.isclose(u, 700, atol=1e-6)
        | np.isclose(v, 0, atol=1e-6)
        | np.isclose(v, 400, atol=1e-6)
    )
    assert on_border.all()
    np.testing.assert_allclose(directions[0], directions[-1], atol=1e-12)
