"""The bundled network: depth, normals, classes, sky and camera height of a panorama, small enough for any CPU.

Yaw-equivariant by construction: circular padding, attention over differences of longitude, normals in each ray's own
frame. Range is predicted as a residual on a round room (a cylinder with floor and ceiling, in units of the camera
height): a wall looks the same at any longitude, and flat ground needs no residual at all.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.sphere_layers import SphereAttention, SphereBlock, SphereConv, double_size, row_latitudes

STRIDE = 16
ROOM_RADIUS = 2.7
"""Radius of the round room in camera heights; the median of our indoor worlds is near it."""


class PanoSOutput(NamedTuple):
    """What the network says, at half the input's size (b, ., h / 2, w / 2).

    Attributes:
        log_ratio: (b, 1, .) natural logarithm of range / camera height.
        local_normals: (b, 3, .) unit normals in the ray's frame (east, down, outward).
        class_logits: (b, classes, .).
        far_logit: (b, 1, .), positive where the ray meets nothing.
        log_camera_height: (b,) natural logarithm of metres.
        log_ceiling_ratio: (b,) natural logarithm of the ceiling's height above the camera / camera height;
            means nothing outdoors.
        indoor_logit: (b,), positive inside a building.
    """

    log_ratio: Tensor
    local_normals: Tensor
    class_logits: Tensor
    far_logit: Tensor
    log_camera_height: Tensor
    log_ceiling_ratio: Tensor
    indoor_logit: Tensor


class PanoSNet(nn.Module):
    """Convolutional pyramid to 1/16, attention over the whole sphere there, and a decoder with skips up to 1/2.

    Args:
        classes: Number of classes.
        widths: Channels at 1/2, 1/4, 1/8 and 1/16 of the input's size.
        layers: Attention layers at 1/16.
    """

    def __init__(self, classes: int, *, widths: tuple[int, int, int, int] = (24, 48, 96, 192), layers: int = 4) -> None:
        super().__init__()
        half, quarter, eighth, body = widths
        self.stem = SphereConv(5, half, 4, stride=2)
        self.to_quarter = nn.Sequential(SphereConv(half, quarter, 2, stride=2), SphereBlock(quarter))
        self.to_eighth = nn.Sequential(
            SphereConv(quarter, eighth, 2, stride=2), SphereBlock(eighth), SphereBlock(eighth)
        )
        self.to_body = nn.Sequential(SphereConv(eighth, body, 2, stride=2), SphereBlock(body), SphereBlock(body))
        self.attention = nn.Sequential(*(SphereAttention(body, body // 32) for _ in range(layers)))
        self.scene = nn.Sequential(nn.Linear(2 * body, body), nn.ReLU(), nn.Linear(body, body), nn.ReLU())
        self.scene_numbers = nn.Linear(body, 3)
        self.scene_to_body = nn.Linear(body, body)
        self.up_eighth = nn.Sequential(SphereConv(body + eighth, eighth, 1), SphereBlock(eighth))
        self.up_quarter = nn.Sequential(SphereConv(eighth + quarter, quarter, 1), SphereBlock(quarter))
        self.up_half = nn.Sequential(SphereConv(quarter + half, quarter, 1), SphereConv(quarter, quarter))
        self.heads = nn.Conv2d(quarter, 1 + 3 + 1 + classes, 1)
        self.class_gate = nn.Parameter(torch.zeros(classes))
        self.far_gate = nn.Parameter(torch.zeros(()))
        with torch.no_grad():
            self.heads.weight[:4] *= 0.1

    def forward(self, rgb: Tensor) -> PanoSOutput:
        """Read level panoramas.

        Args:
            rgb: (b, 3, h, w) sRGB in [0, 1]; h a multiple of 16, w = 2 h.
        """
        height, width = rgb.shape[-2:]
        lat = row_latitudes(height, device=rgb.device, dtype=rgb.dtype)
        where = torch.stack([lat / (math.pi / 2), lat.cos()])[None, :, :, None].expand(rgb.shape[0], -1, -1, width)
        half = self.stem(torch.cat([(rgb - 0.45) * 4.0, where], dim=1))
        quarter = self.to_quarter(half)
        eighth = self.to_eighth(quarter)
        body = self.attention(self.to_body(eighth))
        scene = self.scene(_pool(body))
        log_camera_height, log_ceiling_ratio, indoor = self.scene_numbers(scene).unbind(dim=1)
        body = body + self.scene_to_body(scene)[:, :, None, None]
        up = self.up_eighth(torch.cat([double_size(body), eighth], dim=1))
        up = self.up_quarter(torch.cat([double_size(up), quarter], dim=1))
        up = self.up_half(torch.cat([double_size(up), half], dim=1))
        residual, normals, far, classes = self.heads(up).split([1, 3, 1, self.class_gate.shape[0]], dim=1)
        gate = indoor[:, None, None, None]
        room = round_room(up.shape[2], log_ceiling_ratio)
        # An untrained head says: facing the camera.
        facing = torch.tensor([0.0, 0.0, -0.3], device=rgb.device, dtype=rgb.dtype)[None, :, None, None]
        return PanoSOutput(
            log_ratio=room + residual,
            local_normals=F.normalize(normals + facing, dim=1),
            class_logits=classes + self.class_gate[None, :, None, None] * gate,
            far_logit=far + self.far_gate * gate,
            log_camera_height=log_camera_height,
            log_ceiling_ratio=log_ceiling_ratio,
            indoor_logit=indoor,
        )


def round_room(height: int, log_ceiling_ratio: Tensor) -> Tensor:
    """Logarithm of range / camera height in a round room, for the rows of an ERP grid.

    Args:
        height: Rows of the grid.
        log_ceiling_ratio: (b,) logarithm of the ceiling's height over the camera in camera heights.

    Returns:
        (b, 1, height, 1).
    """
    lat = row_latitudes(height, device=log_ceiling_ratio.device).to(log_ceiling_ratio.dtype)
    wall = math.log(ROOM_RADIUS) - lat.cos().log()
    rise = lat.sin().abs().log()
    ceiling = log_ceiling_ratio.clamp(-1.5, 3.0)[:, None]
    vertical = torch.where(lat > 0, ceiling - rise, -rise.expand_as(ceiling - rise))
    return torch.minimum(wall.expand_as(vertical), vertical)[:, None, :, None]


def _pool(x: Tensor) -> Tensor:
    """Means over the sphere and over the lower half, by solid angle: (b, 2 c)."""
    height = x.shape[2]
    lat = row_latitudes(height, device=x.device)
    weights = lat.cos().to(x.dtype)
    rows = x.mean(dim=3)
    whole = (rows * weights).sum(dim=2) / weights.sum()
    below = weights * (lat < 0)
    return torch.cat([whole, (rows * below).sum(dim=2) / below.sum()], dim=1)
