import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.geometry.sphere import erp_rays, solid_angle
from training.metrics import (
    Confusion,
    angular_errors,
    depth_scores,
    mask_iou,
    normal_scores,
    weighted_median,
)

NAN = np.nan


def test_a_perfect_depth_has_no_error():
    truth = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    scores = depth_scores(truth, truth)
    assert (scores.absrel, scores.delta1, scores.rmse, scores.scale, scores.missing) == (0, 1, 0, 1, 0)


def test_the_two_rows_of_a_small_grid_weigh_the_same_and_errors_are_exact():
    truth = np.full((2, 4), 2.0)
    depth = truth.copy()
    depth[0] = 3.0
    scores = depth_scores(depth, truth, align=False)
    assert scores.absrel == pytest.approx(0.25, abs=1e-15)
    assert scores.delta1 == pytest.approx(0.5, abs=1e-15)
    assert scores.rmse == pytest.approx(np.sqrt(0.5), abs=1e-15)


def test_rows_weigh_by_their_solid_angle():
    truth = np.ones((4, 8))
    depth = truth.copy()
    depth[0] = 1.5  # the polar row covers (1 - sin 45 deg) / 2 of the sphere
    share = (1 - np.sin(np.pi / 4)) / 2
    assert depth_scores(depth, truth, align=False).absrel == pytest.approx(0.5 * share, abs=1e-15)
    assert depth_scores(depth, truth, align=False).delta1 == pytest.approx(1 - share, abs=1e-15)


@given(
    depth=hnp.arrays(np.float64, (4, 8), elements=st.floats(0.1, 50)),
    factor=st.floats(0.01, 100),
)
@settings(max_examples=50)
def test_aligned_scores_do_not_depend_on_the_unit_of_the_prediction(depth, factor):
    truth = np.linspace(1, 9, 32).reshape(4, 8)
    one, other = depth_scores(depth, truth), depth_scores(factor * depth, truth)
    assert other.absrel == pytest.approx(one.absrel, rel=1e-9, abs=1e-12)
    assert other.scale * factor == pytest.approx(one.scale, rel=1e-9)


def test_without_alignment_a_wrong_unit_is_an_error():
    truth = np.full((2, 4), 2.0)
    scores = depth_scores(2 * truth, truth, align=False)
    assert (scores.absrel, scores.delta1, scores.rmse) == (1, 0, 2)
    assert depth_scores(2 * truth, truth).absrel == 0


@pytest.mark.parametrize("nothing", [NAN, np.inf, 0.0, -1.0])
def test_a_pixel_without_a_range_counts_as_range_zero(nothing):
    truth = np.full((2, 4), 4.0)
    depth = truth.copy()
    depth[1, :2] = nothing
    for align in (True, False):
        scores = depth_scores(depth, truth, align=align)
        assert scores.absrel == pytest.approx(0.25, abs=1e-15)
        assert scores.delta1 == pytest.approx(0.75, abs=1e-15)
        assert scores.rmse == pytest.approx(2.0, abs=1e-15)
        assert scores.missing == pytest.approx(0.25, abs=1e-15)


def test_a_prediction_without_any_range_is_wholly_wrong():
    scores = depth_scores(np.full((2, 4), NAN), np.ones((2, 4)))
    assert (scores.absrel, scores.delta1, scores.rmse, scores.missing) == (1, 0, 1, 1)


def test_only_pixels_with_a_known_truth_are_judged():
    truth = np.array([[1.0, NAN, 1, 0], [1, 1, NAN, 1]])
    depth = np.where(np.isfinite(truth) & (truth > 0), 1.0, 77.0)
    assert depth_scores(depth, truth).absrel == 0
    with pytest.raises(ValueError, match="no pixel has a true range"):
        depth_scores(depth, np.full((2, 4), NAN))


def test_maps_of_different_grids_are_refused():
    with pytest.raises(ValueError, match="one grid"):
        depth_scores(np.ones((2, 4)), np.ones((4, 8)))
    with pytest.raises(ValueError, match="one grid"):
        normal_scores(np.ones((2, 4, 3)), np.ones((4, 8, 3)))


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [([3.0, 1, 2], [1.0, 1, 1], 2), ([1.0, 2, 3], [5.0, 1, 1], 1), ([1.0, 2, 3], [1.0, 1, 5], 3), ([7.0], [0.1], 7)],
)
def test_the_weighted_median_has_half_of_the_weight_at_or_below_it(values, weights, expected):
    assert weighted_median(values, weights) == expected


