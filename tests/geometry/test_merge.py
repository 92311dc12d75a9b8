import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry.camera import Camera
from core.geometry.merge import merge_surfaces, merge_tiles
from core.geometry.sphere import erp_rays
from core.geometry.tiling import cube_tiles, icosahedron_tiles, zigzag_tiles
from core.geometry.warp import camera_to_erp, erp_to_camera

SETS = {"cube": cube_tiles(80), "icosahedron": icosahedron_tiles(80), "zigzag": zigzag_tiles(80)}


def smooth(directions):
    directions = np.asarray(directions, np.float64)
    return directions @ (0.3, 0.5, 0.2) + (directions @ (0.5, -0.3, 0.7)) ** 2


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("size", [(64, 128), (65, 131), (150, 301), (7, 13)])
def test_tiles_of_a_function_merge_into_the_function(name, size):
    cameras = SETS[name]
    merged = merge_tiles([smooth(camera.rays()).astype(np.float32) for camera in cameras], cameras, *size)
    assert merged.dtype == np.float32
    # The faces of a cube meet at their borders, where each is continued by half a pixel, 1/80 rad, with a slope of 1.5.
    error = 1.5 / 80 if name == "cube" else 0.0
    tolerance = error + (math.pi / size[0]) ** 2 * 0.6 + 0.001 + (0.1 * math.pi / size[0] if size[0] < 40 else 0)
    np.testing.assert_allclose(merged, smooth(erp_rays(*size)), atol=tolerance)


@settings(max_examples=20)
@given(st.floats(-4, 4))
def test_a_constant_merges_into_that_constant(yaw):
    cameras = [
        Camera(yaw=yaw + k * 0.7, pitch=pitch, roll=0.3 * k, fov_x=1.7, height=40, width=50)
        for k in range(9)
        for pitch in (-1.0, 0.0, 1.0)
    ]
    merged = merge_tiles([np.full((40, 50), 3.0, np.float32)] * 27, cameras, 64, 129)
    np.testing.assert_allclose(merged, 3.0, rtol=1e-5)


def test_turning_all_cameras_by_whole_columns_rolls_the_panorama():
    tiles = [smooth(camera.rays()).astype(np.float32) for camera in zigzag_tiles(40)]
    turned = [
        Camera(
            yaw=camera.yaw + 2 * math.pi * 17 / 131,
            pitch=camera.pitch,
            roll=0.0,
            fov_x=camera.fov_x,
            height=40,
            width=40,
        )
        for camera in zigzag_tiles(40)
    ]
    straight = merge_tiles(tiles, zigzag_tiles(40), 65, 131)
    np.testing.assert_allclose(merge_tiles(tiles, turned, 65, 131), np.roll(straight, 17, axis=1), atol=1e-5)


def test_a_tile_leaves_no_edge():
    # Two tiles that disagree by 1, half overlapping: the merged map goes from one to the other in small steps.
    cameras = [
        Camera(yaw=yaw, pitch=0.0, roll=0.0, fov_x=math.pi / 2, height=64, width=64) for yaw in (0.0, math.pi / 4)
    ]
    merged = merge_tiles([np.zeros((64, 64), np.float32), np.ones((64, 64), np.float32)], cameras, 128, 256)
    row = merged[64]
    known = row[~np.isnan(row)]
    assert known[0] == 0
    assert known[-1] == 1
    assert (np.diff(known) >= -1e-6).all()
    assert np.diff(known).max() < 2.5 / 32  # 32 columns of overlap; a cubic step is 1.5 times as steep in its middle


def test_where_a_tile_knows_nothing_the_others_decide():
    cameras = [Camera(yaw=0.0, pitch=0.0, roll=0.0, fov_x=math.pi / 2, height=64, width=64)] * 2
    first, second = np.full((64, 64), 1.0, np.float32), np.full((64, 64), 3.0, np.float32)
    first[:, :32] = np.nan
    second[20:30, 40:50] = np.nan
    merged = merge_tiles([first, second], cameras, 128, 256)
    np.testing.assert_allclose(merged[60:68, 100:125], 3)
    np.testing.assert_allclose(merged[70:80, 132:150], 2)
    assert np.isnan(merged[64, 0])
    assert np.isnan(merge_tiles([np.full((64, 64), np.nan, np.float32)], cameras[:1], 128, 256)).all()


