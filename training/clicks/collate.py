"""Samples and sequences of click-s as tensors. Every number here is our own choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.clicks.samples import ClickSample, Frame, change_looks
from training.clicks.simulate import sloppy_logits
from training.clicks.views import Level
from training.sequences import ViewSequence

_BOXES = 0.12
_PRIORS = 0.2
"""Share of samples that begin with a box, or with a rough answer."""
_OBJECT = int(Level.OBJECT)


def collate_samples(
    samples: Sequence[ClickSample], rng: np.random.Generator, *, extras: bool = True, looks: bool = True
) -> dict[str, Tensor]:
    """Samples as tensors; with `extras`, some begin with a box or a rough answer, with `looks` colours change."""
    batch = _collate_frames(
        [sample.frame for sample in samples], [sample.meant_level for sample in samples], rng, looks
    )
    batch["point"] = torch.from_numpy(np.stack([sample.point for sample in samples]))[:, None]
    batch["sign"] = torch.ones(len(samples), 1)
    batch["centred"] = torch.tensor([float(sample.centred) for sample in samples])
    if extras:
        for row, sample in enumerate(samples):
            chance = rng.random()
            if chance < _BOXES:
                batch["box"][row] = torch.from_numpy(_rough_box(sample.frame.meant, rng))
                if rng.random() < 0.5:
                    batch["sign"][row] = 0
                    batch["centred"][row] = 0
            elif chance < _BOXES + _PRIORS:
                batch["prior"][row, 0] = torch.from_numpy(sloppy_logits(sample.frame.meant, rng))
            if chance < _BOXES + _PRIORS:
                _settle(batch, row, sample.frame)
    return batch


def _settle(batch: dict[str, Tensor], row: int, frame: Frame) -> None:
    batch["masks"][row] = torch.from_numpy(frame.meant.astype(np.float32))
    batch["known"][row] = torch.tensor([False, True, False])
    batch["whole"][row] = frame.meant_whole
    batch["level"][row] = _OBJECT


def collate_sequences(sequences: Sequence[ViewSequence], rng: np.random.Generator) -> dict[str, Tensor]:
    """Sequences of one length as tensors, frame by frame: all first frames come first; all begin in the same way."""
    count = len(sequences[0].frames)
    frames = [sequence.frames[k] for k in range(count) for sequence in sequences]
    levels = [sequence.meant_level for _ in range(count) for sequence in sequences]
    batch = _collate_frames(frames, levels, rng, looks=False)
    # All frames are of one photograph: they change their looks together.
    for which in range(len(sequences)):
        rows = range(which, len(frames), len(sequences))
        strip = change_looks(np.concatenate([frames[row].rgb for row in rows]), rng)
        for row, rgb in zip(rows, np.split(strip, count), strict=True):
            batch["rgb"][row] = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)
    points = np.stack([sequence.points[k] for k in range(count) for sequence in sequences])
    seen = np.isfinite(points).all(axis=-1)
    # The driver may give the click to every view that sees it, or to the first alone.
    given = seen & ((np.arange(len(frames)) < len(sequences)) | (rng.random(len(frames)) < 0.7))
    batch["point"] = torch.from_numpy(np.nan_to_num(points))[:, None]
    batch["sign"] = torch.from_numpy(given.astype(np.float32))[:, None]
    batch["centred"] = torch.zeros(len(frames))
    batch["maps"] = torch.from_numpy(np.stack([s.maps[k] for k in range(count) for s in sequences]))
    batch["started"] = torch.tensor(sequences[0].start is not None)
    starts = [sloppy_logits(s.start, rng) for s in sequences if s.start is not None]
    if starts:
        batch["start"] = torch.from_numpy(np.stack(starts))[:, None]
    batch["distance"] = torch.from_numpy(np.stack([sequence.distance for sequence in sequences]))
    batch["angle"] = torch.from_numpy(np.stack([sequence.angle for sequence in sequences]))
    batch["frames"] = torch.tensor(count)
    return batch


def _collate_frames(
    frames: Sequence[Frame], levels: Sequence[int], rng: np.random.Generator, looks: bool
) -> dict[str, Tensor]:
    pictures = [change_looks(frame.rgb, rng) if looks else frame.rgb for frame in frames]
    half = frames[0].meant.shape[0]
    return {
        "rgb": torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2),
        "masks": torch.from_numpy(np.stack([frame.masks for frame in frames])).float(),
        "known": torch.from_numpy(np.stack([frame.known for frame in frames])),
        "meant": torch.from_numpy(np.stack([frame.meant for frame in frames]))[:, None].float(),
        "level": torch.tensor(levels),
        "judged": torch.from_numpy(np.stack([frame.judged for frame in frames]))[:, None].float(),
        "areas": torch.from_numpy(np.stack([frame.areas for frame in frames]))[:, None],
        "whole": torch.from_numpy(np.stack([frame.whole for frame in frames])),
        "meant_whole": torch.tensor([[frame.meant_whole] for frame in frames]),
        "fov": torch.tensor([frame.fov for frame in frames], dtype=torch.float32),
        "box": torch.full((len(frames), 4), torch.nan),
        "prior": torch.full((len(frames), 1, half, half), torch.nan),
        "seed": torch.tensor(int(rng.integers(2**31))),
        "frames": torch.tensor(1),
    }


def _rough_box(meant: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    rows, cols = np.flatnonzero(meant.any(axis=1)), np.flatnonzero(meant.any(axis=0))
    box = 2.0 * np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1])
    sides = np.tile(box[2:] - box[:2], 2)
    noise = np.clip(rng.normal(0, 0.05, 4), -0.1, 0.1) * sides
    rough: NDArray[np.float32] = np.clip(box + noise, 0, 2 * len(meant)).astype(np.float32)
    return rough
