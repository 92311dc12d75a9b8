"""The teacher that knows the answer, and the table of details that it makes possible."""

import math
from dataclasses import replace

import numpy as np
import pytest

from core.geometry.camera import Camera
from core.geometry.sphere import erp_rays
from core.geometry.tiling import icosahedron_tiles
from core.models.detail import refine_by_tiles
from core.models.tiled import DepthKind, predict_on_tiles, read_tiles
from core.prediction import Prediction
from training.detail import coarse_truth, depth_edges, detail_scores, detail_table, larger
from training.teachers import WorldTeacher
from training.truths import Truth

SIZE = 512, 1024


def world():
    """A ball of 2 m around the camera with a round pillar of 1 m in front of it, and a hole of sky above."""
    rays = erp_rays(*SIZE)
    pillar = np.arccos(np.clip(rays[..., 2], -1, 1)) < 0.4
    far = rays[..., 1] < -0.9
    depth = np.where(pillar, 1.0, 2.0).astype(np.float32)
    rgb = np.repeat(np.where(pillar, 220, 60).astype(np.uint8)[..., None], 3, axis=-1)
    return Truth(
        "world",
        np.where(far[..., None], np.uint8(255), rgb),
        depth=np.where(far, np.float32(np.nan), depth),
        normals=-rays,
        classes=np.where(far, 2, pillar).astype(np.int16),
        class_names=("ball", "pillar", "sky"),
        far=far,
        is_metric=True,
    )


def test_any_view_of_a_world_is_told_as_the_world_says():
    camera = Camera(yaw=0.5, pitch=-0.3, roll=0.7, fov_x=1.8, height=96, width=96)
    truth = world()
    (reading,) = read_tiles(WorldTeacher(truth, size=96), truth.rgb, [camera])
    rays = camera.rays()
    along = rays @ camera.world_from_camera[:, 2]
    pillar = np.arccos(np.clip(rays[..., 2], -1, 1)) < 0.4
    clear = np.abs(np.arccos(np.clip(rays[..., 2], -1, 1)) - 0.4) > 0.02
    np.testing.assert_allclose(reading.depth[clear], (np.where(pillar, 1.0, 2.0) * along)[clear], rtol=1e-5)
    np.testing.assert_array_equal(reading.chances.argmax(axis=-1)[clear], pillar[clear])
    np.testing.assert_allclose(reading.normals, -rays, atol=0.01)
    assert not reading.far.any()


@pytest.mark.parametrize("kind", DepthKind)
def test_a_world_comes_back_from_its_tiles(kind):
    truth = world()
    said = predict_on_tiles(
        WorldTeacher(truth, depth_kind=kind, size=128), truth.rgb, icosahedron_tiles(128), size=(128, 256)
    )
    wanted = truth.depth[2::4, 2::4]
    edges = depth_edges(truth.depth)[2::4, 2::4]
    beside = np.zeros_like(edges)
    for shift in range(-2, 3):
        beside |= np.roll(edges, shift, axis=1) | np.roll(edges, shift, axis=0)
    ratio = said.depth / wanted
    ratio /= 1.0 if kind is DepthKind.METRIC else np.nanmedian(ratio)
    assert np.nanmax(np.abs(ratio[~beside] - 1)) < 0.01
    np.testing.assert_array_equal(said.far[~beside], truth.far[2::4, 2::4][~beside])
    np.testing.assert_array_equal(said.classes[~beside], truth.classes[2::4, 2::4][~beside])


def test_edges_are_where_ranges_jump_also_across_the_seam():
    truth = np.full((64, 128), 2.0, np.float32)
    truth[:, 126:] = truth[:, :3] = 1.0
    edges = depth_edges(truth)
    np.testing.assert_array_equal(np.flatnonzero(edges[30]), [0, 1, 2, 3, 4, 5, 6, *range(122, 128)][:13])
    assert not edges[:, 20:110].any()
    assert not depth_edges(np.full((64, 128), 3.0, np.float32)).any()


def test_the_table_tells_the_ways_apart_and_an_erring_teacher():
    truth = world()
    coarse = replace(coarse_truth(truth))
    assert coarse.size == (256, 512)
    rows = [
        ("world", f"truth, coarse: {way}", detail_scores(depth, truth.depth)) for way, depth in larger(coarse, truth)
    ]
    bilinear, guided, tiles, erring = (scores for *_, scores in rows)
    assert tiles.edge_wrong < guided.edge_wrong < bilinear.edge_wrong
    assert tiles.absrel < 0.01
    assert erring.absrel > tiles.absrel
    table = detail_table(rows, "folder", "pano-s")
    assert table.row_count == 4
    exact = detail_scores(3 * truth.depth, truth.depth)
    assert (exact.absrel, exact.edge_absrel, exact.edge_wrong) == pytest.approx((0, 0, 0), abs=1e-6)


def test_a_teacher_without_depth_cannot_refine():
    truth = replace(world(), depth=None)
    teacher = WorldTeacher(truth)
    assert teacher.depth_kind is None
    start = Prediction(depth=np.ones((8, 16), np.float32))
    with pytest.raises(ValueError, match="depth"):
        refine_by_tiles(start, start.depth, truth.rgb, teacher)
    assert math.isnan(detail_scores(np.ones((8, 16), np.float32), np.ones((8, 16), np.float32)).edge_wrong)
