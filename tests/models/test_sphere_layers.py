"""The layers of the bundled network see a sphere: no seam, no end at the poles, no absolute longitude."""

import math

import numpy as np
import pytest
import torch

from core.geometry.sphere import erp_angles, lonlat_to_directions
from core.models.networks.pano_s import STRIDE, PanoSNet, round_room
from core.models.networks.sphere_layers import SphereAttention, double_size, pad_sphere, rotary_angles, row_latitudes


def smooth_field(height: int, width: int, *, pad: int = 0) -> torch.Tensor:
    """A smooth function of direction at the pixel centres, also beyond the grid's edges."""
    lon = ((np.arange(-pad, width + pad) + 0.5) / width - 0.5) * 2 * np.pi
    lat = (0.5 - (np.arange(-pad, height + pad) + 0.5) / height) * np.pi
    x, y, z = np.moveaxis(lonlat_to_directions(lon[None], lat[:, None]), -1, 0)
    return torch.from_numpy(0.3 * x + x * y - z**2 + 0.1 * y)[None, None].float()


@pytest.mark.parametrize("height", [1, 16, 33, 256])
def test_rows_have_the_latitudes_of_the_one_convention(height):
    exact = torch.from_numpy(erp_angles(height, 2 * height)[1]).float()
    torch.testing.assert_close(row_latitudes(height), exact, atol=1e-6, rtol=0)


@pytest.mark.parametrize("pad", [1, 2, 3])
def test_padding_continues_a_function_of_direction(pad):
    padded = pad_sphere(smooth_field(16, 32), pad)
    # Beyond a pole, the formula of the angles continues on the other side of the sphere by itself.
    torch.testing.assert_close(padded, smooth_field(16, 32, pad=pad), atol=1e-6, rtol=0)


def test_doubling_keeps_pixel_corners():
    doubled, exact = double_size(smooth_field(64, 128)), smooth_field(128, 256)
    assert (doubled - exact).abs().max() < 2e-3


def test_angles_that_were_first_asked_for_without_numbers_have_numbers_afterwards():
    rotary_angles.cache_clear()
    with torch.device("meta"):
        rotary_angles(3, 6, 4)
    assert torch.isfinite(rotary_angles(3, 6, 4)).all()


def test_attention_does_not_know_longitude():
    torch.manual_seed(0)
    layer = SphereAttention(64, 2)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(1, 64, 6, 12)
    torch.testing.assert_close(layer(x.roll(5, 3)), layer(x).roll(5, 3), atol=1e-4, rtol=1e-4)
    assert (layer(x.roll(1, 2)) - layer(x).roll(1, 2)).abs().max() > 1e-3  # but it knows latitude


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    net = PanoSNet(7)
    for parameter in net.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.05)
    return net.eval()


@pytest.mark.parametrize("strides", [1, 3, 8])
def test_a_roll_by_the_stride_rolls_every_output(network, strides):
    rgb = torch.rand(1, 3, 64, 128)
    with torch.no_grad():
        here, there = network(rgb), network(rgb.roll(strides * STRIDE, 3))
    for name in ("log_ratio", "local_normals", "class_logits", "far_logit"):
        rolled = getattr(here, name).roll(strides * STRIDE // 2, 3)
        torch.testing.assert_close(getattr(there, name), rolled, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(there.log_camera_height, here.log_camera_height, atol=1e-4, rtol=1e-4)


def test_normals_are_unit_and_outputs_have_half_the_size(network):
    with torch.no_grad():
        output = network(torch.rand(2, 3, 32, 64))
    assert output.class_logits.shape == (2, 7, 16, 32)
    torch.testing.assert_close(output.local_normals.norm(dim=1), torch.ones(2, 16, 32))


def test_the_round_room_has_flat_floor_and_ceiling():
    ratio = 1.7
    room = round_room(64, torch.tensor([math.log(ratio)]))[0, 0, :, 0].exp().double().numpy()
    _, lat = erp_angles(64, 128)
    heights = room * np.sin(lat)
    assert heights.min() == pytest.approx(-1.0, abs=1e-5)
    assert heights.max() == pytest.approx(ratio, abs=1e-5)
    np.testing.assert_allclose(heights[-10:], -1.0, atol=1e-5)
    np.testing.assert_allclose(heights[:10], ratio, atol=1e-5)
