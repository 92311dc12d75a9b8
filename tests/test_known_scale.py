"""A true length sets the scale of any depth, and an impossible one is refused."""

import numpy as np
import pytest

from core.known_scale import FACTORS, KnownScale, ScaleRefused
from core.prediction import CAMERA_HEIGHTS, Prediction


def relative(unit=1.0):
    return Prediction(np.full((4, 8), unit, np.float32), model="some")


@pytest.mark.parametrize("change", [FACTORS[0], 0.002, 1.0, 300.0, FACTORS[1]])
def test_a_depth_in_any_unit_follows_a_length(change):
    """Also in millimetres: no camera height says anything about them."""
    scale = KnownScale().with_length(relative(), 2.0, 2.0 * change)
    np.testing.assert_allclose(scale.apply(relative()).depth, change, rtol=1e-6)
    assert scale.apply(relative()).is_metric


@pytest.mark.parametrize(
    ("height", "doubtful"),
    [(None, False), (1.6, False), (4.5, False), (5.0, True), (0.5, True), (0.6, False), (31.0, True)],
)
def test_a_camera_height_far_from_the_estimate_is_doubted(height, doubtful):
    estimated = Prediction(np.ones((4, 8), np.float32), camera_height=1.6, is_metric=True, model="some")
    assert KnownScale(height).is_doubtful(estimated) is doubtful
    high = Prediction(np.ones((4, 8), np.float32), camera_height=28.0, is_metric=True, model="some")
    assert KnownScale(31.0).is_doubtful(high), "no camera stands so high, whatever a model says"


def test_a_factor_is_doubted_of_metres_alone():
    metres = Prediction(np.ones((4, 8), np.float32), is_metric=True, model="some")
    assert KnownScale(factors={"some": 9.6}).is_doubtful(metres)
    assert not KnownScale(factors={"some": 2.0, "other": 9.6}).is_doubtful(metres)
    assert not KnownScale(factors={"some": 9.6}).is_doubtful(relative())


@pytest.mark.parametrize("true", [1e-5, 1e5])
def test_no_depth_is_so_wrong(true):
    with pytest.raises(ScaleRefused, match="check both points"):
        KnownScale().with_length(relative(), 1.0, true)


@pytest.mark.parametrize("height", [0.9 * CAMERA_HEIGHTS[0], 1.1 * CAMERA_HEIGHTS[1]])
def test_a_camera_stands_not_so_high_or_low(height):
    prediction = Prediction(np.ones((4, 8), np.float32), camera_height=2.0, is_metric=True)
    with pytest.raises(ScaleRefused, match="check both points"):
        KnownScale().with_length(prediction, 1.0, height / 2.0)