def test_a_pixel_with_one_unknown_channel_is_unknown():
    view = Camera(yaw=0.0, pitch=0.0, roll=0.0, fov_x=math.pi / 2, height=8, width=8)
    tile = np.ones((8, 8, 3), np.float32)
    tile[..., 1] = np.nan
    assert np.isnan(merge_tiles([tile], [view], 16, 32)).all()


@pytest.mark.parametrize("kind", [np.uint8, np.bool_, np.float64])
def test_the_kind_of_the_tiles_stays(kind):
    truth = (
        (smooth(erp_rays(128, 256)) > 0.2)
        if kind == np.bool_
        else (100 * smooth(erp_rays(128, 256)) + 100).astype(kind)
    )
    cameras = icosahedron_tiles(64)
    merged = merge_tiles([erp_to_camera(truth, camera) for camera in cameras], cameras, 128, 256)
    assert merged.dtype == kind
    if kind == np.bool_:
        assert (merged != truth).mean() < 0.02
    else:
        np.testing.assert_allclose(merged.astype(float), truth.astype(float), atol=3)


def test_one_tile_is_laid_where_camera_to_erp_lays_it():
    view = Camera(yaw=3.0, pitch=0.9, roll=0.2, fov_x=1.4, height=50, width=60)
    tile = smooth(view.rays()).astype(np.float32)
    values, weights = camera_to_erp(tile, view, 65, 131)
    np.testing.assert_allclose(merge_tiles([tile], [view], 65, 131), values, rtol=1e-5)
    assert np.array_equal(weights > 0, ~np.isnan(values))


@pytest.mark.parametrize(
    ("tiles", "count"),
    [([np.zeros((8, 8))], 2), ([], 0), ([np.zeros((8, 9))], 1), ([np.zeros((8, 8)), np.zeros((8, 8), np.float32)], 2)],
)
def test_tiles_that_do_not_fit_their_cameras_are_refused(tiles, count):
    with pytest.raises(ValueError, match="got"):
        merge_tiles(tiles, cube_tiles(8)[:count], 16, 32)


def test_labels_are_refused():
    with pytest.raises(TypeError, match="scores"):
        merge_tiles([np.zeros((8, 8), np.int16)], cube_tiles(8)[:1], 16, 32)


def stripes(directions):
    """Inverse range of a near pole in front of a far wall."""
    directions = np.asarray(directions, np.float64)
    return np.where(np.abs(directions[..., 0]) < 0.3, 1.0, 0.2)


@pytest.mark.parametrize("size", [(64, 128), (65, 131), (150, 301)])
def test_between_two_surfaces_no_third_one_arises(size):
    cameras = icosahedron_tiles(80)
    merged, _ = merge_surfaces([stripes(camera.rays()).astype(np.float32) for camera in cameras], cameras, *size)
    within = np.minimum(np.abs(merged - 1), np.abs(merged - 0.2))
    # Where a pixel of the panorama holds several of the tiles, it is their mean.
    assert (within > 0.02).mean() < (0.03 if size[0] == 150 else 0.12)
    rays = erp_rays(*size)
    apart = np.abs(np.abs(rays[..., 0]) - 0.3) > 4 * math.pi / size[0]
    np.testing.assert_allclose(merged[apart], stripes(rays)[apart], atol=1e-6)


def test_on_one_surface_tiles_that_disagree_pass_smoothly_into_each_other():
    cameras = icosahedron_tiles(80)
    tiles = [np.full((80, 80), 1 + 0.1 * (n % 2), np.float32) for n in range(12)]
    merged, _ = merge_surfaces(tiles, cameras, 150, 301)
    np.testing.assert_allclose(merged, merge_tiles(tiles, cameras, 150, 301), atol=1e-5)


def test_surfaces_that_no_tile_knows_are_unknown():
    cameras = cube_tiles(40)
    tiles = [np.ones((40, 40), np.float32) for _ in cameras]
    tiles[4][:] = np.nan
    merged, weights = merge_surfaces(tiles, cameras, 40, 80)
    assert np.isnan(merged[:5]).all()
    assert (weights[:5] == 0).all()
    assert (weights[np.isfinite(merged)] > 0).all()
    assert np.isfinite(merged[20:]).all()
    with pytest.raises(ValueError, match="one tile per camera"):
        merge_surfaces(tiles[:2], cameras, 40, 80)
