import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_time import own_seconds

from core.geometry.camera import rotation_from_angles
from core.geometry.edges import EdgeFilter, flying_pixels
from core.geometry.normals import normals_from_depth, turn_normals
from core.geometry.sphere import erp_angles, erp_rays

DEFAULT = EdgeFilter()


def room(height, width, half_sizes=(3.0, 1.5, 4.0)):
    """Depth of a box room, exactly."""
    rays = erp_rays(height, width).astype(np.float64)
    return np.min(np.array(half_sizes) / np.maximum(np.abs(rays), 1e-12), axis=-1).astype(np.float32)


def two_surfaces(row_of_values, height=16, width=2048):
    """Depth 2 everywhere, with some values written into every row from column 40 on and 4 to the right of them."""
    depth = np.full((height, width), 2.0, np.float32)
    depth[:, 40:80] = 4.0
    depth[:, 40 : 40 + len(row_of_values)] = row_of_values
    return depth


def test_an_empty_room_has_no_flying_pixels():
    assert not flying_pixels(room(128, 256), DEFAULT).any()


def test_a_clean_step_loses_nothing():
    assert not flying_pixels(two_surfaces([]), DEFAULT).any()


@pytest.mark.parametrize(
    ("smear", "with_normals"),
    [([3.0], False), ([2.5, 3.5], False), ([2.67, 3.33], False), ([3.0], True), ([2.3, 2.7, 3.1, 3.5], True)],
)
def test_every_depth_between_two_surfaces_flies_and_nothing_else(smear, with_normals):
    depth = two_surfaces(smear)
    flying = flying_pixels(depth, DEFAULT, normals=-erp_rays(*depth.shape) if with_normals else None)
    rows, cols = np.nonzero(flying)
    assert set(cols) == set(range(40, 40 + len(smear)))
    assert len(rows) == 16 * len(smear)


def test_a_pole_one_pixel_wide_is_kept():
    depth = np.full((16, 2048), 4.0, np.float32)
    depth[:, 50] = 2.0
    assert not flying_pixels(depth, DEFAULT).any()


def test_a_blurred_edge_against_the_sky_flies_and_a_wire_does_not():
    depth = np.full((16, 2048), 5.0, np.float32)
    depth[:, 40:80] = np.nan
    depth[:, 40] = 9.0
    depth[:, 60] = 5.0
    flying = flying_pixels(depth, DEFAULT)
    assert set(np.nonzero(flying)[1]) == {40}


