"""A prediction in numbers: no Qt."""

import numpy as np
import pytest
from fake_model import CLASS_NAMES, room

from core.colors import depth_limits
from core.geometry.sphere import solid_angle
from core.prediction import Prediction
from panoviewer.summary import BINS, NO_LIMITS, Summary, summarize


def test_depths_are_counted_between_the_nearest_and_the_farthest():
    depth = room(64, 128)[0]
    summary = summarize(Prediction(depth=depth))
    assert summary.limits == depth_limits(depth)
    assert len(summary.counts) == BINS == len(summary.log_edges) - 1
    assert summary.counts.max() == 1
    inside = (summary.log_edges[0] < np.log10(depth)) & (np.log10(depth) < summary.log_edges[-1])
    assert inside.all()


@pytest.mark.parametrize("value", [np.nan, 0.0, 2.5])
def test_a_depth_that_is_nowhere_known_or_everywhere_the_same_is_counted(value):
    summary = summarize(Prediction(depth=np.full((32, 64), value, np.float32)))
    assert np.isfinite(summary.log_edges).all()
    assert summary.log_edges[0] < summary.log_edges[-1]
    assert np.isfinite(summary.counts).all()


def test_classes_count_by_their_share_of_the_sphere():
    classes = np.zeros((64, 128), np.int16)
    classes[:32] = 2
    classes[:8] = -1
    summary = summarize(Prediction(classes=classes, class_names=CLASS_NAMES))
    weights = np.broadcast_to(solid_angle(64, 128), classes.shape)
    shares = dict(summary.class_shares)
    assert list(shares) == [0, 2]
    for index, share in shares.items():
        assert share == pytest.approx(weights[classes == index].sum() / weights.sum())


def test_a_prediction_without_maps_says_nothing():
    for summary in (Summary(), summarize(Prediction())):
        assert summary.limits == NO_LIMITS
        assert summary.class_shares == ()
        assert len(summary.counts) == 0
