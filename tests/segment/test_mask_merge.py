"""What views say, laid back onto the sphere."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fake_network import band, cap
from hypothesis import given
from hypothesis import strategies as st

from core.geometry.camera import Camera
from core.geometry.sphere import erp_rays, solid_angle
from core.geometry.tiling import zigzag_tiles
from core.geometry.warp import camera_to_erp, erp_to_camera, resize_erp
from core.segment.merge import LIMIT, RULE, SeenView, merge_logits, merge_mask, project_logits
from core.segment.options import Merge

HEIGHT = 512
OBJECTS = {
    "ahead": cap(HEIGHT, 10, 5, 15),
    "across the seam": cap(HEIGHT, 179, -10, 20),
    "over the upper pole": cap(HEIGHT, 30, 88, 25),
    "over the lower pole": cap(HEIGHT, -70, -85, 30),
    "half the sphere": cap(HEIGHT, 40, 20, 90),
    "all the way round": band(HEIGHT, -20, 10),
}


def sphere_iou(a, b):
    weights = solid_angle(*a.shape)
    return float(((a & b) * weights).sum() / ((a | b) * weights).sum())


def views_of(bits, size=160, fov=math.pi / 2):
    logits = np.where(bits, 8, -8).astype(np.float32)
    return [SeenView(camera, erp_to_camera(logits, camera)) for camera in zigzag_tiles(size, fov_x=fov)]


@pytest.mark.parametrize("how", Merge)
@pytest.mark.parametrize("name", OBJECTS)
def test_an_ideal_mask_in_views_comes_back_whole(name, how):
    bits = OBJECTS[name]
    assert sphere_iou(merge_mask(views_of(bits), *bits.shape, how), bits) > 0.99


@pytest.mark.parametrize(("height", "width"), [(101, 201), (333, 666), (130, 259)])
def test_a_photograph_of_any_size_is_merged_onto(height, width):
    bits = OBJECTS["across the seam"] | OBJECTS["over the upper pole"]
    expected = resize_erp(bits, height, width)
    for how in Merge:
        assert sphere_iou(merge_mask(views_of(bits), height, width, how), expected) > 0.97


@pytest.mark.parametrize("how", Merge)
def test_the_mask_is_where_the_logits_are_positive(how):
    bits = OBJECTS["over the lower pole"]
    views = views_of(bits, 64)
    with np.errstate(invalid="ignore"):
        assert np.array_equal(merge_mask(views, *bits.shape, how), merge_logits(views, *bits.shape, how) > 0)


def reference(views, height, width, how):
    """The merge by way of the geometry's own inverse mapping, view by view."""
    best = np.full((height, width), -np.inf)
    sums, weights = np.zeros((height, width)), np.zeros((height, width))
    for view in views:
        camera = view.answer_camera
        values, seen = camera_to_erp(np.clip(view.logits, -LIMIT, LIMIT), camera, height, width)
        u, v = project_grid(camera, height, width)
        known = seen > 0
        best[known] = np.maximum(best[known], values[known])
        x, y = (1 - np.abs(2 * w / camera.width - 1) for w in (u, v))
        weight = np.maximum(x**2 * (3 - 2 * x) * y**2 * (3 - 2 * y), 1e-6) * view.trust
        sums[known] += (weight * values)[known]
        weights[known] += weight[known]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isinf(best), np.nan, best) if how is Merge.MAX else sums / weights


def project_grid(camera, height, width):
    return camera.project(erp_rays(height, width).astype(np.float64))


@pytest.mark.parametrize("how", Merge)
def test_merged_logits_are_those_of_the_views_one_by_one(how):
    generator = np.random.default_rng(3)
    views = [
        SeenView(camera, generator.normal(0, 3, (40, 40)).astype(np.float32), trust=0.2 + generator.random())
        for camera in zigzag_tiles(40)
    ]
    merged, expected = merge_logits(views, 64, 128, how), reference(views, 64, 128, how)
    known = ~np.isnan(merged)
    assert known.mean() > 0.99  # random logits leave no block without a positive one
    np.testing.assert_allclose(merged[known], expected[known], atol=2e-3)


