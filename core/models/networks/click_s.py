"""The bundled click network: which object of a perspective view was meant, and where it is in others.

Four calls, after SAM 2 (Ravi et al., arXiv:2408.00714) and much smaller: a view is encoded once; what is remembered of
other views is attended to; clicks, a box and earlier answers are decoded into three readings of what was meant; and the
accepted answer is remembered. All of them take batches, in which every row is one object in one view.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.click_layers import (
    Block,
    MemoryLayer,
    Mlp,
    NormConv,
    SelfAttention,
    double_size,
    grid_places,
    rotary_code,
)
from core.models.networks.click_prompts import PROMPT_CHANNELS, ClickPrompt, Likeness, known_prior, prompt_maps

STRIDE = 16
READINGS = ("part", "object", "group")
"""What a click may mean, in the order of the answers."""
MEMORY_CHANNELS = 64
MEMORY_POOL = 2
"""Cells of the body, along each side, that one token of a memory stands for."""
PROMPT_WIDTH = 24
LONGEST_PATH = 24.0
"""Steps along the zigzag that count as one in the code of a memory's distance."""


class Pyramid(NamedTuple):
    """What is known of a view before anything is clicked.

    Attributes:
        half, quarter, eighth: (b, ., h / 2, w / 2), (b, ., h / 4, w / 4), (b, ., h / 8, w / 8).
        seen: (b, d, h / 16, w / 16), of this view alone.
        body: The same after memories were attended to.
    """

    half: Tensor
    quarter: Tensor
    eighth: Tensor
    seen: Tensor
    body: Tensor

    def rows(self, index: Tensor) -> Pyramid:
        """The views (n,) of the batch, in that order; a view with several objects is taken several times."""
        return Pyramid(*(level.index_select(0, index) for level in self))


class ClickAnswer(NamedTuple):
    """What the network says about each row of a batch.

    Attributes:
        logits: (b, 3, h / 2, w / 2), > 0 inside, one map for each of `READINGS`.
        quality: (b, 3) logits of the IoU that each map has with the whole object on the sphere.
        presence: (b,) logit of the object being in the view at all.
    """

    logits: Tensor
    quality: Tensor
    presence: Tensor


class Memories(NamedTuple):
    """What each row of a batch remembers of m other views.

    Attributes:
        tokens: (b, m, t, MEMORY_CHANNELS), of `remember`.
        distance: (b, m) steps along the zigzag from the remembered view to this one; negative for later views.
        angle: (b, m) radians between the axes of both cameras.
        prompted: (b, m) 1 when a click lay in the remembered view, else 0.
        valid: (b, m) bool; False fills up a batch.
    """

    tokens: Tensor
    distance: Tensor
    angle: Tensor
    prompted: Tensor
    valid: Tensor


