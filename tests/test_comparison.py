"""Two predictions compared: known values, the seam, other sizes, what is not known."""

import numpy as np
import pytest

from core.comparison import Overlap, compare, median_scale, overlap, overlap_iou
from core.geometry.sphere import erp_angles, erp_rays, solid_angle
from core.geometry.warp import resize_erp
from core.mask import SphereMask
from core.prediction import Prediction

SIZE = 16, 32
NAMES = "wall", "floor", "sky"


def prediction(depth=None, **maps):
    return Prediction(depth=None if depth is None else np.asarray(depth, np.float32), **maps)


def constant(value, size=SIZE):
    return np.full(size, value, np.float32)


def smooth(height, width):
    lon, lat = erp_angles(height, width)
    return (3 + np.cos(lon)[None] * np.cos(lat)[:, None]).astype(np.float32)


def test_equal_predictions_do_not_differ():
    depth = smooth(*SIZE)
    one = prediction(
        depth,
        normals=-erp_rays(*SIZE),
        classes=np.zeros(SIZE, np.int16),
        class_names=NAMES,
        far=erp_angles(*SIZE)[1][:, None] > np.zeros(SIZE),
    )
    figures = compare(one, one, match_scale=False).figures()
    assert (figures.abs_rel, figures.mean_angle, figures.agreement, figures.far_iou) == (0, 0, 1, 1)
    assert (figures.depth_share, figures.normals_share, figures.classes_share) == pytest.approx((1, 1, 1))


def test_the_difference_is_relative_to_the_second():
    found = compare(prediction(constant(3)), prediction(constant(4)), match_scale=False)
    np.testing.assert_array_equal(found.depth_difference(), constant(-0.25))
    assert found.figures().abs_rel == pytest.approx(0.25)
    assert found.scale == 1


def test_averages_are_weighted_by_solid_angle():
    depth = constant(2)
    depth[0] = 3
    figures = compare(prediction(depth), prediction(constant(2)), match_scale=False).figures()
    cap = solid_angle(*SIZE)[0, 0] * SIZE[1] / (4 * np.pi)
    assert cap < 1 / SIZE[0] / 3
    assert figures.abs_rel == pytest.approx(0.5 * cap, rel=1e-6)


def test_a_common_factor_is_taken_out():
    a, b = prediction(smooth(*SIZE), is_metric=True), prediction(smooth(*SIZE) / 7)
    raw, matched = compare(a, b, match_scale=False), compare(a, b, match_scale=True)
    assert raw.figures().abs_rel == pytest.approx(6, rel=1e-5)
    assert matched.scale == pytest.approx(7, rel=1e-6)
    assert matched.figures().abs_rel == pytest.approx(0, abs=1e-6)
    assert matched.b.is_metric
    assert not raw.b.is_metric


