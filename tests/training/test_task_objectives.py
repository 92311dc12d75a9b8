"""The terms of MTPano have the values that their formulas say, and pass on finite gradients."""

import math

import numpy as np
import pytest
import torch

from core.geometry.sphere import erp_rays
from training.objectives import tasks
from training.objectives.tasks import TaskTruth, published_normals
from training.worlds.box_room import BoxRoom

ROOM = BoxRoom((-2.3, -1.4, -1.1), (1.7, 1.55, 3.9))
HEIGHT = 32
SHAPE = (1, 1, HEIGHT, 2 * HEIGHT)
ALL = torch.ones(SHAPE, dtype=torch.bool)


def room(known=ALL):
    rays = erp_rays(HEIGHT, 2 * HEIGHT)
    depth = torch.from_numpy(ROOM.depth((0, 0, 0), rays))[None, None].float()
    normals = torch.from_numpy(ROOM.normals((0, 0, 0), rays)).permute(2, 0, 1)[None].float()
    classes = torch.from_numpy(ROOM.face((0, 0, 0), rays))[None]
    return TaskTruth(
        classes=torch.where(known[:, 0], classes, -1),
        depth=torch.where(known, depth, 0.0),
        depth_known=known,
        normals=published_normals(normals) * known,
        normals_known=known,
    )


def test_normals_in_the_published_frame_are_those_that_were_checked_there():
    ours = {"wall ahead": (0, 0, -1), "wall to the right": (-1, 0, 0), "floor": (0, -1, 0)}
    theirs = {"wall ahead": (-1, 0, 0), "wall to the right": (0, 0, 1), "floor": (0, 1, 0)}
    for name, normal in ours.items():
        turned = published_normals(torch.tensor(normal, dtype=torch.float32)[None, :, None, None])
        assert tuple(turned[0, :, 0, 0].tolist()) == theirs[name]


def test_classes_cost_their_cross_entropy_and_what_dice_misses():
    classes = torch.tensor([[[0, 0, 1, -1]]])
    logits = torch.zeros(1, 4, 1, 4)
    # Each of 3 labelled pixels is given 1/4 to each of 4 classes; two of these do not occur and cost 1.
    dice = [1 - 2 * 0.5 / (0.75 + 2), 1 - 2 * 0.25 / (0.75 + 1), 1, 1]
    assert float(tasks.class_error(logits, classes)) == pytest.approx(math.log(4) + np.mean(dice), abs=1e-5)


def test_unlabelled_pixels_do_not_count_as_classes():
    classes = torch.tensor([[[0, 1, -1, -1]]])
    right = torch.zeros(1, 2, 1, 4)
    right[0, 0, 0, 0] = right[0, 1, 0, 1] = 40.0
    assert float(tasks.class_error(right, classes)) == pytest.approx(0, abs=1e-5)
    assert float(tasks.class_error(right, torch.full((1, 1, 4), -1))) == pytest.approx(0, abs=1e-5)


def test_the_truth_costs_nothing():
    truth = room()
    assert float(tasks.depth_error(truth.depth, truth)) == pytest.approx(0, abs=1e-5)
    assert float(tasks.normal_error(3 * truth.normals, truth)) == pytest.approx(0, abs=1e-5)
    targets = {"point": torch.randn(1, 3, HEIGHT, 2 * HEIGHT), "sdf": torch.randn(SHAPE)}
    assert all(float(error) == 0 for error in tasks.helper_errors(targets, targets, truth).values())


def test_a_depth_without_edges_that_is_half_a_metre_off_costs_half_a_metre_and_what_is_told_of_the_rest():
    flat = TaskTruth(room().classes, torch.full(SHAPE, 2.0), ALL, room().normals, ALL)
    # No edges: 0.5 * 5 % of a quarter of the greatest depth; a constant has no fine detail.
    expected = 0.5 + 0.5 * 0.05 * 0.25
    assert float(tasks.depth_error(torch.full(SHAPE, 2.5), flat)) == pytest.approx(expected, rel=1e-5)


