import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.camera import Camera, angles_from_rotation, rotation_from_angles
from core.geometry.sphere import directions_to_lonlat

angles = st.floats(-3.1, 3.1)
cameras = st.builds(
    Camera,
    yaw=angles,
    pitch=st.floats(-math.pi / 2, math.pi / 2),
    roll=angles,
    fov_x=st.floats(0.05, 3.0),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
)


@pytest.mark.parametrize(
    ("turn", "start", "end"),
    [
        ((math.pi / 2, 0, 0), (0, 0, 1), (1, 0, 0)),  # yaw turns forward to the right
        ((0, math.pi / 2, 0), (0, 0, 1), (0, -1, 0)),  # pitch turns forward up
        ((0, 0, math.pi / 2), (1, 0, 0), (0, 1, 0)),  # roll turns right to down: clockwise
    ],
)
def test_the_three_turns_follow_the_convention(turn, start, end):
    np.testing.assert_allclose(rotation_from_angles(*turn) @ start, end, atol=1e-15)


@given(angles, st.floats(-1.57, 1.57), angles)
def test_angles_survive_the_way_through_a_rotation(yaw, pitch, roll):
    rotation = rotation_from_angles(yaw, pitch, roll)
    np.testing.assert_allclose(rotation_from_angles(*angles_from_rotation(rotation)), rotation, atol=1e-8)


@pytest.mark.parametrize("pitch", [math.pi / 2, -math.pi / 2])
@given(yaw=angles, roll=angles)
def test_straight_up_and_down_all_of_the_turn_is_yaw(pitch, yaw, roll):
    rotation = rotation_from_angles(yaw, pitch, roll)
    back = angles_from_rotation(rotation)
    assert back[2] == 0
    np.testing.assert_allclose(rotation_from_angles(*back), rotation, atol=1e-9)


@given(cameras)
def test_pixels_survive_the_way_through_directions(camera):
    u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    back_u, back_v = camera.project(camera.rays())
    np.testing.assert_allclose(back_u, u, atol=1e-6)
    np.testing.assert_allclose(back_v, v, atol=1e-6)


@given(cameras)
def test_rays_are_of_unit_length_and_the_middle_one_is_the_axis(camera):
    np.testing.assert_allclose(np.linalg.norm(camera.rays(), axis=-1), 1, atol=1e-12)
    lon, lat = directions_to_lonlat(camera.directions(camera.width / 2, camera.height / 2))
    assert lat == pytest.approx(camera.pitch, abs=1e-7)
    if abs(camera.pitch) < 1.5:
        assert lon == pytest.approx(camera.yaw, abs=1e-7)


def test_the_edges_of_the_picture_span_the_field_of_view():
    camera = Camera(yaw=0.2, pitch=0.0, roll=0.0, fov_x=1.2, height=10, width=30)
    lon, _ = directions_to_lonlat(camera.directions([0, 30], 5))
    np.testing.assert_allclose(lon, (0.2 - 0.6, 0.2 + 0.6), atol=1e-12)
    assert camera.focal_px == pytest.approx(15 / math.tan(0.6))
    assert camera.size == (10, 30)


def test_what_is_behind_has_no_pixel():
    camera = Camera(yaw=0.0, pitch=0.0, roll=0.0, fov_x=1.0, height=4, width=4)
    assert np.isnan(camera.project([[0, 0, -1], [1, 0, 0]])).all()


def test_a_camera_from_a_rotation_has_that_rotation():
    rotation = rotation_from_angles(1.0, -0.4, 2.0)
    camera = Camera.from_rotation(rotation, fov_x=1.0, height=4, width=6)
    np.testing.assert_allclose(camera.world_from_camera, rotation, atol=1e-12)


@pytest.mark.parametrize("wrong", [{"fov_x": 0.0}, {"fov_x": math.pi}, {"height": 0}, {"width": 0}])
def test_an_impossible_camera_is_refused(wrong):
    values = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "fov_x": 1.0, "height": 2, "width": 2} | wrong
    with pytest.raises(ValueError, match=r"got .*(0|3\.14)"):
        Camera(**values)


def test_the_rotation_is_made_once_and_cannot_be_changed():
    camera = Camera(yaw=0.3, pitch=0.2, roll=0.1, fov_x=1.0, height=4, width=4)
    assert camera.world_from_camera is camera.world_from_camera
    with pytest.raises(ValueError, match="read-only"):
        camera.world_from_camera[0, 0] = 2.0
    assert camera == Camera(yaw=0.3, pitch=0.2, roll=0.1, fov_x=1.0, height=4, width=4)
