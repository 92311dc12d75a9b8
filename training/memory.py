"""How much memory a run takes: numbers counted on the meta device, what is kept for the gradient counted in a step."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.recipes.base import Batch, Recipe

CARDS_GB = (12, 24, 80)
_RESERVED_GB = 1.0
"""What CUDA itself and its libraries take, roughly; our assumption."""
_USABLE = 0.92
"""Share of a card that can be filled before blocks no longer fit between each other; our assumption."""
_LEAST_TOKENS = 64
"""Of a square map that is taken for attention."""


@dataclass(frozen=True)
class Need:
    """What a run takes at its full size.

    Attributes:
        trained, fixed: Numbers of the network that are trained, and others.
        fixed_bytes: Weights, averaged weights, gradient and the optimiser's two moments in float32.
        sample_bytes: What one sample keeps in float32 until its gradient is known.
        how: How the latter was found.
    """

    trained: int
    fixed: int
    fixed_bytes: int
    sample_bytes: int
    how: str

    def total(self, batch: int, *, bfloat16: bool) -> int:
        """Bytes of a step. In bfloat16 what is kept takes half, and a copy of the weights is added."""
        kept = batch * self.sample_bytes
        return self.fixed_bytes + (kept // 2 + 2 * (self.trained + self.fixed) if bfloat16 else kept)

    def largest_batch(self, gigabytes: float, *, bfloat16: bool) -> int:
        """Samples of a part that a card holds; 0 where it holds none."""
        free = (gigabytes * _USABLE - _RESERVED_GB) * 1e9
        per_sample = self.sample_bytes / (2 if bfloat16 else 1)
        return max(0, int((free - self.total(0, bfloat16=bfloat16)) // per_sample))


class Kept:
    """Counts the bytes that autograd keeps within, each storage once, the parameters' own left out."""

    def __init__(self, network: nn.Module) -> None:
        self._own = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
        self._seen: dict[int, Tensor] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)

    def _pack(self, tensor: Tensor) -> Tensor:
        # Kept as it is, so that no other storage gets its number meanwhile.
        self._seen[tensor.untyped_storage()._cdata] = tensor
        return tensor

    def __enter__(self) -> Kept:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)

    @property
    def bytes(self) -> int:
        """So far."""
        return sum(
            tensor.untyped_storage().nbytes()
            for key, tensor in self._seen.items()
            if key not in self._own and not (tensor.is_meta and _is_attention(tensor))
        )


def _is_attention(tensor: Tensor) -> bool:
    """Whether it holds the weights of attention: GPUs compute them anew, the meta device knows no other way."""
    return tensor.ndim >= 3 and tensor.shape[-1] == tensor.shape[-2] > _LEAST_TOKENS


def need(
    full: Recipe,
    small: Recipe,
    batch: Batch,
    *,
    samples: int,
    heights: tuple[int, int],
    frames: tuple[int, int] = (1, 1),
) -> Need:
    """What a run takes at its full size.

    The network of full size is built without numbers and, where it reads nothing but pictures, run on a picture without
    numbers. What the loss keeps beside that is taken from a real step in small, by the number of pixels.

    Args:
        full: The recipe at full size.
        small: The same at a size that can be computed here.
        batch: A part of a step of the latter.
        samples: How many there are in it.
        heights: Rows of the pictures in full and in small.
        frames: Pictures of a sample in full and in small.
    """
    with torch.device("meta"):
        network = full.build()
    trained = sum(value.numel() for value in network.parameters() if value.requires_grad)
    fixed = sum(value.numel() for value in network.state_dict().values()) - trained
    torch.manual_seed(0)
    model = small.build()
    with Kept(model) as kept:
        loss, _ = small.loss(model, batch)
    del loss
    larger = (heights[0] / heights[1]) ** 2 * frames[0] / frames[1]
    measured = kept.bytes / samples
    sample_bytes, how = int(measured * larger), "by pixels from a step in small, with its smaller network if it has one"
    if "rgb" in batch and batch["rgb"].ndim == 4:
        with suppress(TypeError, RuntimeError, NotImplementedError, ValueError):
            rgb = batch["rgb"][:1].float()
            with Kept(model) as in_small:
                model(rgb)
            rows, columns = (int(side * larger**0.5) for side in rgb.shape[2:])
            with Kept(network) as in_full:
                said = network(torch.empty(1, 3, rows, columns, device="meta"))
            del said
            beside = max(0.0, measured - in_small.bytes)
            sample_bytes = int(in_full.bytes + beside * larger)
            how = "the network's on the meta device at full size; the loss's by pixels from a step in small"
    # Weights and their average, the gradient, and two moments of AdamW.
    fixed_bytes = 4 * (trained * 5 + fixed)
    return Need(trained, fixed, fixed_bytes, sample_bytes, how)


def memory_lines(name: str, found: Need, batch: int, size: str) -> Sequence[str]:
    """The table of memory needs as Markdown."""
    numbers = f"{found.trained / 1e6:.1f} M trained" + (
        f" + {found.fixed / 1e6:.1f} M fixed" if found.fixed > 5e4 else ""
    )
    cells = []
    for card in CARDS_GB:
        batches = [found.largest_batch(card, bfloat16=half) for half in (False, True)]
        cells.append(" / ".join(str(count) if count else "does not fit" for count in batches))
    totals = [f"{found.total(batch, bfloat16=half) / 1e9:.2f}" for half in (False, True)]
    return [
        f"Memory of {name} at {size}, computed, not measured on a GPU; float32 / bfloat16:",
        "| Network | Weights, average, gradient, AdamW | Per sample | "
        f"Batch of {batch} | " + " | ".join(f"Largest batch, {card} GB" for card in CARDS_GB) + " |",
        "|" + " --- |" * (4 + len(CARDS_GB)),
        f"| {numbers} | {found.fixed_bytes / 1e9:.2f} GB | {found.sample_bytes / 1e9:.3f} / "
        f"{found.sample_bytes / 2e9:.3f} GB | {' / '.join(totals)} GB | {' | '.join(cells)} |",
        f"What a sample keeps: {found.how}.",
        f"{_RESERVED_GB:g} GB for CUDA and {1 - _USABLE:.0%} of a card are left free.",
    ]
