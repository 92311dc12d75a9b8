"""SAM 2.1 and what was trained further from it, on arrays: a `core.segment.network.ClickNetwork` of published weights.

The network runs on the classes of the package transformers, which is asked for when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import ModelUnavailable
from core.io.digest import content_sha256
from core.models import ModelSpec, find_segmenter, weights_file
from core.models.devices import pick_device
from core.models.runners import TorchRunner, batch_of, device_of, tensor
from core.models.weights import load_strictly, read_metadata
from core.progress import Progress, silent
from core.segment.network import MemoryFrame, ViewAnswer, ViewPrompt

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch import device as Device

    from core.models.layouts import Layout
    from core.models.networks.sam2 import Maps, Masks, Sam2Config, Sam2Parts

Said = TypeVar("Said")
VIEW_SIZE = 1024
"""Pixels along each side of the pictures on which the network was trained."""
STEP = 32
"""Sides of pictures that it can read are multiples of this."""
SLOTS = 6
"""How many pictures without a prompt it can tell apart by how long ago they were seen."""
LONGEST = 15
"""Steps after which a pointer is as old as it can be."""

SIZES = ("tiny", "small", "base_plus", "large")
INSTALL = "pip install 'panoviewer[published]'"

_ORDER = [1, 2, 3, 0]
"""In which the masks are given: those that are told apart first, the single one last."""

F32 = NDArray[np.float32]


class Sam2Features(NamedTuple):
    """What is known of one view; see `core.models.networks.sam2.Maps`, here without the axis of pictures."""

    fine: F32
    middle: F32
    coarse: F32


class Sam2Memory(NamedTuple):
    """What is kept of a view.

    Attributes:
        tokens: (t, 64) bfloat16 as in the published code, which takes half the room.
        pointer: (256,) of the object.
    """

    tokens: Tensor
    pointer: Tensor


class Sam2:
    """A published network on weights that the user added.

    Args:
        weights: A safetensors file as `core.models.store` writes it; the added one when left out.
        name: In the catalogue of click networks.
        size: "tiny", "small", "base_plus" or "large".
        device: "auto", "cpu", "cuda", "mps" or another torch device.
        view_size: Pixels along each side of the views it reads; on smaller ones than those of its training it is less
            exact and faster. Those of its training when left out.

    Raises:
        ModelUnavailable: The weights are missing, broken or of another network, the package transformers is missing,
            or the device cannot be used.
    """

    def __init__(
        self,
        weights: Path | None = None,
        *,
        name: str,
        size: str,
        device: str = "auto",
        view_size: int | None = None,
    ) -> None:
        if view_size is not None and (view_size <= 0 or view_size % STEP):
            raise ValueError(f"expected views whose side is a multiple of {STEP}, got {view_size}")
        path = weights or weights_file(find_segmenter(name))
        if weights is None and not path.is_file():
            is_published = find_segmenter(name).hub is not None
            fetch = f"Fetch them with 'panoviewer models pull {name}'; or add" if is_published else "Add"
            raise ModelUnavailable(
                f"Weights for {name} are missing. {fetch} the published file with "
                f"'panoviewer models add FILE --as {name}', which puts it here: {path}"
            )
        device = pick_device(device)
        config, trained_size = _trained_as(path, size)
        view_size = view_size or trained_size
        network = _built(name, config, view_size)
        load_strictly(network, path)
        self._name, self._config, self._view_size = name, config, view_size
        # In full precision alone: what is encoded is kept, and must not depend on how much memory was free.
        self._runner = TorchRunner.of_network(network, device=device, exact=True)
        self._fingerprint = f"{name}-{content_sha256(path)[:16]}"

    @property
    def name(self) -> str:
        """In the catalogue."""
        return self._name

    @property
    def device(self) -> str:
        """Where it ran last: 'cpu', 'cuda:0', ..."""
        return self._runner.device

    @property
    def told(self) -> tuple[str, ...]:
        """See `core.segment.network.TellsDetours`."""
        return self._runner.told

    @property
    def view_size(self) -> int:
        """See `ClickNetwork`."""
        return self._view_size

    @property
    def answer_size(self) -> int:
        """See `ClickNetwork`."""
        return self._view_size // 4

    @property
    def fingerprint(self) -> str:
        """See `ClickNetwork`."""
        return self._fingerprint

    def encode(self, view: NDArray[np.uint8]) -> Sam2Features:
        """See `ClickNetwork`."""
        expected = (self._view_size, self._view_size, 3)
        if view.dtype != np.uint8 or view.shape != expected:
            raise ValueError(f"expected a view uint8 {expected}, got {view.dtype} {view.shape}")

        def work(parts: Sam2Parts, device: Device) -> Sam2Features:
            maps = parts.encode(tensor(batch_of(view), device))
            return Sam2Features(*(level[0].cpu().numpy() for level in maps))

        return self._ask(work)

    def attend(self, features: Sam2Features, memories: Sequence[MemoryFrame]) -> Sam2Features:
        """See `ClickNetwork`.

        Views with a prompt are told from the others, which count as the last ones of a video, in the order in which
        they are given: on a sphere the nearest ones, of which the first is taken for the view just seen.
        """
        import torch

        def work(parts: Sam2Parts, device: Device) -> F32:
            coarse = tensor(features.coarse, device)[None]
            if memories:
                slots, offsets = memory_numbers(memories)
                kept: list[Sam2Memory] = [frame.memory for frame in memories]
                coarse = parts.attend(
                    coarse,
                    torch.stack([memory.tokens for memory in kept]).to(device).float(),
                    torch.tensor(slots, device=device),
                    torch.stack([memory.pointer for memory in kept]).to(device),
                    tensor(offsets, device),
                )
            else:
                coarse = parts.first_sight(coarse)
            attended: F32 = coarse[0].cpu().numpy()
            return attended

        return features._replace(coarse=self._ask(work))

    def decode(self, features: Sam2Features, prompt: ViewPrompt) -> ViewAnswer:
        """See `ClickNetwork`; the features are those of `attend`.

        Returns:
            Four readings: the three into which a single click is told apart, and the one that several clicks mean.
        """
        from core.models.networks.sam2 import ABSENT, LIMIT, chosen_mask

        # There, 0 is the middle of the first pixel.
        box = None if prompt.box is None else np.subtract(prompt.box, 0.5)
        points, kinds = _points(prompt.points - 0.5, prompt.positive, box)
        mask = None
        if len(points) and prompt.prior is not None and not np.isnan(prompt.prior).any():
            # The network has learned to correct a mask, and not to complete one that is known in part.
            mask = np.clip(prompt.prior, -LIMIT, LIMIT)

        def work(parts: Sam2Parts, device: Device) -> ViewAnswer:
            masks = _masks(parts, _maps(features, device), points, kinds, mask)
            taken, pointed = chosen_mask(masks, len(points))
            pointers = parts.pointers(masks)
            if len(points) > 1:
                pointers = pointers[pointed].expand_as(pointers)
            logits = masks.logits if masks.presence > 0 else masks.logits.new_full(masks.logits.shape, ABSENT)
            return ViewAnswer(
                logits.cpu().numpy()[_ORDER],
                masks.quality.cpu().numpy()[_ORDER],
                float(masks.presence),
                chosen=_ORDER.index(taken),
                pointers=pointers.cpu().numpy()[_ORDER],
            )

        return self._ask(work)

    def remember(
        self, features: Sam2Features, answer: F32, *, presence: float, prompted: bool, pointer: F32 | None
    ) -> Sam2Memory:
        """See `ClickNetwork`."""
        import torch

        if pointer is None:
            raise ValueError("expected the pointer of the network's answer, got none")
        kept = torch.from_numpy(np.array(pointer, np.float32))

        def work(parts: Sam2Parts, device: Device) -> Sam2Memory:
            coarse, logits = tensor(features.coarse, device)[None], tensor(answer, device)
            tokens = parts.remember(coarse, logits, presence, prompted=prompted)
            return Sam2Memory(tokens.cpu().to(torch.bfloat16), kept)

        return self._ask(work)

    def raw_clicked(
        self,
        rgb: NDArray[np.uint8],
        points: F32,
        positive: NDArray[np.bool_],
        box: F32 | None,
        *,
        progress: Progress = silent,
    ) -> dict[str, F32]:
        """The network's own outputs for a picture as it is; see `core.models.base.RawClickModel`.

        Args:
            rgb: (s, s, 3) sRGB uint8; s is a multiple of 32.
            points: (n, 2) pixels (x, y), 0 in the middle of the first one, as the published code counts them.
            positive: (n,) bool.
            box: (x0, y0, x1, y1) in the same pixels, or None.
            progress: Called between encoder and decoder; may raise `Cancelled`.

        Returns:
            ``low_res_logits`` (4, s / 4, s / 4), not clamped: of the single mask and of the three that are told apart;
            their ``iou`` (4,); and ``object_score_logit`` (1,).

        Raises:
            ModelUnavailable: The network cannot read a picture of this size, or the device ran out of memory.
        """
        height, width = rgb.shape[:2]
        if height != width or height % STEP or not height:
            raise ModelUnavailable(
                f"Expected a square picture whose sides are multiples of {STEP}, {VIEW_SIZE} x {VIEW_SIZE} in the "
                f"published code, got {height} x {width} (height x width); cut or resize it."
            )
        places, kinds = _points(points, positive, box)
        progress(0, 2)

        def work(own: Sam2Parts, device: Device) -> dict[str, F32]:
            parts = self._parts_for(own, height)
            maps = parts.encode(tensor(batch_of(rgb), device))
            progress(1, 2)
            maps = maps._replace(coarse=parts.first_sight(maps.coarse))
            masks = _masks(parts, maps, places, kinds, None)
            progress(2, 2)
            return {
                "low_res_logits": masks.logits.cpu().numpy(),
                "iou": masks.quality.cpu().numpy(),
                "object_score_logit": masks.presence[None].cpu().numpy(),
            }

        return self._ask(work)

    @property
    def _parts(self) -> Sam2Parts:
        from core.models.networks.sam2 import Sam2Parts

        return Sam2Parts(self._runner.network)

    def _ask(self, work: Callable[[Sam2Parts, Device], Said]) -> Said:
        """What `work` says where it fits: of the network, on the device of its numbers."""
        from core.models.networks.sam2 import Sam2Parts

        return self._runner.each(1, lambda network, _one: work(Sam2Parts(network), device_of(network)))[0]

    def _parts_for(self, own: Sam2Parts, size: int) -> Sam2Parts:
        """The network for pictures of another size, with the same weights in the same memory."""
        if size == self._view_size:
            return own
        from core.models.networks.sam2 import Sam2Parts

        network = _built(self._name, self._config, size)
        network.load_state_dict(own.model.state_dict(), assign=True)
        return Sam2Parts(network.eval().to(device_of(own.model)))


def _masks(parts: Sam2Parts, maps: Maps, points: F32, kinds: NDArray[np.int32], mask: F32 | None) -> Masks:
    import torch

    device = maps.coarse.device
    known = None if mask is None else tensor(mask, device)[None, None]
    return parts.decode(maps, tensor(points, device), torch.from_numpy(kinds).to(device), known)


def _maps(features: Sam2Features, device: Device) -> Maps:
    from core.models.networks.sam2 import Maps

    return Maps(*(tensor(level, device)[None] for level in features))


def memory_numbers(memories: Sequence[MemoryFrame]) -> tuple[list[int], list[float]]:
    """What `core.models.networks.sam2.Sam2Parts.attend` is told of memories: their slots, and their pointers' offsets.

    Those without a prompt count as the last ones of a video in the order in which they are given.
    """
    before = 0
    slots = []
    for frame in memories:
        before += not frame.prompted
        slots.append(0 if frame.prompted else min(before, SLOTS))
    return slots, [min(abs(frame.distance), LONGEST) / LONGEST for frame in memories]


def _points(points: F32, positive: NDArray[np.bool_], box: ArrayLike | None) -> tuple[F32, NDArray[np.int32]]:
    """Points and what each of them is, the corners of a box first, as the published code puts them."""
    from core.models.networks.sam2 import BOX_BEGIN, BOX_END, NEGATIVE, POSITIVE

    places = np.asarray(points, np.float32).reshape(-1, 2)
    kinds = np.where(positive, POSITIVE, NEGATIVE).astype(np.int32).reshape(-1)
    if box is not None:
        places = np.concatenate([np.asarray(box, np.float32).reshape(2, 2), places])
        kinds = np.concatenate([np.array([BOX_BEGIN, BOX_END], np.int32), kinds])
    return places, kinds


def _config(size: str) -> Sam2Config:
    from core.models.networks import sam2

    return cast("Sam2Config", getattr(sam2, size.upper()))


def _trained_as(path: Path, size: str) -> tuple[Sam2Config, int]:
    """The network of a file, and the size of the views of its training; what our training wrote says so itself."""
    from core.models.networks.sam2 import Sam2Config

    try:
        told = Sam2Config.from_metadata(read_metadata(path))
    except ValueError as error:
        raise ModelUnavailable(f"Expected weights of SAM 2.1, got others ({error}): {path}") from error
    return told or (_config(size), VIEW_SIZE)


def _built(name: str, config: Sam2Config, view_size: int, device: str = "meta") -> nn.Module:
    """The network without numbers; those of the file take their place."""
    try:
        return config.build(view_size, device=device)
    except ImportError as error:
        raise ModelUnavailable(
            f"Model {name} runs on the package transformers, 5.23 or later, which cannot be imported ({error}); "
            f"install it with: {INSTALL}"
        ) from error


def build(spec: ModelSpec, view_size: int, *, device: str = "meta") -> nn.Module:
    """The network of a line of the catalogue for views of a size, without numbers; on another device with random ones.

    Raises:
        ModelUnavailable: The package transformers is missing.
    """
    entry = globals()[spec.entry.partition(":")[2]]
    return _built(spec.name, _config(entry.keywords["size"]), view_size, device)


def _layout(size: str) -> Layout:
    from core.models.sam2_layout import sam2_layout

    return sam2_layout(_config(size))


# What the catalogue points to: one network and one layout of files for each size.
sam21_tiny, sam21_small, sam21_base_plus, sam21_large = (
    partial(Sam2, name=f"sam2.1-{size.replace('_', '-')}", size=size) for size in SIZES
)
sap_tiny, sap_small, sap_base_plus, sap_large = (
    partial(Sam2, name=f"sap-{size.replace('_', '-')}", size=size) for size in SIZES
)
tiny_layout, small_layout, base_plus_layout, large_layout = (partial(_layout, size) for size in SIZES)