@pytest.mark.parametrize("how", Merge)
@given(
    yaw=st.floats(-math.pi, math.pi),
    pitch=st.floats(-1.5, 1.5),
    fov=st.floats(0.2, 1.9),
    row=st.integers(0, 31),
    col=st.integers(0, 31),
)
def test_nothing_positive_is_left_out_however_small_it_is(how, yaw, pitch, fov, row, col):
    logits = np.full((32, 32), -8, np.float32)
    logits[row, col] = 8
    views = [SeenView(Camera(yaw, pitch, 0.0, fov, 32, 32), logits)]
    expected = np.nan_to_num(reference(views, 128, 256, how), nan=-1)
    found = merge_mask(views, 128, 256, how)
    sure = np.abs(expected) > 0.05
    if 32 / 2 / math.tan(fov / 2) < math.sqrt(2) * 128 / math.pi:  # finer views are averaged first
        assert np.array_equal(found[sure], (expected > 0)[sure])


@pytest.mark.parametrize("how", Merge)
def test_a_roll_by_whole_columns_rolls_the_mask_exactly(how):
    generator = np.random.default_rng(5)
    cameras = zigzag_tiles(48)
    logits = [generator.normal(-1, 3, (48, 48)).astype(np.float32) for _ in cameras]
    turned = [replace(camera, yaw=math.remainder(camera.yaw + math.pi / 4, 2 * math.pi)) for camera in cameras]
    still = merge_mask([SeenView(c, x) for c, x in zip(cameras, logits, strict=True)], 128, 256, how)
    rolled = merge_mask([SeenView(c, x) for c, x in zip(turned, logits, strict=True)], 128, 256, how)
    assert np.array_equal(np.roll(still, 32, axis=1), rolled)


def test_one_false_view_wins_the_maximum_and_loses_the_mean():
    bits = OBJECTS["ahead"]
    views = views_of(bits, 96)
    views[3] = replace(views[3], logits=np.full((96, 96), 2, np.float32))
    assert sphere_iou(merge_mask(views, *bits.shape, Merge.MAX), bits) < 0.5
    assert sphere_iou(merge_mask(views, *bits.shape, Merge.MEAN), bits) > 0.85


def test_nobody_is_asked_beside_a_view_that_rules():
    camera = Camera(0.5, 0.2, 0.0, 1.0, 64, 64)
    no = SeenView(camera, np.full((64, 64), -3, np.float32), rules=True)
    yes = [SeenView(tile, np.full((64, 64), 9, np.float32)) for tile in zigzag_tiles(64)]
    u, v = project_grid(camera, 128, 256)
    ruled = (np.abs(u / 32 - 1) < RULE - 0.01) & (np.abs(v / 32 - 1) < RULE - 0.01)
    outside = np.isnan(u) | (np.abs(u / 32 - 1) > 1.01) | (np.abs(v / 32 - 1) > 1.01)
    for how in Merge:
        merged = merge_mask([*yes, no], 128, 256, how)
        assert not merged[ruled].any()
        assert merged[outside].all()


def test_unknown_logits_have_no_say():
    logits = np.full((64, 64), np.nan, np.float32)
    logits[:, :32] = 5
    camera = Camera(0.0, 0.0, 0.0, math.pi / 2, 64, 64)
    no = SeenView(camera, np.full((64, 64), -1, np.float32), trust=1e-3)
    assert merge_mask([SeenView(camera, logits), no], 64, 128, Merge.MEAN).sum() == pytest.approx(
        merge_mask([SeenView(camera, np.full((64, 64), 5, np.float32))], 64, 128, Merge.MEAN).sum() / 2, rel=0.05
    )


def test_a_prior_is_what_the_neighbour_sees_at_each_pixel():
    first = Camera(0.3, 0.1, 0.0, math.pi / 2, 200, 200)
    second = Camera(0.3 + math.pi / 4, -0.2, 0.0, math.pi / 2, 200, 200)
    # A linear function of the pixels is interpolated exactly, so the projection itself is what is compared.
    ramp = np.tile((np.arange(200) + 0.5 - 100) / 20, (200, 1)).astype(np.float32)
    told = project_logits([SeenView(first, ramp)], second, Merge.MAX)
    expected_u, expected_v = first.project(second.rays())
    inside = (np.minimum(expected_u, expected_v) > 0.5) & (np.maximum(expected_u, expected_v) < 199.5)
    assert inside.sum() > 1000
    np.testing.assert_allclose(told[inside] * 20 + 100, expected_u[inside], atol=1e-3)
    outside = (
        np.isnan(expected_u) | (np.minimum(expected_u, expected_v) < 0) | (np.maximum(expected_u, expected_v) > 200)
    )
    assert np.isnan(told[outside]).all()


def test_without_views_nothing_is_inside():
    assert not merge_mask([], 32, 64, Merge.MEAN).any()
    assert np.isnan(project_logits([], Camera(0, 0, 0, 1, 8, 8), Merge.MEAN)).all()
