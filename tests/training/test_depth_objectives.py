"""The terms of Depth Any Panoramas have the values that their formulas say, and pass on finite gradients."""

import math

import numpy as np
import pytest
import torch

from core.geometry.sphere import erp_rays, solid_angle
from training.objectives import depth as terms
from training.objectives.depth import DepthTruth, dap_losses
from training.worlds.box_room import BoxRoom

ROOM = BoxRoom((-2.3, -1.4, -1.1), (1.7, 1.55, 3.9))
HEIGHT = 32
NO_FAR = torch.zeros(1, 1, HEIGHT, 2 * HEIGHT, dtype=torch.bool)
EVEN = torch.ones(1, 1, HEIGHT, 2 * HEIGHT)


def room(*, scale=1.0):
    metres = torch.from_numpy(ROOM.depth((0, 0, 0), erp_rays(HEIGHT, 2 * HEIGHT)))[None, None].float()
    return DepthTruth.of(metres * scale, NO_FAR)


def ball(metres):
    return DepthTruth.of(torch.full((1, 1, HEIGHT, 2 * HEIGHT), metres), NO_FAR)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_logarithmic_error_of_a_constant_scale_is_half_forgiven(scale):
    truth = room()
    loss = terms.silog(truth.depth.log() + math.log(scale), truth.depth.log(), EVEN)
    assert float(loss) == pytest.approx(abs(math.log(scale)) * math.sqrt(0.5), abs=2e-3)


def test_the_logarithmic_error_is_taken_of_each_picture_and_only_where_something_weighs():
    truth = torch.zeros(2, 1, 2, 4)
    said = torch.stack([torch.full((1, 2, 4), 1.0), torch.full((1, 2, 4), 3.0)])
    weights = torch.ones(2, 1, 2, 4)
    said[0, 0, 0, 0], weights[0, 0, 0, 0] = torch.inf, 0
    assert float(terms.silog(said, truth, weights)) == pytest.approx(2 * math.sqrt(0.5), abs=2e-3)


def test_the_truth_costs_nothing():
    truth = room()
    beyond = [(metres, (~truth.within(metres)).float()) for metres in (2.0, 100.0)]
    losses = dap_losses(truth.depth.log(), beyond, truth)
    assert list(losses) == list(terms.WEIGHTS)
    assert {name: float(value) for name, value in losses.items()} == pytest.approx(dict.fromkeys(losses, 0), abs=1e-5)


def test_dense_fidelity_of_a_scaled_ball_is_that_of_its_square():
    truth = ball(5.0)
    # Every entry of the true matrix is 1, of the other one the factor's square.
    assert float(terms.fidelity(truth.depth * 1.5, truth)) == pytest.approx((1.5**2 - 1) ** 2, rel=1e-4)


def test_dense_fidelity_leaves_out_what_is_not_known():
    metres = torch.full((1, 1, HEIGHT, 2 * HEIGHT), 5.0)
    metres[..., :40] = torch.nan
    truth = DepthTruth.of(metres, NO_FAR)
    said = torch.where(truth.known, truth.depth, 0.9)
    assert float(terms.fidelity(said, truth)) == pytest.approx(0, abs=1e-9)


def test_edges_are_where_depth_jumps_also_at_the_seam_and_against_the_sky():
    metres = torch.full((1, 1, HEIGHT, 2 * HEIGHT), 4.0)
    metres[..., 20:] = 4.0 * 1.11
    far = NO_FAR.clone()
    far[:, :, :10, 40:50] = True
    metres[0, 0, 28, 30] = torch.nan
    found = terms.edges(DepthTruth.of(metres, far))[0, 0]
    assert found[20, [19, 20, 63, 0]].all()
    assert not found[20, [18, 21, 62, 1]].any()
    assert found[10, 41:49].all()
    assert not found[9, 40:50].any(), "what is far has no depth"
    assert not found[27:30, 29:32].any(), "beside the unknown nothing is told"
    smaller = DepthTruth.of(torch.where(metres > 4.0, 4.0 * 1.09, metres), far)
    assert not terms.edges(smaller)[0, 0, 20, [19, 20, 63, 0]].any()


def test_the_edge_error_looks_at_edges_alone():
    metres = torch.full((1, 1, HEIGHT, 2 * HEIGHT), 4.0)
    metres[..., 20:] = 8.0
    truth = DepthTruth.of(metres, NO_FAR)
    blurred = truth.depth.log().clone()
    blurred[..., 30:50] += 1.0
    away_from_poles = EVEN.clone()
    away_from_poles[:, :, [0, -1]] = 0  # where columns half a turn apart are neighbours
    assert float(terms.edge_error(blurred, truth, away_from_poles)) == pytest.approx(0, abs=1e-6)
    blurred[..., [19, 63]] += 0.3
    blurred[..., [20, 0]] -= 0.3
    assert float(terms.edge_error(blurred, truth, away_from_poles)) == pytest.approx(0.3, abs=2e-3)