def test_at_edges_errors_weigh_nineteen_times_as_much():
    truth = torch.zeros(SHAPE)
    truth[..., 20:50] = 1.0
    said = truth.clone()
    middle = slice(10, 20)
    said[:, :, middle, 34:36] += 0.1
    far_off = float(tasks.edge_weighted_error(said, truth, ALL))
    said = truth.clone()
    said[:, :, middle, 19:21] += 0.1
    near = float(tasks.edge_weighted_error(said, truth, ALL))
    reach = torch.nn.functional.max_pool2d((tasks.sobel(truth) >= 0.55).float(), 7, stride=1, padding=3)
    at_edges, elsewhere = float(reach.sum()), float((1 - reach).sum())
    assert near == pytest.approx(0.95 * 0.1 * 20 / at_edges, rel=1e-5)
    assert far_off == pytest.approx(0.05 * 0.1 * 20 / elsewhere, rel=1e-5)


def test_fine_detail_is_the_magnitude_and_phase_of_high_frequencies():
    columns = torch.arange(2 * HEIGHT)
    low = torch.cos(columns * 2 * math.pi * 3 / 64).expand(SHAPE)
    high = torch.cos(columns * 2 * math.pi * 20 / 64).expand(SHAPE)
    assert float(tasks.detail_error(low, torch.zeros(SHAPE), ALL)) == pytest.approx(0, abs=1e-4)
    count = int((tasks._high_frequencies(HEIGHT, 2 * HEIGHT, low) > 0).sum())
    # Two frequencies of magnitude pixels / 2 each; of no sound there is no phase.
    scale = math.sqrt(512 * 1024 / (2 * HEIGHT**2))
    expected = 2 * HEIGHT**2 * scale / 5 / count
    assert float(tasks.detail_error(high, torch.zeros(SHAPE), ALL)) == pytest.approx(expected, rel=1e-4)


def test_a_wrong_normal_costs_its_components():
    truth = room()
    opposite = tasks.normal_error(-truth.normals, truth)
    plain = float((2 * truth.normals).abs().sum(dim=1).mean())
    assert plain == pytest.approx(2)  # walls along the axes have one component
    assert plain < float(opposite) < plain + 0.2


def test_points_count_only_where_there_is_a_depth_and_are_limited():
    known = ALL.clone()
    known[..., :32] = False
    truth = room(known)
    target = torch.zeros(1, 3, HEIGHT, 2 * HEIGHT)
    said = target.clone()
    said[..., :32], said[..., 32:] = 1000.0, 3.0
    errors = tasks.helper_errors({"point": said, "grad": said}, {"point": target, "grad": target}, truth)
    assert float(errors["point"]) == pytest.approx(3.0)
    assert float(errors["grad"]) == pytest.approx((1000 + 3) / 2)
    said[..., 32:] = 300.0
    limited = tasks.helper_errors({"point": said}, {"point": target}, truth)
    assert float(limited["point"]) == pytest.approx(tasks.LARGEST)


def test_a_limited_loss_keeps_the_direction_of_its_gradient():
    error = torch.tensor([30.0], requires_grad=True)
    loss = tasks.limited(error.sum(), 10.0)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(10)
    assert error.grad.item() == pytest.approx(1 / 3)
    assert float(tasks.limited(torch.tensor(3.0), 10.0)) == 3.0
    assert float(tasks.limited(torch.tensor(30.0), None)) == 30.0


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_gradients_stay_finite_where_nothing_is_known(share):
    generator = torch.Generator().manual_seed(0)
    truth = room(torch.rand(SHAPE, generator=generator) < share)
    depth = torch.zeros(SHAPE, requires_grad=True)
    normals = torch.zeros(1, 3, HEIGHT, 2 * HEIGHT, requires_grad=True)
    logits = torch.randn(1, 6, HEIGHT, 2 * HEIGHT, generator=generator).requires_grad_()
    loss = (
        tasks.depth_error(depth, truth) + tasks.normal_error(normals, truth) + tasks.class_error(logits, truth.classes)
    )
    loss.backward()
    assert loss.isfinite()
    for leaf in (depth, normals, logits):
        assert leaf.grad.isfinite().all()
