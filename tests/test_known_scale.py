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


@pytest.mark.parametrize("true", [1e-5, 1e5])
def test_no_depth_is_so_wrong(true):
    with pytest.raises(ScaleRefused, match="check both points"):
        KnownScale().with_length(relative(), 1.0, true)


@pytest.mark.parametrize("height", [0.9 * CAMERA_HEIGHTS[0], 1.1 * CAMERA_HEIGHTS[1]])
def test_a_camera_stands_not_so_high_or_low(height):
    prediction = Prediction(np.ones((4, 8), np.float32), camera_height=2.0, is_metric=True)
    with pytest.raises(ScaleRefused, match="check both points"):
        KnownScale().with_length(prediction, 1.0, height / 2.0)
