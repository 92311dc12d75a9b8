"""SAM 2's losses, by hand."""

import math

import pytest
import torch

from training.sap.losses import answer_loss


def one(logits, truth, *, quality=None, presence=0.0, counts=None, chosen=0):
    logits = torch.as_tensor(logits)[None]
    shape = (1, logits.shape[1])
    return answer_loss(
        logits,
        torch.ones(shape, dtype=torch.bool) if counts is None else torch.tensor([counts]),
        torch.full(shape, 0.5) if quality is None else torch.tensor([quality]),
        torch.tensor([presence]),
        torch.tensor([chosen]),
        torch.as_tensor(truth)[None],
    )


def halves():
    truth = torch.zeros(8, 8)
    truth[:, :4] = 1
    return truth


def test_an_undecided_answer_costs_what_the_formulas_say():
    loss = one(torch.zeros(1, 8, 8), halves(), presence=0.0)
    # Focal: the mean of alpha and 1 - alpha, times a half squared, times log 2; dice: 1 - (2 * 16 + 1) / (32 + 32 + 1).
    focal = 0.5 * (0.25 + 0.75) * 0.25 * math.log(2)
    assert float(loss.mask) == pytest.approx(20 * focal + 1 - 33 / 65, rel=1e-5)
    # Nothing is above 0, so the true IoU is 0.
    assert float(loss.quality) == pytest.approx(0.5)
    assert float(loss.presence) == pytest.approx(math.log(2), rel=1e-5)
    assert float(loss.iou) == 0


def test_only_the_best_candidate_that_counts_is_moved():
    truth = halves()
    good, bad = 10 * (2 * truth - 1), -10 * (2 * truth - 1)
    logits = torch.stack([bad, good, torch.zeros(8, 8)]).requires_grad_()
    loss = one(logits, truth, chosen=0)
    loss.mask.sum().backward()
    assert float(loss.mask.detach()) < 0.05
    assert float(logits.grad[0].abs().sum()) == 0
    assert float(logits.grad[2].abs().sum()) == 0
    without = one(logits.detach(), truth, counts=[True, False, False])
    assert float(without.mask) > 10
    assert float(loss.quality) == pytest.approx(0.5 * 3)
    assert float(without.quality) == pytest.approx(0.5)


def test_what_is_not_there_teaches_its_absence_alone():
    logits = torch.zeros(1, 8, 8, requires_grad=True)
    loss = one(logits, torch.zeros(8, 8), presence=3.0)
    assert float(loss.mask) == 0
    assert float(loss.quality) == 0
    assert float(loss.presence) == pytest.approx(math.log1p(math.exp(3)), rel=1e-5)
    assert math.isnan(float(loss.iou))


def test_masks_are_judged_at_the_size_of_the_view():
    truth = torch.zeros(32, 32)
    truth[8:24, 8:24] = 1
    small = torch.nn.functional.avg_pool2d(truth[None, None], 4)[0] * 20 - 10
    assert float(one(small, truth).iou) > 0.7
