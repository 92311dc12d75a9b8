"""The network itself: what training relies on."""

import pytest
import torch

from core.models.click_s import ClickSConfig
from core.models.networks.click_prompts import no_prompt, prompt_maps
from core.models.networks.click_s import Memories

SMALL = ClickSConfig(widths=(8, 16, 16, 32), layers=(1, 1), memory_layers=1)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SMALL.build().eval()


def _batch(size=64):
    torch.manual_seed(1)
    rgb = torch.rand(3, 3, size, size)
    prompt = no_prompt(rgb, 2)
    prompt = prompt._replace(
        points=torch.rand(3, 2, 2) * size, signs=torch.tensor([[1.0, -1.0], [1.0, 1.0], [0.0, 0.0]])
    )
    prompt.box[2] = torch.tensor([10.0, 10.0, 30.0, 40.0])
    prompt.prior[1] = torch.randn(1, size // 2, size // 2) * 5
    return rgb, torch.tensor([0.3, 1.0, 1.6]), torch.tensor([1.0, 0.0, 0.0]), prompt


def _row(prompt, k):
    return type(prompt)(*(value[k : k + 1] for value in prompt))


@pytest.mark.parametrize("size", [32, 96, 160, 256])
def test_views_of_any_size_are_read(network, size):
    with torch.inference_mode():
        answer = network(*_batch(size))
    assert answer.logits.shape == (3, 3, size // 2, size // 2)
    assert answer.quality.shape == (3, 3)
    assert answer.presence.shape == (3,)


@pytest.mark.parametrize("train", [True, False])
def test_a_row_does_not_depend_on_the_rest_of_its_batch(network, train):
    rgb, fov, centred, prompt = _batch()
    network.train(train)
    with torch.no_grad():
        together = network(rgb, fov, centred, prompt)
        for k in range(3):
            alone = network(rgb[k : k + 1], fov[k : k + 1], centred[k : k + 1], _row(prompt, k))
            torch.testing.assert_close(alone.logits[0], together.logits[k], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(alone.quality[0], together.quality[k], atol=1e-5, rtol=1e-4)
    network.eval()


def test_places_without_a_click_say_nothing(network):
    rgb, fov, centred, prompt = _batch()
    wandering = prompt._replace(points=torch.where(prompt.signs[..., None] == 0, prompt.points + 7, prompt.points))
    without = prompt._replace(points=prompt.points[:, :0], signs=prompt.signs[:, :0])
    with torch.no_grad():
        first = network(rgb, fov, centred, prompt).logits[2]
        torch.testing.assert_close(network(rgb, fov, centred, wandering).logits[2], first)
        torch.testing.assert_close(network(rgb, fov, centred, without).logits[2], first, atol=1e-5, rtol=1e-4)


def test_the_order_of_clicks_does_not_matter_to_the_network(network):
    rgb, fov, centred, prompt = _batch()
    swapped = prompt._replace(points=prompt.points.flip(1), signs=prompt.signs.flip(1))
    with torch.no_grad():
        torch.testing.assert_close(
            network(rgb, fov, centred, swapped).logits, network(rgb, fov, centred, prompt).logits, atol=1e-5, rtol=1e-4
        )


def _memories(network, pyramid, answer, valid):
    tokens = network.remember(pyramid, answer.logits[:, 1:2], answer.presence)
    frames = valid.shape[1]
    return Memories(
        tokens=tokens[:, None].expand(-1, frames, -1, -1),
        distance=torch.arange(frames).float().expand(3, -1) - 1,
        angle=torch.full((3, frames), 0.8),
        prompted=torch.ones(3, frames),
        valid=valid,
    )


def test_invalid_memories_are_not_read_and_rows_without_any_stay_a_first_sight(network):
    rgb, fov, centred, prompt = _batch()
    valid = torch.tensor([[True, False], [True, True], [False, False]])
    with torch.no_grad():
        pyramid = network.encode(rgb, fov, centred)
        memories = _memories(network, pyramid, network.decode(pyramid, prompt), valid)
        attended = network.attend(pyramid, memories)
        tokens = memories.tokens.clone()
        tokens[:, 1] = torch.where(valid[:, 1, None, None], tokens[:, 1], tokens[:, 1] + 100)
        again = network.attend(pyramid, memories._replace(tokens=tokens))
        shorter = network.attend(pyramid, type(memories)(*(value[:, :1] for value in memories)))
    torch.testing.assert_close(again.body, attended.body)
    torch.testing.assert_close(shorter.body[0], attended.body[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(attended.body[2], pyramid.body[2])
    assert (attended.body[1] - pyramid.body[1]).abs().max() > 1e-3


def test_every_parameter_learns_from_a_click_a_correction_and_a_memory(network):
    rgb, fov, centred, prompt = _batch()
    prompt = prompt._replace(signs=torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, 1.0]]))
    network.train()
    pyramid = network.encode(rgb, fov, centred)
    first = network.decode(pyramid, prompt)
    memories = _memories(network, pyramid, first, torch.ones(3, 2, dtype=torch.bool))
    attended = network.attend(pyramid, memories)
    second = network.decode(attended, prompt._replace(prior=first.logits[:, 1:2].detach()))
    sum((value * torch.randn_like(value)).sum() for answer in (first, second) for value in answer).backward()
    silent = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.abs().sum()]
    assert silent == []
    assert all(value.grad.isfinite().all() for value in network.parameters())
    network.zero_grad()
    network.eval()


def test_the_judge_of_quality_does_not_shape_the_masks(network):
    rgb, fov, centred, prompt = _batch()
    answer = network(rgb, fov, centred, prompt)
    answer.quality.sum().backward()
    assert network.last[1].weight.grad is None
    network.zero_grad()


def test_rows_of_a_pyramid_can_be_taken_several_times_for_several_objects(network):
    rgb, fov, centred, prompt = _batch()
    with torch.no_grad():
        pyramid = network.encode(rgb, fov, centred)
        taken = network.decode(pyramid.rows(torch.tensor([1, 1])), type(prompt)(*(v[[1, 1]] for v in prompt)))
        torch.testing.assert_close(taken.logits[1], network.decode(pyramid, prompt).logits[1], atol=1e-5, rtol=1e-4)


def test_prompt_maps_are_highest_where_the_click_is():
    rgb = torch.zeros(1, 3, 64, 64)
    prompt = no_prompt(rgb, 2)._replace(
        points=torch.tensor([[[18.0, 42.0], [50.0, 10.0]]]), signs=torch.tensor([[1.0, -1.0]])
    )
    maps = prompt_maps(prompt, 16, 16, 4)[0]
    for channel, (row, col) in {0: (10, 4), 1: (10, 4), 2: (10, 4), 3: (2, 12), 4: (2, 12), 5: (2, 12)}.items():
        assert divmod(int(maps[channel].argmax()), 16) == (row, col)
    right, down = maps[6], maps[7]
    torch.testing.assert_close(right[0], (torch.arange(16) * 4 + 2 - 18.0) / 64)
    torch.testing.assert_close(down[:, 0], (torch.arange(16) * 4 + 2 - 42.0) / 64)


def test_prompt_maps_know_the_inside_of_a_box():
    prompt = no_prompt(torch.zeros(2, 3, 64, 64))
    prompt.box[0] = torch.tensor([8.0, 16.0, 40.0, 48.0])
    maps = prompt_maps(prompt, 16, 16, 4)
    inside = torch.zeros(16, 16, dtype=torch.bool)
    inside[4:12, 2:10] = True
    assert torch.equal(maps[0, 8] > 0, inside)
    assert (maps[0, 9] == 1).all()
    assert (maps[1, 8:10] == 0).all()
