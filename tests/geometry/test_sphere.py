import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.sphere import (
    angle_between,
    directions_to_erp,
    directions_to_lonlat,
    erp_angles,
    erp_local_frames,
    erp_rays,
    erp_to_directions,
    erp_to_lonlat,
    lonlat_to_directions,
    lonlat_to_erp,
    solid_angle,
)

longitudes = st.floats(-np.pi, np.pi, exclude_min=True)
latitudes = st.floats(-np.pi / 2, np.pi / 2)
sides = st.integers(1, 41)


@pytest.mark.parametrize(
    ("lon", "lat", "expected"),
    [
        (0, 0, (0, 0, 1)),  # the middle of the image looks forward
        (np.pi / 2, 0, (1, 0, 0)),  # a quarter turn right
        (np.pi, 0, (0, 0, -1)),  # behind, at the seam
        (0, np.pi / 2, (0, -1, 0)),  # up; y points down
        (0, -np.pi / 2, (0, 1, 0)),
    ],
)
def test_directions_follow_the_frame(lon, lat, expected):
    np.testing.assert_allclose(lonlat_to_directions(lon, lat), expected, atol=1e-15)


@pytest.mark.parametrize(
    ("lon", "lat", "u", "v"),
    [(0, 0, 4, 2), (-np.pi, 0, 0, 2), (np.pi, 0, 0, 2), (np.pi / 2, np.pi / 2, 6, 0), (0, -np.pi / 2, 4, 4)],
)
def test_corners_and_middle_of_the_grid(lon, lat, u, v):
    np.testing.assert_allclose(lonlat_to_erp(lon, lat, 4, 8), (u, v), atol=1e-14)


@given(longitudes, st.floats(-1.57, 1.57))
def test_angles_survive_the_way_through_directions(lon, lat):
    back_lon, back_lat = directions_to_lonlat(7.0 * lonlat_to_directions(lon, lat))
    assert back_lat == pytest.approx(lat, abs=1e-9)
    assert np.cos(back_lon - lon) == pytest.approx(1, abs=1e-9)


@given(longitudes, latitudes, sides, sides)
def test_directions_survive_the_way_through_pixels(lon, lat, height, width):
    direction = lonlat_to_directions(lon, lat)
    u, v = directions_to_erp(direction, height, width)
    assert 0 <= u < width
    assert -1e-9 <= v <= height + 1e-9
    np.testing.assert_allclose(erp_to_directions(u, v, height, width), direction, atol=1e-7)


@given(st.floats(0, 1), st.floats(0, 0.49), sides, sides)
def test_a_pole_reflects_v_and_shifts_u_by_half_a_turn(along, beyond, height, width):
    u, v = along * width, beyond * height
    np.testing.assert_allclose(
        erp_to_directions(u, -v, height, width), erp_to_directions(u + width / 2, v, height, width), atol=1e-12
    )
    np.testing.assert_allclose(
        erp_to_directions(u, height + v, height, width),
        erp_to_directions(u + width / 2, height - v, height, width),
        atol=1e-12,
    )


def test_longitudes_of_pixels_lie_in_one_turn():
    lon, lat = erp_to_lonlat([-1.0, 0.0, 8.0, 12.0], [1.0, 1.0, 1.0, -1.0], 4, 8)
    assert (lon >= -np.pi).all()
    assert (lon < np.pi).all()
    assert (np.abs(lat) <= np.pi / 2).all()


@given(sides, sides)
def test_rays_are_those_of_the_pixel_centres(height, width):
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    np.testing.assert_allclose(erp_rays(height, width), erp_to_directions(u, v, height, width), atol=1e-7)
    lon, lat = erp_angles(height, width)
    np.testing.assert_allclose(erp_rays(height, width), lonlat_to_directions(lon, lat[:, None]), atol=1e-7)


def test_rays_are_shared_and_read_only():
    rays = erp_rays(6, 12)
    assert erp_rays(6, 12) is rays
    with pytest.raises(ValueError, match="read-only"):
        rays[0, 0, 0] = 1


@given(sides, sides)
def test_solid_angles_sum_to_the_sphere(height, width):
    assert solid_angle(height, width).sum() * width == pytest.approx(4 * np.pi, rel=1e-12)


def test_the_solid_angle_of_a_known_pixel():
    # A quarter of the northern hemisphere.
    np.testing.assert_allclose(solid_angle(2, 4), np.pi / 2)


@given(st.floats(1e-12, np.pi - 1e-12), st.floats(0.1, 10))
def test_angles_between_vectors_are_exact_at_both_ends(angle, length):
    a, b = (length, 0.0, 0.0), (np.cos(angle), np.sin(angle), 0.0)
    assert angle_between(a, b) == pytest.approx(angle, rel=1e-6, abs=1e-15)


def test_local_frames_are_east_down_outward():
    frames = erp_local_frames(8, 16)
    np.testing.assert_allclose(
        frames @ np.swapaxes(frames, -1, -2), np.broadcast_to(np.eye(3), frames.shape), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(frames), 1, atol=1e-6)
    np.testing.assert_array_equal(frames[..., 2, :], erp_rays(8, 16))
    assert (frames[..., 1, 1] > 0).all()
