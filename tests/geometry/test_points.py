import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.geometry.camera import rotation_from_angles
from core.geometry.points import points_from_depth
from core.geometry.sphere import directions_to_erp, erp_rays

depths = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    elements=st.one_of(st.just(np.nan), st.floats(0.125, 1e6, width=32)),
)


@given(depths)
def test_every_point_is_exactly_depth_times_ray(depth):
    points = points_from_depth(depth)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, depth[..., None] * erp_rays(*depth.shape))


@given(depths, st.floats(-3, 3), st.floats(-1.5, 1.5), st.floats(-3, 3))
def test_a_rotation_turns_the_rays(depth, yaw, pitch, roll):
    rotation = rotation_from_angles(yaw, pitch, roll)
    turned = points_from_depth(depth, rotation)
    expected = depth[..., None] * (erp_rays(*depth.shape).astype(np.float64) @ rotation.T)
    np.testing.assert_allclose(turned, expected, rtol=0, atol=3e-7 * np.nanmax(depth, initial=0))
    np.testing.assert_array_equal(np.isnan(turned).any(axis=-1), np.isnan(depth))


@given(depths)
def test_points_lie_in_their_own_pixel(depth):
    depth = np.where(np.isnan(depth), np.float32(1), depth)
    u, v = directions_to_erp(points_from_depth(depth), *depth.shape)
    cols, rows = np.meshgrid(np.arange(depth.shape[1]) + 0.5, np.arange(depth.shape[0]) + 0.5)
    np.testing.assert_allclose(v, rows, atol=1e-4)
    np.testing.assert_allclose(u, cols, atol=1e-4)


def test_a_read_only_or_strided_depth_gives_the_same_points():
    depth = np.random.default_rng(0).random((10, 40)).astype(np.float32)
    depth.flags.writeable = False
    np.testing.assert_array_equal(points_from_depth(depth[:, ::2]), points_from_depth(depth[:, ::2].copy()))