def test_the_scale_is_the_median_by_area_and_not_by_pixels():
    a = constant(1)
    # Most rows lie beyond 35 degrees, but less than half of the sphere.
    lat = np.abs(np.degrees(erp_angles(*SIZE)[1]))
    a[lat > 35] = 5
    assert (a == 5).mean() > 0.5
    assert median_scale(a, constant(1)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_median_is_that_of_all_ratios_in_their_order(seed):
    rng = np.random.default_rng(seed)
    a, b = np.exp(rng.normal(size=(2, *SIZE)) * 3).astype(np.float32)
    ratio = (a / b).ravel()
    weights = np.broadcast_to(solid_angle(*SIZE), SIZE).ravel()
    order = np.argsort(ratio)
    reached = np.cumsum(weights[order])
    assert median_scale(a, b) == ratio[order][np.searchsorted(reached, reached[-1] / 2)]


def test_what_either_does_not_know_is_left_out():
    a, b = constant(2), constant(2)
    a[3], b[5], b[6], a[7] = np.nan, np.nan, 0, np.inf
    a[9] = 4
    found = compare(prediction(a), prediction(b), match_scale=False)
    difference = found.depth_difference()
    assert np.isnan(difference[[3, 5, 6, 7]]).all()
    known = [row for row in range(SIZE[0]) if row not in (3, 5, 6, 7)]
    assert np.isfinite(difference[known]).all()
    area = solid_angle(*SIZE)[:, 0]
    assert found.figures().depth_share == pytest.approx(area[known].sum() / area.sum())
    assert found.figures().abs_rel == pytest.approx(area[9] / area[known].sum())


def test_nothing_known_has_no_figure():
    empty = prediction(constant(np.nan))
    figures = compare(empty, empty, match_scale=True).figures()
    assert figures.abs_rel is None
    assert figures.depth_share == 0
    assert figures.mean_angle is None
    assert median_scale(constant(np.nan), constant(1)) == 1


@pytest.mark.parametrize("degrees", [0.0, 1e-4, 30.0, 90.0, 179.99])
def test_the_angle_between_normals_is_exact(degrees):
    a = np.zeros((*SIZE, 3), np.float32)
    a[..., 0] = 1
    b = np.zeros_like(a)
    b[..., 0], b[..., 1] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    found = compare(prediction(normals=a), prediction(normals=b), match_scale=True)
    np.testing.assert_allclose(np.degrees(found.normal_angle()), degrees, rtol=1e-6, atol=1e-12)
    assert np.degrees(found.figures().mean_angle) == pytest.approx(degrees, rel=1e-6)


def test_unknown_normals_have_no_angle():
    a = np.zeros((*SIZE, 3), np.float32)
    a[..., 2] = 1
    b = a.copy()
    b[4] = np.nan
    found = compare(prediction(normals=a), prediction(normals=b), match_scale=False)
    assert np.isnan(found.normal_angle()[4]).all()
    assert found.figures().mean_angle == 0


def test_classes_are_compared_by_name():
    a = np.array([[0, 1, 2, -1]] * 2, np.int16)
    b = np.array([[1, 1, 0, 0]] * 2, np.int16)
    found = compare(
        prediction(classes=a, class_names=("wall", "floor", "sky")),
        prediction(classes=b, class_names=("tree", "wall")),
        match_scale=False,
    )
    np.testing.assert_array_equal(found.classes_differ(), [[0, 1, 1, -1]] * 2)
    assert found.b.class_names == ("wall", "floor", "sky", "tree")
    np.testing.assert_array_equal(found.b.classes, [[0, 0, 3, 3]] * 2)
    assert found.figures().agreement == pytest.approx(1 / 3)
    assert found.figures().classes_share == pytest.approx(3 / 4)


def test_masks_are_only_in_one_or_in_both():
    a = np.array([[1, 1, 0, 0]] * 2, bool)
    b = np.array([[0, 1, 1, 0]] * 2, bool)
    held = overlap(a, b)
    np.testing.assert_array_equal(held, [[Overlap.ONLY_A, Overlap.BOTH, Overlap.ONLY_B, Overlap.NEITHER]] * 2)
    assert overlap_iou(held) == pytest.approx(1 / 3)
    assert overlap_iou(overlap(a & False, b & False)) is None
    assert compare(prediction(far=a), prediction(far=b), match_scale=True).figures().far_iou == pytest.approx(1 / 3)


def test_the_overlap_of_masks_is_that_of_segments():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, *SIZE)) > 0.6
    assert overlap_iou(overlap(a, b)) == pytest.approx(SphereMask.pack(a).iou(SphereMask.pack(b)))


@pytest.mark.parametrize("sizes", [((16, 32), (8, 16)), ((8, 16), (16, 32)), ((15, 30), (32, 64))])
def test_other_sizes_meet_by_direction_on_the_finer_grid(sizes):
    (height, width), other = sizes
    found = compare(prediction(smooth(height, width)), prediction(smooth(*other)), match_scale=False)
    assert found.size == max(sizes)
    assert np.abs(found.depth_difference()).max() < 0.02
    coarse, fine = (found.a, found.b) if height < other[0] else (found.b, found.a)
    np.testing.assert_array_equal(fine.depth, smooth(*max(sizes)))
    np.testing.assert_array_equal(coarse.depth, resize_erp(smooth(*min(sizes)), *max(sizes)))


@pytest.mark.parametrize("shift", [1, 7, 16, 31])
def test_a_roll_of_both_rolls_the_difference(shift):
    """The seam is no place of its own, also between grids of other sizes."""
    rng = np.random.default_rng(1)
    a, b = rng.uniform(1, 5, SIZE).astype(np.float32), rng.uniform(1, 5, (8, 16)).astype(np.float32)
    far = rng.random(SIZE) > 0.5
    plain = compare(prediction(a, far=far), prediction(resize_erp(b, *SIZE), far=~far), match_scale=True)
    rolled = compare(
        prediction(np.roll(a, shift, axis=1), far=np.roll(far, shift, axis=1)),
        prediction(np.roll(resize_erp(b, *SIZE), shift, axis=1), far=np.roll(~far, shift, axis=1)),
        match_scale=True,
    )
    np.testing.assert_array_equal(rolled.depth_difference(), np.roll(plain.depth_difference(), shift, axis=1))
    assert rolled.figures().abs_rel == pytest.approx(plain.figures().abs_rel, rel=1e-12)
    if shift % 2 == 0:
        coarse = compare(prediction(a), prediction(b), match_scale=False).depth_difference()
        turned = compare(
            prediction(np.roll(a, shift, axis=1)), prediction(np.roll(b, shift // 2, axis=1)), match_scale=False
        )
        np.testing.assert_allclose(turned.depth_difference(), np.roll(coarse, shift, axis=1), rtol=1e-5, atol=1e-6)


def test_only_what_both_have_is_compared():
    depth_only = prediction(constant(1))
    normals_only = prediction(normals=-erp_rays(*SIZE))
    found = compare(depth_only, normals_only, match_scale=True)
    assert found.shared() == ()
    assert found.figures().abs_rel is None
    with pytest.raises(ValueError, match="nothing to compare"):
        found.depth_difference()
