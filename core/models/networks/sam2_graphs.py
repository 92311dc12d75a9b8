"""SAM 2.1 cut into the four calls that an ONNX graph can hold, each about one picture and one object."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from core.models.networks.graphs import Graph
from core.models.networks.sam2 import CELLS_TO_LOGITS, POSITIVE, STRIDE, Maps, Sam2Parts

MAP_CHANNELS = (32, 64, 256)
MEMORY_CHANNELS = 64
POINTER_CHANNELS = 256
_SOME = 3
"""Points, memories and pointers in the examples."""


def sam2_graphs(model: nn.Module, size: int) -> list[Graph]:
    """The four calls, for pictures of one size, any number of points, memories and pointers.

    What the encoder says goes to the decoder as it is, when it has gone through `attention`, or, for a picture that is
    looked at without memories, after `no_memory_embedding` was added to the coarse map, which the encoder says, too.

    Args:
        model: Of `Sam2Config.build` for that size, with its numbers.
        size: Pixels along each side.
    """
    cells = size // STRIDE
    maps = {
        name: torch.zeros(1, channels, times * cells, times * cells)
        for name, channels, times in zip(Maps._fields, MAP_CHANNELS, (4, 2, 1), strict=True)
    }
    logits = torch.zeros(CELLS_TO_LOGITS * cells, CELLS_TO_LOGITS * cells)
    return [
        Graph(
            "encoder",
            _Encode(model),
            {"rgb": torch.zeros(1, 3, size, size)},
            (*Maps._fields, "first_sight"),
        ),
        Graph(
            "decoder",
            _Decode(model),
            {
                **maps,
                "points": torch.zeros(_SOME, 2),
                "kinds": torch.full((_SOME,), POSITIVE, dtype=torch.int32),
                "mask": logits[None, None].clone(),
                "has_mask": torch.zeros(()),
            },
            ("logits", "quality", "presence", "pointers"),
            {name: {0: Dim("points", min=1)} for name in ("points", "kinds")},
        ),
        Graph(
            "attention",
            _Attend(model),
            {
                "coarse": maps["coarse"].clone(),
                "memories": torch.zeros(_SOME, cells * cells, MEMORY_CHANNELS),
                "slots": torch.ones(_SOME, dtype=torch.int64),
                "pointers": torch.zeros(_SOME + 1, POINTER_CHANNELS),
                "offsets": torch.zeros(_SOME + 1),
            },
            ("attended",),
            {
                # One is as good as several; that the tracer cannot see.
                **{name: {0: Dim("memories", min=2)} for name in ("memories", "slots")},
                **{name: {0: Dim("pointers", min=2)} for name in ("pointers", "offsets")},
            },
        ),
        Graph(
            "memory",
            _Remember(model),
            {
                "coarse": maps["coarse"].clone(),
                "logits": logits.clone(),
                "presence": torch.ones(()),
                "prompted": torch.ones(()),
            },
            ("tokens",),
        ),
    ]


class _Part(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.network: Any = model
        self._parts = Sam2Parts(model)


class _Encode(_Part):
    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        maps = self._parts.encode(rgb)
        return (*maps, self._parts.first_sight(maps.coarse))


class _Decode(_Part):
    def forward(
        self,
        fine: Tensor,
        middle: Tensor,
        coarse: Tensor,
        points: Tensor,
        kinds: Tensor,
        mask: Tensor,
        has_mask: Tensor,
    ) -> tuple[Tensor, ...]:
        prompts = self.network.prompt_encoder
        sparse, blank = prompts(points[None, None], kinds[None, None], None, None)
        dense = torch.where(has_mask > 0, prompts.mask_embed(mask), blank)
        masks = self._parts.masks(Maps(fine, middle, coarse), sparse, dense)
        return masks.logits, masks.quality, masks.presence, self._parts.pointers(masks)


class _Attend(_Part):
    def forward(self, coarse: Tensor, memories: Tensor, slots: Tensor, pointers: Tensor, offsets: Tensor) -> Tensor:
        return self._parts.attend(coarse, memories, slots, pointers, offsets)


class _Remember(_Part):
    def forward(self, coarse: Tensor, logits: Tensor, presence: Tensor, prompted: Tensor) -> Tensor:
        return self._parts.memory(coarse, logits, presence, prompted > 0)