class ClickSNet(nn.Module):
    """A pyramid down to 1/16, attention there, and a decoder with skips up to 1/2.

    Args:
        widths: Channels at 1/2, 1/4, 1/8 and 1/16 of the view's size; multiples of 8, the last one of 32.
        layers: Attention layers of the encoder, of the decoder.
        memory_layers: Layers that read memories.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, int, int, int] = (32, 64, 96, 128),
        layers: tuple[int, int] = (1, 2),
        memory_layers: int = 2,
    ) -> None:
        super().__init__()
        half, quarter, eighth, body = widths
        heads = body // 32
        self.memory_pairs = body // heads // 2
        self.stem = NormConv(3 + 4, half, 4, stride=2)
        self.to_quarter = nn.Sequential(NormConv(half, quarter, 2, stride=2), Block(quarter))
        self.to_eighth = nn.Sequential(NormConv(quarter, eighth, 2, stride=2), Block(eighth), Block(eighth))
        self.to_body = nn.Sequential(NormConv(eighth, body, 2, stride=2), Block(body), Block(body))
        self.look = nn.Sequential(*(SelfAttention(body, heads) for _ in range(layers[0])))

        self.no_memory = nn.Parameter(torch.randn(body) * 0.02)
        self.memory_code = Mlp(4, MEMORY_CHANNELS, times=8)
        self.memory_layers = nn.ModuleList(MemoryLayer(body, MEMORY_CHANNELS, heads) for _ in range(memory_layers))
        self.memory_down = nn.Sequential(NormConv(2, 16, 2, stride=2), NormConv(16, 32, 2, stride=2))
        self.memory_join = nn.Sequential(NormConv(32, body, 2, stride=2), Block(body))
        self.memory_out = nn.Conv2d(body, MEMORY_CHANNELS, 1)
        self.pointer = Mlp(2 * body, MEMORY_CHANNELS, times=1)
        self.absent = nn.Parameter(torch.randn(MEMORY_CHANNELS) * 0.02)

        self.like_quarter = Likeness(quarter, 16)
        self.like_eighth = Likeness(eighth, 32)
        self.like_body = Likeness(body, 32)
        prompted = PROMPT_CHANNELS + Likeness.CHANNELS
        self.ask_quarter = NormConv(prompted, PROMPT_WIDTH, 3)
        self.ask_eighth = NormConv(prompted, PROMPT_WIDTH, 3)
        self.ask_body = NormConv(prompted, PROMPT_WIDTH, 3)
        self.up_body = nn.Sequential(
            NormConv(body + PROMPT_WIDTH, body, 1), Block(body), *(SelfAttention(body, heads) for _ in range(layers[1]))
        )
        self.up_eighth = nn.Sequential(NormConv(body + eighth + PROMPT_WIDTH, eighth, 1), Block(eighth), Block(eighth))
        self.up_quarter = nn.Sequential(
            NormConv(eighth + quarter + PROMPT_WIDTH, quarter, 1), Block(quarter), Block(quarter)
        )
        self.up_half = nn.Conv2d(quarter, half, 1)
        self.last = nn.Sequential(NormConv(2 * half + 2, half, 3), nn.Conv2d(half, len(READINGS), 1))
        self.presence = Mlp(2 * body, 1, times=1)
        self.quality = Mlp(quarter + eighth + 7, 1, times=1)

    def encode(self, rgb: Tensor, fov: Tensor, centred: Tensor) -> Pyramid:
        """Read views, without knowing what will be asked.

        Args:
            rgb: (b, 3, h, w) sRGB in [0, 1]; h and w multiples of 32.
            fov: (b,) horizontal field of view in radians.
            centred: (b,) 1 where the object's first click is known to lie in the middle of the view, else 0.
        """
        batch, _, height, width = rgb.shape
        places = grid_places(height, width, 2.0 / width, rgb).T.unflatten(1, (height, width)) - 1
        middle = torch.cat([torch.exp(-(places * places).sum(dim=0, keepdim=True) / (2 * 0.05**2)), places])
        size = torch.log(fov)[:, None, None, None].expand(-1, 1, height, width)
        context = torch.cat([centred[:, None, None, None] * middle[None].expand(batch, -1, -1, -1), size], dim=1)
        half = self.stem(torch.cat([(rgb - 0.45) * 4.0, context], dim=1))
        quarter = self.to_quarter(half)
        eighth = self.to_eighth(quarter)
        seen = self.look(self.to_body(eighth))
        return Pyramid(half, quarter, eighth, seen, seen + self.no_memory[:, None, None])

    def attend(self, pyramid: Pyramid, memories: Memories) -> Pyramid:
        """The same views by someone who has seen the object elsewhere; rows without a valid memory stay as they are.

        Args:
            pyramid: Of `encode`.
            memories: Of the same batch.
        """
        _, frames, count, _ = memories.tokens.shape
        height, width = pyramid.seen.shape[-2:]
        about = torch.stack(
            [
                memories.distance / LONGEST_PATH,
                memories.distance.abs() / LONGEST_PATH,
                memories.angle,
                memories.prompted,
            ],
            dim=-1,
        )
        tokens = (memories.tokens + self.memory_code(about)[:, :, None]).flatten(1, 2)
        any_valid = memories.valid.any(dim=1)
        # A row without memories reads its gaps, and what it reads is dropped below: nothing is divided by zero.
        allowed = (memories.valid | ~any_valid[:, None])[:, :, None].expand(-1, -1, count).flatten(1)
        turns = self._memory_turns(height, width, pyramid.seen).repeat(frames, 1)
        places = grid_places(height, width, 1.0, pyramid.seen)
        x = pyramid.seen.flatten(2).transpose(1, 2)
        for layer in self.memory_layers:
            x = layer(x, places, tokens, turns, allowed)
        body = x.transpose(1, 2).unflatten(2, (height, width))
        return pyramid._replace(body=torch.where(any_valid[:, None, None, None], body, pyramid.body))

    def decode(self, pyramid: Pyramid, prompt: ClickPrompt) -> ClickAnswer:
        """What was meant, in every row of a batch.

        Args:
            pyramid: Of `encode` or `attend`.
            prompt: Of the same batch.
        """
        body = torch.cat([pyramid.body, self._ask(self.ask_body, self.like_body, pyramid.body, prompt, 16)], dim=1)
        body = self.up_body(body)
        asked = self._ask(self.ask_eighth, self.like_eighth, pyramid.eighth, prompt, 8)
        eighth = self.up_eighth(torch.cat([double_size(body), pyramid.eighth, asked], dim=1))
        asked = self._ask(self.ask_quarter, self.like_quarter, pyramid.quarter, prompt, 4)
        quarter = self.up_quarter(torch.cat([double_size(eighth), pyramid.quarter, asked], dim=1))
        value, known = known_prior(prompt.prior)
        logits = self.last(torch.cat([double_size(self.up_half(quarter)), pyramid.half, value, known], dim=1))
        pooled = torch.cat([body.mean(dim=(2, 3)), body.amax(dim=(2, 3))], dim=1)
        return ClickAnswer(logits, self._judge(logits, quarter, eighth), self.presence(pooled)[:, 0])

    def remember(self, pyramid: Pyramid, logits: Tensor, presence: Tensor) -> Tensor:
        """What to keep of views in which an answer was accepted.

        Args:
            pyramid: Of `encode` or `attend`.
            logits: (b, 1, h / 2, w / 2) of the accepted answer.
            presence: (b,) logit of the object being there.

        Returns:
            (b, t, MEMORY_CHANNELS) tokens: a grid of 32 pixels a cell, row by row, then the object's pointer.
        """
        inside = torch.sigmoid(logits)
        joined = self.memory_join[0](self.memory_down(torch.cat([inside * 4 - 2, torch.tanh(logits / 8)], dim=1)))
        grid = self.memory_out(F.avg_pool2d(self.memory_join[1](joined + pyramid.seen), MEMORY_POOL))
        share = F.avg_pool2d(inside, STRIDE // 2)
        mean = (pyramid.seen * share).sum(dim=(2, 3)) / (share.sum(dim=(2, 3)) + 1e-3)
        pointer = self.pointer(torch.cat([mean, pyramid.seen.mean(dim=(2, 3))], dim=1))
        tokens = torch.cat([grid.flatten(2).transpose(1, 2), pointer[:, None]], dim=1)
        return tokens + torch.sigmoid(-presence)[:, None, None] * self.absent

    def forward(self, rgb: Tensor, fov: Tensor, centred: Tensor, prompt: ClickPrompt) -> ClickAnswer:
        """A first sight of views: encode, then decode; arguments as there."""
        return self.decode(self.encode(rgb, fov, centred), prompt)

    def _ask(self, ask: nn.Module, like: Likeness, features: Tensor, prompt: ClickPrompt, stride: int) -> Tensor:
        height, width = features.shape[-2:]
        maps = [prompt_maps(prompt, height, width, stride), like(features, prompt, stride)]
        asked: Tensor = ask(torch.cat(maps, dim=1))
        return asked

    def _judge(self, logits: Tensor, quarter: Tensor, eighth: Tensor) -> Tensor:
        """(b, 3) quality of the maps, whose own loss must not be softened by it: no gradient flows back to them."""
        inside = torch.sigmoid(logits.detach())
        small = F.avg_pool2d(inside, 2)
        smaller = F.avg_pool2d(small, 2)
        area = inside.mean(dim=(2, 3))
        sure = (inside * inside).mean(dim=(2, 3)) / (area + 1e-4)
        sides = [inside[:, :, 0].mean(2), inside[:, :, -1].mean(2), inside[..., 0].mean(2), inside[..., -1].mean(2)]
        numbers = torch.stack([area, torch.sqrt(area + 1e-6), sure, *sides], dim=2)  # (b, 3, 7)
        looks = [
            torch.einsum("bchw,bkhw->bkc", features, share) / (share.sum(dim=(2, 3))[..., None] + 1e-2)
            for features, share in ((quarter, small), (eighth, smaller))
        ]
        judged: Tensor = self.quality(torch.cat([*looks, numbers], dim=2))
        return judged[..., 0]

    def _memory_turns(self, height: int, width: int, like: Tensor) -> Tensor:
        """(t, pairs) angles of a memory's tokens: those of its grid, and none for the pointer."""
        places = grid_places(height // MEMORY_POOL, width // MEMORY_POOL, float(MEMORY_POOL), like)
        return F.pad(rotary_code(places, self.memory_pairs), (0, 0, 0, 1))