def test_a_floor_that_runs_to_the_horizon_is_kept():
    height, width = 1024, 64
    down = erp_rays(height, width)[..., 1].astype(np.float64)
    with np.errstate(divide="ignore"):
        depth = np.where(down > 0, 1.6 / down, np.nan).astype(np.float32)
    flying = flying_pixels(depth, DEFAULT)
    assert set(np.nonzero(flying)[0]) <= set(range(height // 2, height // 2 + 4)), "0.7 degrees, 130 m away"


def test_the_seam_is_no_edge_and_a_flying_pixel_on_it_is_found():
    depth = np.roll(two_surfaces([3.0]), -40, axis=1)
    assert set(np.nonzero(flying_pixels(depth, DEFAULT))[1]) == {0}


def test_columns_go_on_beyond_the_pole():
    depth = np.full((1024, 128), 2.0, np.float32)
    depth[0, :64] = 3.0
    depth[:8, 64:] = 4.0
    flying = flying_pixels(depth, DEFAULT)
    assert flying[0, 10:50].all()
    assert not flying[0, 74:118].any()


def test_unknown_depth_never_flies():
    assert not flying_pixels(np.full((8, 16), np.nan, np.float32), DEFAULT).any()


def test_a_filter_that_asks_for_larger_jumps_finds_fewer():
    depth = two_surfaces([2.2, 2.6, 3.0, 3.4, 3.8])
    assert flying_pixels(depth, EdgeFilter(min_jump=0.15)).sum() < flying_pixels(depth, DEFAULT).sum()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shift=st.integers(0, 127), scale=st.floats(0.01, 100))
def test_turning_about_the_vertical_and_scaling_change_nothing(seed, shift, scale):
    depth = np.random.default_rng(seed).uniform(1, 5, (64, 128)).astype(np.float32)
    depth[depth > 4.5] = np.nan
    flying = flying_pixels(depth, DEFAULT)
    np.testing.assert_array_equal(flying_pixels(np.roll(depth, shift, axis=1), DEFAULT), np.roll(flying, shift, axis=1))
    scaled = flying_pixels(depth * np.float32(2 ** round(np.log2(scale))), DEFAULT)
    np.testing.assert_array_equal(scaled, flying)


# --- depth that was brought from a coarse grid to the photograph's size ---

COARSE, FINE = 64, 512


def seen_by_a_network(depth):
    """A depth as a network of `COARSE` rows would give it: smooth over a few of its pixels, and then enlarged."""
    inverse = cv2.resize(1 / depth, (2 * COARSE, COARSE), interpolation=cv2.INTER_AREA)
    inverse = cv2.GaussianBlur(np.tile(inverse, (1, 3)), (0, 0), 1.0)
    inverse = cv2.resize(inverse, (6 * FINE, FINE), interpolation=cv2.INTER_CUBIC)[:, 2 * FINE : 4 * FINE]
    return np.ascontiguousarray(1 / inverse)


def pillars():
    """A sphere of 4 m with four pillars at 2 m; how far each pixel is from a surface's edge, in coarse pixels."""
    lon = erp_angles(FINE, 2 * FINE)[0]
    in_front = np.broadcast_to(np.abs((lon / (np.pi / 2)) % 1 - 0.5) < 0.15, (FINE, 2 * FINE))
    edge = np.abs(np.abs((lon / (np.pi / 2)) % 1 - 0.5) - 0.15) * (np.pi / 2) / (np.pi / COARSE)
    return np.where(in_front, 2.0, 4.0).astype(np.float32), np.broadcast_to(edge, in_front.shape)


@pytest.mark.parametrize("with_normals", [False, True])
def test_the_veil_of_a_coarse_depth_is_found_at_the_scale_at_which_it_was_made(with_normals):
    exact, edge = pillars()
    depth = seen_by_a_network(exact)
    normals = -erp_rays(*depth.shape) if with_normals else None
    assert flying_pixels(depth, DEFAULT).mean() < 0.001, "each step is tiny"
    flying = flying_pixels(depth, DEFAULT, native_height=COARSE, normals=normals)
    rows = slice(FINE // 4, -FINE // 4)  # towards the poles the pillars meet
    veil = (np.abs(depth / 2 - 1) > 0.1) & (np.abs(depth / 4 - 1) > 0.1)
    assert veil[rows].mean() > 0.05
    assert flying[rows][veil[rows]].mean() > 0.95
    assert not flying[rows][edge[rows] > 4].any()


def corridor(height, width):
    """Depth and normals of a room 40 m long and 2 m wide: walls, floor and ceiling run away at small angles."""
    rays = erp_rays(height, width).astype(np.float64)
    half_sizes = np.array((1.0, 1.2, 20.0))
    ranges = half_sizes / np.maximum(np.abs(rays), 1e-12)
    axis = ranges.argmin(axis=-1)[..., None]
    normals = np.zeros(rays.shape, np.float32)
    np.put_along_axis(normals, axis, -np.sign(np.take_along_axis(rays, axis, -1)), axis=-1)
    return ranges.min(axis=-1).astype(np.float32), normals


def test_the_walls_of_a_corridor_are_kept_at_every_angle():
    depth, normals = corridor(FINE, 2 * FINE)
    assert not flying_pixels(depth, DEFAULT, native_height=COARSE, normals=normals).any()
    assert flying_pixels(depth, DEFAULT, native_height=COARSE).mean() < 0.01
    hazy = normals + np.random.default_rng(0).normal(0, 0.1, normals.shape).astype(np.float32)
    hazy /= np.linalg.norm(hazy, axis=-1, keepdims=True)
    assert flying_pixels(depth, DEFAULT, native_height=COARSE, normals=hazy).mean() < 0.01


def test_a_slanted_surface_that_the_picture_does_not_show_flies():
    depth, normals = corridor(FINE, 2 * FINE)
    rays = erp_rays(*depth.shape)
    askew = flying_pixels(depth, DEFAULT, native_height=COARSE, normals=-rays)
    meets = np.degrees(np.arcsin(np.abs(np.einsum("hwi,hwi->hw", normals, rays))))
    inside = (meets > 1) & (np.abs(depth - 20) > 1)
    assert askew[inside & (meets < 14)].mean() > 0.9
    assert not askew[meets > 21].any()


def test_unknown_normals_leave_the_decision_to_the_depth():
    depth = seen_by_a_network(pillars()[0])
    unknown = np.full((*depth.shape, 3), np.nan, np.float32)
    np.testing.assert_array_equal(
        flying_pixels(depth, DEFAULT, native_height=COARSE, normals=unknown),
        flying_pixels(depth, DEFAULT, native_height=COARSE),
    )


def test_a_tilt_that_is_hardly_reached_removes_less():
    depth = seen_by_a_network(pillars()[0])
    normals = -erp_rays(*depth.shape)
    many = flying_pixels(depth, DEFAULT, native_height=COARSE, normals=normals)
    few = flying_pixels(depth, EdgeFilter(min_tilt_deg=80), native_height=COARSE, normals=normals)
    assert few.sum() < many.sum()
    assert not (few & ~many).any()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shift=st.integers(1, 127))
def test_turning_depth_and_normals_about_the_vertical_turns_what_flies(seed, shift):
    rng = np.random.default_rng(seed)
    depth = cv2.GaussianBlur(rng.uniform(1, 9, (64, 128)), (0, 0), 1.5).astype(np.float32)
    normals = normals_from_depth(cv2.GaussianBlur(depth, (0, 0), 4))
    turned = turn_normals(np.roll(normals, shift, axis=1), rotation_from_angles(2 * np.pi * shift / 128, 0, 0))
    flying = flying_pixels(depth, EdgeFilter(min_angle_deg=45), native_height=32, normals=normals)
    again = flying_pixels(np.roll(depth, shift, axis=1), EdgeFilter(min_angle_deg=45), native_height=32, normals=turned)
    assert flying.any()
    assert (np.roll(flying, shift, axis=1) != again).mean() < 0.001, "up to rounding of the turn"


@pytest.mark.parametrize("size", [(1, 1), (2, 4), (3, 5), (4, 7)])
def test_a_grid_smaller_than_the_reach_is_no_obstacle(size):
    depth = np.random.default_rng(0).uniform(1, 5, size).astype(np.float32)
    assert flying_pixels(depth, DEFAULT, native_height=1).shape == size


@pytest.mark.parametrize(
    "wrong", [{"min_angle_deg": 0}, {"min_angle_deg": 90}, {"min_jump": -0.1}, {"min_tilt_deg": 180}]
)
def test_impossible_thresholds_are_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        EdgeFilter(**wrong)


def test_eight_million_pixels_take_a_fraction_of_a_second():
    depth = room(2048, 4096)
    flying_pixels(depth, DEFAULT)
    started, _ = own_seconds()
    flying_pixels(depth, DEFAULT)
    assert own_seconds()[0] - started < 0.8
