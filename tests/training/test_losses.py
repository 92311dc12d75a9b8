"""Losses are nothing for the truth, and grow with what they are there to punish."""

import numpy as np
import pytest
import torch

from training import losses
from training.dataset import arrays_from_sample
from training.recipes.pano_s import collate


@pytest.fixture
def batch(box_room):
    item = arrays_from_sample(box_room(3, 128), 128)
    return collate([item], [item.rgb], labelled=1)


def test_the_true_range_implies_the_true_normals(batch):
    loss = losses.surface_loss(batch["log_ratio"], batch["log_ratio"], batch["local_normals"], batch["weights"])
    assert loss < 0.03


def test_a_wavy_wall_is_punished_and_a_scaled_room_is_not(batch):
    truth = batch["log_ratio"]
    waves = 0.02 * torch.sin(torch.arange(truth.shape[3]) * 2 * np.pi / 16)[None, None, None]

    def surface(prediction):
        return float(losses.surface_loss(prediction, truth, batch["local_normals"], batch["weights"]))

    assert surface(truth + 0.5) == pytest.approx(surface(truth), abs=1e-6)
    assert surface(truth + waves) > 4 * surface(truth)


def test_unknown_pixels_do_not_count_as_surface(batch):
    truth = batch["log_ratio"]
    weights = batch["weights"].clone()
    weights[..., 40:60] = 0
    broken = truth.clone()
    broken[..., 40:60] = 9.0
    whole = losses.surface_loss(truth, truth, batch["local_normals"], weights)
    assert losses.surface_loss(broken, broken, batch["local_normals"], weights) == pytest.approx(float(whole), abs=1e-6)


def test_every_class_weighs_alike_in_the_overlap():
    labels = torch.zeros(1, 8, 16, dtype=torch.uint8)
    labels[:, :, 8:] = 1
    labels[:, 0, 0] = 2
    weights = torch.ones(1, 1, 8, 16)
    right = torch.nn.functional.one_hot(labels.long(), 4).permute(0, 3, 1, 2) * 40.0
    assert losses.overlap_loss(right, labels, weights, ignore=255) == pytest.approx(0, abs=1e-5)
    missed = right.clone()
    missed[:, 2], missed[:, 0] = 0, missed[:, 0] + missed[:, 2]
    assert losses.overlap_loss(missed, labels, weights, ignore=255) > 0.33


def test_unlabelled_pixels_have_no_overlap():
    labels = torch.full((1, 4, 8), 255, dtype=torch.uint8)
    labels[:, :2] = 1
    logits = torch.zeros(1, 3, 4, 8)
    logits[:, 1, :2] = 40
    assert losses.overlap_loss(logits, labels, torch.ones(1, 1, 4, 8), ignore=255) == pytest.approx(0, abs=1e-5)
