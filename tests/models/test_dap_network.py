"""What the description says of the transformer and of how its patches reach the heads."""

import math

import numpy as np
import pytest
import torch
from tiny_dap import CONFIG

from core.models.networks.dap import DapNet, is_ambiguous
from core.models.networks.vit import VIT_B, VIT_L, VIT_S, ViT, ViTConfig


@pytest.fixture(scope="module")
def network():
    """Arbitrary numbers that make every part matter."""
    torch.manual_seed(0)
    network = DapNet(CONFIG).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network


@pytest.mark.parametrize(
    ("config", "millions"), [(VIT_S, 21.6), (VIT_B, 85.6), (VIT_L, 303.1)], ids=["small", "base", "large"]
)
def test_the_sizes_have_the_published_numbers_of_parameters(config, millions):
    with torch.device("meta"):
        network = ViT(config)
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


def test_the_published_network_has_its_parameters():
    from core.models.dap import published_layout

    shapes = published_layout().shapes
    buffers = ("periods", "bias_mask")
    assert sum(np.prod(shape) for name, shape in shapes.items() if not name.endswith(buffers)) == 365_050_242


def test_positions_turn_patches_by_rows_then_columns_and_repeat():
    vit = ViT(ViTConfig(64, 1))
    cos, sin = vit._rotations(3, 4)
    assert cos.shape == sin.shape == (12, 64)
    angles = torch.atan2(sin, cos)
    row, col = 2, 1
    periods = 100.0 ** (np.arange(16) / 16)
    expected = np.concatenate([2 * np.pi * (2 * 2.5 / 3 - 1) / periods, 2 * np.pi * (2 * 1.5 / 4 - 1) / periods])
    wrapped = np.angle(np.exp(1j * np.tile(expected, 2)))
    np.testing.assert_allclose(angles[row * 4 + col], wrapped, atol=1e-5)


def test_attention_sees_only_how_far_patches_are_apart():
    attention = ViT(ViTConfig(64, 1)).blocks[0].attention
    vit = ViT(ViTConfig(64, 1))
    cos, sin = vit._rotations(4, 4)
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 64, generator=generator)
    x = torch.zeros(1, 1, 5 + 16, 64)
    x[..., 5:, :] = query
    turned_query = attention._turned(x, cos, sin)[0, 0, 5:].reshape(4, 4, 64)
    x[..., 5:, :] = key
    turned_key = attention._turned(x, cos, sin)[0, 0, 5:].reshape(4, 4, 64)
    first, second = turned_query[0, 1] @ turned_key[1, 3], turned_query[2, 0] @ turned_key[3, 2]
    assert float(first) == pytest.approx(float(second), rel=1e-4)


def test_class_token_and_registers_are_not_turned():
    vit = ViT(ViTConfig(64, 1))
    x = torch.randn(1, 1, 5 + 6, 64, generator=torch.Generator().manual_seed(0))
    turned = vit.blocks[0].attention._turned(x, *vit._rotations(2, 3))
    assert torch.equal(turned[:, :, :5], x[:, :, :5])
    assert not torch.allclose(turned[:, :, 5:], x[:, :, 5:])


def test_blocks_behind_the_last_tap_are_not_run():
    vit = ViT(ViTConfig(64, 4))
    vit.blocks[3].forward = None
    seen = vit(torch.zeros(1, 3, 32, 64), (0, 2))
    assert [tuple(tokens.shape) for tokens in seen] == [(1, 5 + 8, 64)] * 2


@pytest.mark.parametrize(("rows", "cols"), [(4, 8), (2, 4), (5, 10), (29, 58)])
def test_the_first_patch_is_lost_and_the_others_are_stretched_over_all_places(network, rows, cols):
    count = rows * cols
    number = torch.arange(count, dtype=torch.float32)
    tokens = torch.zeros(1, 5 + count, 64)
    tokens[0, 5:, 0] = number
    plain = DapNet(CONFIG)
    plain.vit.norm = plain.second_norm = torch.nn.Identity()
    seen = plain._as_map(tokens, rows, cols)[0, 0].flatten()
    source = (number + 0.5) * (count - 1) / count - 0.5 + 1
    np.testing.assert_allclose(seen.detach(), source.clamp(1, count - 1), rtol=1e-6, atol=1e-4)


def test_the_sizes_that_the_published_code_folds_wrongly_are_known():
    ambiguous = [height for height in range(16, 1025, 16) if is_ambiguous(height, 2 * height)]
    assert ambiguous == [16, 80, 464]


def test_outputs_lie_between_0_and_1_at_the_pictures_size(network):
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        outputs = network(torch.rand(2, 3, 48, 96, generator=generator))
    for output in outputs:
        assert output.shape == (2, 1, 48, 96)
        assert bool(((output > 0) & (output < 1)).all())
        assert float(output.std()) > 0
    assert not torch.equal(*outputs)


def test_each_of_the_steps_runs_once_in_their_order(network):
    seen = []
    hooks = [part.register_forward_hook(lambda part, *_: seen.append(part)) for part in network.steps()]
    with torch.inference_mode():
        network(torch.zeros(1, 3, 32, 64))
    for hook in hooks:
        hook.remove()
    assert set(seen) == set(network.steps())
    assert len(seen) == len(network.steps())


def test_positions_are_stretched_in_training_alone_and_only_where_that_is_asked():
    vit = ViT(ViTConfig(64, 1))
    plain = vit.train()._rotations(3, 4)[0]
    torch.testing.assert_close(vit.eval()._rotations(3, 4)[0], plain)
    vit.rescale = 2.0
    torch.testing.assert_close(vit._rotations(3, 4)[0], plain)
    torch.manual_seed(0)
    vit.train()
    # The angle of the row above the middle at a long period, where it is far from a full turn.
    angles = [math.acos(float(vit._rotations(9, 9)[0][40 - 9, 4])) for _ in range(200)]
    factors = np.array(angles) / (2 * math.pi * (2 / 9) / 100 ** (4 / 16))
    assert 0.5 - 1e-2 < factors.min() < 0.6
    assert 1.8 < factors.max() < 2 + 1e-2
    assert abs(np.log(factors).mean()) < 0.1