def test_angles_of_normals_are_exact_and_a_missing_one_is_ninety_degrees():
    truth = np.tile([0.0, 0, 1], (4, 1))
    said = np.array([[0.0, 0, 2], [1, 0, 0], [0, 1, 1], [NAN, NAN, NAN]])
    np.testing.assert_allclose(np.degrees(angular_errors(said, truth)), [0, 90, 45, 90], atol=1e-13)
    assert np.degrees(angular_errors(np.zeros(3), truth[0])) == pytest.approx(90)


def test_normal_scores_of_a_half_wrong_sphere():
    truth = -erp_rays(4, 8)
    said = truth.copy()
    said[2:] *= -1
    scores = normal_scores(said, truth)
    assert scores.mean_deg == pytest.approx(90, abs=1e-5)
    assert scores.within_11 == pytest.approx(0.5, abs=1e-12)
    assert scores.missing == 0


def test_unknown_true_normals_are_not_judged_and_missing_answers_are_wrong():
    truth = np.tile(np.array([0.0, 1, 0]), (2, 4, 1))
    truth[0, 0] = NAN
    truth[0, 1] = 0
    said = np.tile(np.array([0.0, 1, 0]), (2, 4, 1))
    said[0, :2] = (1, 0, 0)
    said[1, 0] = NAN
    scores = normal_scores(said, truth)
    assert scores.mean_deg == pytest.approx(90 / 6, abs=1e-12)
    assert scores.within_11 == pytest.approx(5 / 6, abs=1e-12)
    assert scores.missing == pytest.approx(1 / 6, abs=1e-12)


def test_mask_iou_weighs_by_solid_angle():
    mask, truth = np.zeros((4, 8), bool), np.zeros((4, 8), bool)
    truth[:2] = True
    mask[1] = True
    area = solid_angle(4, 8)[:, 0]
    assert mask_iou(mask, truth) == pytest.approx(area[1] / (area[0] + area[1]), abs=1e-15)
    assert mask_iou(truth & False, truth & False) == 1
    assert mask_iou(mask, truth & False) == 0


def test_class_ious_of_a_small_picture_are_exact():
    confusion = Confusion(["wall", "floor", "sky"])
    truth = np.array([[0, 0, 0, 0], [1, 1, 1, 255]])
    said = np.array([[0, 0, 0, 1], [1, 1, -1, 2]])
    confusion.add(said, truth)
    ious = confusion.ious()
    assert ious == {"wall": pytest.approx(3 / 4, abs=1e-15), "floor": pytest.approx(2 / 4, abs=1e-15)}
    assert confusion.mean_iou() == pytest.approx(0.625, abs=1e-15)


def test_class_areas_add_up_over_pictures():
    both, half = Confusion(["a", "b"]), Confusion(["a", "b"])
    both.add([[0, 0]], [[0, 1]])
    both.add([[1, 1]], [[0, 1]])
    half.add([[0, 0, 1, 1]], [[0, 1, 0, 1]])
    assert both.mean_iou() == pytest.approx(half.mean_iou()) == pytest.approx(1 / 3)


def test_nothing_judged_has_no_mean():
    confusion = Confusion(["a"])
    confusion.add([[0, 0]], [[255, -1]])
    assert confusion.ious() == {}
    assert np.isnan(confusion.mean_iou())


def test_a_group_counts_its_classes_as_one():
    confusion = Confusion(["table", "wall", "chair"])
    confusion.add([[2, 2, 1, 1], [1, 1, 0, 1]], [[0, 2, 0, 1], [1, 1, 0, 1]])
    grouped = confusion.grouped({"furniture": ["table", "chair"]})
    assert grouped.names == ("furniture", "wall")
    assert grouped.ious() == {"furniture": pytest.approx(3 / 4), "wall": pytest.approx(4 / 5)}
    with pytest.raises(ValueError, match="sofa"):
        confusion.grouped({"furniture": ["sofa"]})
