"""The networks that can learn from clips, seen through four calls that keep gradients.

They are the four of `core.segment.network.ClickNetwork`, on tensors: a view is looked at, memories are attended to,
prompts are answered, and an answer is remembered. Rows are objects; features are named tuples of tensors whose first
axis counts views or rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.click_prompts import ClickPrompt
from core.models.networks.click_s import READINGS, ClickSNet, Memories, Pyramid
from core.segment.network import MemoryFrame

if TYPE_CHECKING:
    from core.models.networks.sam2 import Maps, Sam2Parts

Features = Any
Rows = TypeVar("Rows", bound=tuple[Any, ...])

SURE = 10.0
"""Logit of a mask that was given and is passed on as the answer, as in SAM 2."""
_OBJECT = READINGS.index("object")


class Answer(NamedTuple):
    """What a network says about each row.

    Attributes:
        logits: (r, c, a, a) of its candidates, > 0 inside.
        counts: (r, c) bool, which of them it may give.
        quality: (r, c) its estimates of their IoU, in [0, 1].
        presence: (r,) logits of the object being in the view.
        chosen: (r,) the candidate that it gives.
        pointers: (r, c, d), what is remembered beside the mask; d may be 0.
    """

    logits: Tensor
    counts: Tensor
    quality: Tensor
    presence: Tensor
    chosen: Tensor
    pointers: Tensor

    def given(self) -> tuple[Tensor, Tensor]:
        """(r, a, a) logits and (r, d) pointers of the candidates that are given."""
        rows = torch.arange(len(self.chosen), device=self.chosen.device)
        return self.logits[rows, self.chosen], self.pointers[rows, self.chosen]


class Segmenter(Protocol):
    """A network that follows objects through views, with gradients."""

    @property
    def stride(self) -> int:
        """Pixels of a view along each side of a logit."""
        ...

    def look(self, rgb: Tensor, fov: Tensor) -> Features:
        """Features of (n, 3, s, s) views in [0, 1], (n,) radians wide; none of it is learned, so rows are cheap."""
        ...

    def attend(self, features: Features, memories: Sequence[Sequence[MemoryFrame]]) -> Features:
        """Features that know each row's object from other views; rows without memories see it for the first time."""
        ...

    def answer(self, features: Features, prompt: ClickPrompt) -> Answer:
        """The objects; a prompt's prior has the size of the answers."""
        ...

    def pass_on(self, features: Features, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (r, a, a) and pointers (r, d) of (r, s, s) masks that were given instead of pointed at."""
        ...

    def remember(self, features: Features, logits: Tensor, presence: Tensor, pointers: Tensor) -> list[Any]:
        """A memory for each row.

        Args:
            features: Of `look`.
            logits: (r, a, a) of the answers.
            presence: (r,).
            pointers: (r, d).
        """
        ...


def rows_of(features: Rows, index: Tensor) -> Rows:
    """Rows of named tuples of tensors, in the order of an index."""
    make = cast("Any", type(features))
    return cast("Rows", make(*(level.index_select(0, index) for level in features)))


def segmenter_for(network: nn.Module) -> Segmenter:
    """The four calls of a network.

    Raises:
        TypeError: It is none that follows objects.
    """
    if isinstance(network, ClickSNet):
        return ClickSSegmenter(network)
    if hasattr(network, "memory_encoder"):
        return Sam2Segmenter(network)
    raise TypeError(f"expected a network that follows objects, got {type(network).__name__}")


def freeze_encoder(network: nn.Module) -> None:
    """Leave the image encoder as it is: SAP trains all but that (arXiv:2603.12759).

    Of SAM 2, the two layers that make its finer features thinner belong to the decoder.
    """
    parts: Iterable[nn.Module]
    if isinstance(network, ClickSNet):
        parts = (network.stem, network.to_quarter, network.to_eighth, network.to_body, network.look)
    else:
        parts = (cast("nn.Module", network.vision_encoder),)
    for part in parts:
        part.requires_grad_(False)


class ClickSSegmenter:
    """Click-s. Of its readings the object answers alone: instances are what is learned here (our choice)."""

    stride = 2

    def __init__(self, network: ClickSNet) -> None:
        self._network = network

    def look(self, rgb: Tensor, fov: Tensor) -> Pyramid:
        """See `Segmenter`."""
        with torch.set_grad_enabled(_learns(self._network.stem)):
            pyramid: Pyramid = self._network.encode(rgb, fov, torch.zeros_like(fov))
            return pyramid

    def attend(self, features: Pyramid, memories: Sequence[Sequence[MemoryFrame]]) -> Pyramid:
        """See `Segmenter`."""
        # What stands for no memory is learned, whether or not the encoder is.
        first = features._replace(body=features.seen + self._network.no_memory[:, None, None])
        most = max(len(row) for row in memories)
        if most == 0:
            return first
        some: Tensor = next(row[0].memory for row in memories if row)
        gap = MemoryFrame(torch.zeros_like(some), 0, 0.0, prompted=False)
        filled = [[*row, *[gap] * (most - len(row))] for row in memories]

        def numbers(name: str) -> Tensor:
            return some.new_tensor([[float(getattr(frame, name)) for frame in row] for row in filled])

        known = Memories(
            torch.stack([torch.stack([frame.memory for frame in row]) for row in filled]),
            numbers("distance"),
            numbers("angle"),
            numbers("prompted"),
            torch.tensor([[k < len(row) for k in range(most)] for row in memories], device=some.device),
        )
        attended: Pyramid = self._network.attend(first, known)
        return attended

    def answer(self, features: Pyramid, prompt: ClickPrompt) -> Answer:
        """See `Segmenter`."""
        said = self._network.decode(features, prompt)
        only = slice(_OBJECT, _OBJECT + 1)
        logits = said.logits[:, only]
        return Answer(
            logits,
            torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device),
            torch.sigmoid(said.quality[:, only]),
            said.presence,
            torch.zeros(len(logits), dtype=torch.long, device=logits.device),
            logits.new_zeros(len(logits), 1, 0),
        )

    def pass_on(self, features: Pyramid, truth: Tensor) -> tuple[Tensor, Tensor]:
        """See `Segmenter`."""
        share = F.avg_pool2d(truth[:, None], self.stride)[:, 0]
        return SURE * (2 * share - 1), features.seen.new_zeros(len(truth), 0)

    def remember(self, features: Pyramid, logits: Tensor, presence: Tensor, pointers: Tensor) -> list[Tensor]:  # noqa: ARG002
        """See `Segmenter`."""
        return list(self._network.remember(features, logits[:, None], presence))


class Sam2Memory(NamedTuple):
    """What SAM 2 keeps: (t, 64) tokens of the view and the object's (256,) pointer."""

    tokens: Tensor
    pointer: Tensor


class Sam2Segmenter:
    """SAM 2.1 of any size, row by row: the layers of transformers take one object of a video at a time."""

    stride = 4

    def __init__(self, network: nn.Module) -> None:
        from core.models.networks.sam2 import Sam2Parts

        self._parts: Sam2Parts = Sam2Parts(network)

    def look(self, rgb: Tensor, fov: Tensor) -> Maps:  # noqa: ARG002, it is not told how wide a view is
        """See `Segmenter`."""
        with torch.set_grad_enabled(_learns(self._parts.model.vision_encoder)):
            levels = self._parts.levels(rgb)
        return self._parts.maps(*levels)

    def attend(self, features: Maps, memories: Sequence[Sequence[MemoryFrame]]) -> Maps:
        """See `Segmenter`."""
        from core.models.sam2 import memory_numbers

        rows = []
        for row, frames in enumerate(memories):
            coarse = features.coarse[row : row + 1]
            if not frames:
                rows.append(self._parts.first_sight(coarse))
                continue
            slots, offsets = memory_numbers(frames)
            kept: list[Sam2Memory] = [frame.memory for frame in frames]
            rows.append(
                self._parts.attend(
                    coarse,
                    torch.stack([memory.tokens for memory in kept]),
                    torch.tensor(slots, device=coarse.device),
                    torch.stack([memory.pointer for memory in kept]),
                    coarse.new_tensor(offsets),
                )
            )
        return features._replace(coarse=torch.cat(rows))

    def answer(self, features: Maps, prompt: ClickPrompt) -> Answer:
        """See `Segmenter`; the single mask comes first, then the three that one point may mean."""
        from core.models.networks.sam2 import LIMIT

        told = []
        for row in range(len(prompt.points)):
            points, kinds = _points(ClickPrompt(*(part[row] for part in prompt)))
            prior = prompt.prior[row : row + 1]
            # As in its adapter: a mask helps to correct one, and is no prompt of its own.
            known = prior.clamp(-LIMIT, LIMIT) if len(points) and not bool(torch.isnan(prior).any()) else None
            masks = self._parts.decode(
                rows_of(features, points.new_full((1,), row, dtype=torch.long)), points, kinds, known
            )
            single = len(points) > 1
            counts = torch.tensor([single, *[not single] * 3], device=points.device)
            chosen = 0 if single else 1 + int(masks.quality[1:].argmax())
            told.append((masks, counts, chosen, self._parts.pointers(masks)))
        return Answer(
            torch.stack([masks.logits for masks, *_ in told]),
            torch.stack([counts for _, counts, *_ in told]),
            torch.stack([masks.quality for masks, *_ in told]),
            torch.stack([masks.presence for masks, *_ in told]),
            torch.tensor([chosen for *_, chosen, _ in told], device=features.coarse.device),
            torch.stack([pointers for *_, pointers in told]),
        )

    def pass_on(self, features: Maps, truth: Tensor) -> tuple[Tensor, Tensor]:
        """See `Segmenter`; the pointer is what the decoder makes of the mask."""
        small = self._parts.model.mask_downsample(truth[:, None])
        logits = F.interpolate(SURE * (2 * truth[:, None] - 1), small.shape[-2:], mode="bilinear", antialias=True)
        pointers = []
        for row in range(len(truth)):
            index = torch.tensor([row], device=truth.device)
            nothing = truth.new_zeros(0, 2), torch.zeros(0, dtype=torch.int32, device=truth.device)
            masks = self._parts.decode(rows_of(features, index), *nothing, small[row : row + 1])
            # Whether it is there is known from the mask itself.
            masks = masks._replace(presence=2 * truth[row].amax() - 1)
            pointers.append(self._parts.pointers(masks)[1 + int(masks.quality[1:].argmax())])
        return logits[:, 0], torch.stack(pointers)

    def remember(self, features: Maps, logits: Tensor, presence: Tensor, pointers: Tensor) -> list[Sam2Memory]:
        """See `Segmenter`; in training no mask is taken for certain."""
        kept = []
        for row in range(len(logits)):
            there = float(presence[row].detach())
            tokens = self._parts.remember(features.coarse[row : row + 1], logits[row], there, prompted=False)
            kept.append(Sam2Memory(tokens, pointers[row]))
        return kept


def _points(prompt: ClickPrompt) -> tuple[Tensor, Tensor]:
    """Points (n, 2), of which 0 is the middle of the first pixel, and what each is, from one row of a prompt."""
    from core.models.networks.sam2 import BOX_BEGIN, BOX_END, NEGATIVE, POSITIVE

    given = prompt.signs != 0
    points, kinds = prompt.points[given], torch.where(prompt.signs[given] > 0, POSITIVE, NEGATIVE)
    if not bool(torch.isnan(prompt.box).any()):
        points = torch.cat([prompt.box.reshape(2, 2), points])
        kinds = torch.cat([kinds.new_tensor([BOX_BEGIN, BOX_END]), kinds])
    return points - 0.5, kinds.int()


def _learns(part: nn.Module) -> bool:
    return torch.is_grad_enabled() and any(weight.requires_grad for weight in part.parameters())
