"""Networks cut into the calls that an ONNX graph can hold: tensors in, tensors out, and which sizes are free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.export import Dim

from core.models.networks.click_prompts import ClickPrompt, no_prompt
from core.models.networks.click_s import MEMORY_CHANNELS, ClickSNet, Memories, Pyramid
from core.models.networks.dap import DapNet
from core.models.networks.mtpano import TASKS, MtpanoNet
from core.models.networks.pano_s import PanoSNet, PanoSOutput

BATCH = "batch"
"""What graphs call the number of pictures."""

Sizes = Mapping[int, object]
"""Of an input: axis -> the free dimension that it is, or a multiple of."""


@dataclass(frozen=True, eq=False)
class Graph:
    """One call of a network.

    Attributes:
        part: Which of several; empty for a network of one call.
        call: Takes the inputs in their order; its network is itself, or what it calls `network`.
        inputs: Examples by name. Free dimensions are at least 2 in them, or they would be taken for fixed ones.
        outputs: Names in their order.
        free: Free dimensions of the inputs that have any.
    """

    part: str
    call: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    free: dict[str, Sizes] = field(default_factory=dict)


def pano_s_graph(network: PanoSNet, height: int) -> Graph:
    """Any number of pictures of the one size that the network was trained on.

    Args:
        network: With its numbers.
        height: Rows of that size.
    """
    pictures = torch.zeros(2, 3, height, 2 * height)
    return Graph("", network, {"rgb": pictures}, PanoSOutput._fields, {"rgb": {0: Dim(BATCH)}})


def dap_graph(network: DapNet) -> Graph:
    """Any number of pictures of any size in whole patches."""
    patch = network.config.vit.patch
    free = {0: Dim(BATCH), 2: patch * Dim("rows", min=2), 3: patch * Dim("columns", min=2)}
    pictures = torch.zeros(2, 3, 4 * patch, 8 * patch)
    return Graph("", network, {"rgb": pictures}, ("pred_depth", "pred_mask"), {"rgb": free})


def mtpano_graph(network: MtpanoNet) -> Graph:
    """Any number of pictures of the one size that the network knows."""
    height = network.config.height
    pictures = torch.zeros(2, 3, height, 2 * height)
    return Graph("", network, {"rgb": pictures}, TASKS, {"rgb": {0: Dim(BATCH)}})


def click_s_graphs(network: ClickSNet, view_size: int) -> list[Graph]:
    """The four calls, for any number of square views of any size in whole cells of 32 pixels.

    A prompt without clicks is given as one click of sign 0. Memories are read in views of one size only, because their
    number of tokens grows with its square.

    Args:
        network: With its numbers.
        view_size: Pixels along each side of the views that memories are read in.
    """
    batch, cells = Dim(BATCH), Dim("cells", min=2)
    size = 128
    with torch.inference_mode():
        rgb = torch.zeros(2, 3, size, size)
        fov = torch.ones(2)
        pyramid = Pyramid(*(level.clone() for level in network.encode(rgb, fov, fov)))
    blank = no_prompt(rgb, clicks=3)
    levels = pyramid._asdict()
    of_levels: dict[str, Sizes] = {
        name: {0: batch, 2: times * cells, 3: times * cells}
        for name, times in zip(Pyramid._fields, (16, 8, 4, 2, 2), strict=True)
    }
    clicks, frames, tokens = Dim("clicks", min=1), Dim("memories", min=1), (view_size // 32) ** 2 + 1
    decoded = {name: levels[name] for name in ("half", "quarter", "eighth", "body")}
    prompt = blank._asdict()
    of_prompt: dict[str, Sizes] = {
        "points": {0: batch, 1: clicks},
        "signs": {0: batch, 1: clicks},
        "box": {0: batch},
        "prior": {0: batch, 2: 16 * cells, 3: 16 * cells},
    }
    memories = {
        "tokens": torch.zeros(2, 3, tokens, MEMORY_CHANNELS),
        **{name: torch.zeros(2, 3) for name in ("distance", "angle", "prompted")},
        "valid": torch.ones(2, 3, dtype=torch.bool),
    }
    of_memories: dict[str, Sizes] = {name: {0: batch, 1: frames} for name in memories}
    seen = {"seen": levels["seen"]}
    fixed = {name: torch.zeros(2, levels[name].shape[1], view_size // 16, view_size // 16) for name in ("seen", "body")}
    return [
        Graph(
            "encoder",
            _Encode(network),
            {"rgb": rgb, "fov": fov, "centred": fov},
            Pyramid._fields,
            {"rgb": {0: batch, 2: 32 * cells, 3: 32 * cells}, "fov": {0: batch}, "centred": {0: batch}},
        ),
        Graph(
            "decoder",
            _Decode(network),
            {**decoded, **prompt},
            ("logits", "quality", "presence"),
            {**{name: of_levels[name] for name in decoded}, **of_prompt},
        ),
        Graph(
            "attention",
            _Attend(network),
            {**fixed, **memories},
            ("attended",),
            {**{name: {0: batch} for name in fixed}, **of_memories},
        ),
        Graph(
            "memory",
            _Remember(network),
            {**seen, "logits": blank.prior[:, :1].clone(), "presence": fov},
            ("tokens",),
            {"seen": of_levels["seen"], "logits": of_prompt["prior"], "presence": {0: batch}},
        ),
    ]


class _Part(nn.Module):
    def __init__(self, network: ClickSNet) -> None:
        super().__init__()
        self.network = network


class _Encode(_Part):
    def forward(self, rgb: Tensor, fov: Tensor, centred: Tensor) -> Pyramid:
        return self.network.encode(rgb, fov, centred)


class _Decode(_Part):
    def forward(
        self,
        half: Tensor,
        quarter: Tensor,
        eighth: Tensor,
        body: Tensor,
        points: Tensor,
        signs: Tensor,
        box: Tensor,
        prior: Tensor,
    ) -> tuple[Tensor, ...]:
        pyramid = Pyramid(half, quarter, eighth, body, body)
        return tuple(self.network.decode(pyramid, ClickPrompt(points, signs, box, prior)))


class _Attend(_Part):
    def forward(
        self,
        seen: Tensor,
        body: Tensor,
        tokens: Tensor,
        distance: Tensor,
        angle: Tensor,
        prompted: Tensor,
        valid: Tensor,
    ) -> Tensor:
        pyramid = Pyramid(seen, seen, seen, seen, body)
        return self.network.attend(pyramid, Memories(tokens, distance, angle, prompted, valid)).body


class _Remember(_Part):
    def forward(self, seen: Tensor, logits: Tensor, presence: Tensor) -> Tensor:
        return self.network.remember(Pyramid(seen, seen, seen, seen, seen), logits, presence)