def test_normals_forgive_scale_and_punish_waves():
    truth = room()
    assert float(terms.normal_error(3 * truth.depth, truth, EVEN)) == pytest.approx(0, abs=1e-5)
    waves = 1 + 0.02 * torch.sin(torch.arange(2 * HEIGHT) * math.pi / 8)
    assert float(terms.normal_error(truth.depth * waves, truth, EVEN)) > 0.01


def test_opposite_normals_differ_by_twice_their_components():
    # A ball's normals look back along the rays: their absolute components, averaged over three, times the difference.
    truth = ball(5.0)
    level = np.abs(erp_rays(HEIGHT, 2 * HEIGHT)).mean()
    wall = DepthTruth.of(torch.full_like(truth.metres, 5.0), NO_FAR)
    assert float(terms.normal_error(wall.depth, truth, EVEN)) == pytest.approx(0, abs=1e-6)
    implied = terms.surface_normals(truth.depth)
    assert float(implied.abs().mean()) == pytest.approx(float(level), rel=1e-2)


def test_points_that_are_a_metre_off_differ_by_their_rays():
    truth = ball(5.0)
    area = solid_angle(HEIGHT, 2 * HEIGHT)
    mean_component = (np.abs(erp_rays(HEIGHT, 2 * HEIGHT)).mean(axis=-1) * area).sum() / (4 * np.pi)
    assert mean_component == pytest.approx(0.5, rel=1e-3)  # of a uniform direction, each component is 1/2 in the mean
    areas = torch.from_numpy(area).float().expand(1, 1, -1, 2 * HEIGHT)
    assert float(terms.point_error(truth.depth + 0.01, truth, areas)) == pytest.approx(0.01 * mean_component, rel=1e-4)


def test_the_mask_error_is_its_formula():
    metres = torch.full((1, 1, HEIGHT, 2 * HEIGHT), 4.0)
    metres[..., 32:] = 30.0
    truth = DepthTruth.of(metres, NO_FAR)
    half = torch.full_like(metres, 0.5)
    # Half of all is within 10 m; 1/2 everywhere is wrong by 1/4, and overlaps by 2 (1/2 * 1/2) / (1/2 + 1/2).
    assert float(terms.mask_error(half, truth, 10.0, EVEN)) == pytest.approx(0.25 + 0.5 * 0.5, rel=1e-5)
    assert float(terms.mask_error(torch.zeros_like(half), truth, 50.0, EVEN)) == pytest.approx(0, abs=1e-6)
    assert float(terms.mask_error(torch.ones_like(half), truth, 50.0, EVEN)) == pytest.approx(1.5, rel=1e-5)


def test_truths_are_clipped_to_what_the_network_can_say():
    metres = torch.tensor([[[[0.05, 5.0, 100.0, 100.5, torch.nan, 0.0, torch.inf, 7.0]]]])
    far = torch.zeros_like(metres, dtype=torch.bool)
    far[..., 4] = True
    truth = DepthTruth.of(metres, far)
    assert truth.known[0, 0, 0].tolist() == [True, True, True, False, False, False, False, True]
    assert truth.depth[0, 0, 0].tolist() == pytest.approx([0.001, 0.05, 1, 1, 1, 1, 1, 0.07])
    assert truth.judged[0, 0, 0].tolist() == [True, True, True, True, True, False, False, True]
    assert truth.within(100.0)[0, 0, 0].tolist() == [True, True, False, False, False, False, False, True]


@pytest.mark.parametrize("hidden", ["nothing", "everything", "some", "sky"])
def test_gradients_stay_finite_where_nothing_is_known(hidden):
    generator = torch.Generator().manual_seed(0)
    metres = room().metres.clone()
    far = NO_FAR.clone()
    if hidden == "everything":
        metres[:] = torch.nan
    elif hidden == "some":
        metres[..., torch.rand(2 * HEIGHT, generator=generator) < 0.3] = torch.nan
    elif hidden == "sky":
        far[:, :, : HEIGHT // 2] = True
        metres[far] = torch.nan
    truth = DepthTruth.of(metres, far)
    log_depth = (torch.rand(1, 1, HEIGHT, 2 * HEIGHT, generator=generator) - 4).requires_grad_()
    beyond = torch.rand(1, 1, HEIGHT, 2 * HEIGHT, generator=generator).requires_grad_()
    for value in dap_losses(log_depth, [(100.0, beyond)], truth).values():
        assert value.isfinite()
        if value.requires_grad:
            for leaf in torch.autograd.grad(value, [log_depth, beyond], allow_unused=True, retain_graph=True):
                assert leaf is None or leaf.isfinite().all()
