"""Worlds and photographs as training arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.geometry.sphere import erp_local_frames
from core.geometry.warp import resize_erp
from core.io.images import read_preview
from training.manifest import is_judged, judged_stems, read_scenes, same_scene_as
from training.worlds.classes import UNLABELLED
from training.worlds.sample import WorldSample, read_sample
from training.worlds.shards import world_files

FLAT = 0.08
"""Pixels whose logarithmic ranges differ less are averaged when a map is halved; across edges one of them is taken."""
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")


class WorldFolder:
    """The generated worlds of a folder, split by seed into those to train on and those to judge by.

    A world's side is that of its seed, whichever others are there: several processes do not finish in order, and what
    was trained on while a folder still grew must not be judged by later.

    Args:
        folder: Where `generate` writes.
        held_out: How many seeds are kept out of training, from the first one that is there on. The first, because
            those are made first.
    """

    def __init__(self, folder: Path, *, held_out: int) -> None:
        self._folder = folder
        self._held_out = held_out
        self._end = 0
        self._sides: tuple[list[Path], list[Path]] = ([], [])
        self.refresh()

    def refresh(self) -> None:
        """Take in worlds that were finished since."""
        found = {int(path.stem): path for path in world_files(self._folder) if path.stem.isdecimal()}
        if len(found) <= self._held_out:
            raise PanoError(
                f"Training needs more than the {self._held_out} worlds that are held out, got {len(found)}. "
                f"Render more with 'panoviewer-train generate', or hold out fewer with --held-out: {self._folder}"
            )
        self._end = min(found) + self._held_out
        self._sides = (
            [found[seed] for seed in sorted(found) if seed >= self._end],
            [found[seed] for seed in sorted(found) if seed < self._end],
        )

    def refreshed(self) -> list[Path]:
        """Files to train on, with those that were finished since."""
        self.refresh()
        return self.training

    @property
    def training(self) -> list[Path]:
        """Files to train on."""
        return self._sides[0]

    @property
    def held_out(self) -> list[Path]:
        """Files to judge by."""
        return self._sides[1]

    def holds_out(self, name: str) -> bool:
        """Whether a world of this file name is only judged by, also one that is not in the folder."""
        seed = name.partition(".")[0]
        return seed.isdecimal() and int(seed) < self._end


def held_out_worlds(folder: Path, config: Mapping[str, Any]) -> list[Path] | None:
    """The worlds of a folder that a run held out, by its checkpoint's configuration; None where it trained on none.

    Raises:
        PanoError: The run was trained in this folder, and its worlds are gone.
    """
    if Path(config["worlds"]).resolve() != folder.resolve():
        return None
    return WorldFolder(folder, held_out=int(config["held_out"])).held_out


@dataclass(frozen=True, eq=False)
class TrainingArrays:
    """One panorama as the network and the losses see it; maps are at half the input's size.

    Attributes:
        rgb: (H, W, 3) float32 in [0, 1].
        log_ratio: (H/2, W/2) logarithm of range / camera height, 0 where `known` is False.
        local_normals: (H/2, W/2, 3), 0 where `known` is False.
        known: (H/2, W/2) bool, False where far.
        classes: (H/2, W/2) uint8, 255 unlabelled.
        camera_height, ceiling_height: Metres; NaN where there is none.
        indoor: 1 or 0.
    """

    rgb: NDArray[np.float32]
    log_ratio: NDArray[np.float32]
    local_normals: NDArray[np.float32]
    known: NDArray[np.bool_]
    classes: NDArray[np.uint8]
    camera_height: float
    ceiling_height: float
    indoor: float


def load_arrays(path: Path, height: int, rng: np.random.Generator | None = None) -> TrainingArrays:
    """Read a world and bring it to a network input of `height` rows.

    Args:
        path: The world.
        height: The world's own rows, or these divided by a power of two.
        rng: Draws which pixel of each four stands for them at edges; the lower right one when left out. Always the same
            one moves every edge by up to half a pixel of the labels.

    Raises:
        PanoError: The world's rows are no such multiple of the network's.
    """
    return arrays_from_sample(read_sample(path), height, rng)


def arrays_from_sample(sample: WorldSample, height: int, rng: np.random.Generator | None = None) -> TrainingArrays:
    """The same for a world in memory."""
    rows = sample.rgb.shape[0]
    if rows < height or rows % height or (rows // height).bit_count() != 1:
        raise PanoError(
            f"Worlds must have {height} rows or a power of two times as many, got {rows}. Generate them with that "
            "--height in another folder."
        )
    known = ~sample.far & np.isfinite(sample.depth)
    log_ratio = np.where(known, np.log(np.where(known, sample.depth, 1.0) / sample.camera_height), 0.0)
    frames = erp_local_frames(*sample.rgb.shape[:2])
    normals = np.where(known[..., None], sample.normals, 0.0).astype(np.float32)
    local = np.einsum("hwij,hwj->hwi", frames, normals)
    log_ratio, classes = log_ratio.astype(np.float32), sample.classes
    corner = (1, 1) if rng is None else (int(rng.integers(2)), int(rng.integers(2)))
    while log_ratio.shape[0] > height // 2:
        log_ratio, local, known, classes = _halve(log_ratio, local, known, classes, corner)
        if rng is not None:
            # The opposite corner next, which takes half of the shift back.
            corner = (1 - corner[0], 1 - corner[1])
    rgb = cv2.resize(sample.rgb, (2 * height, height), interpolation=cv2.INTER_AREA) if rows != height else sample.rgb
    return TrainingArrays(
        rgb=(rgb / np.float32(255)).astype(np.float32),
        log_ratio=log_ratio,
        local_normals=local,
        known=known,
        classes=classes,
        camera_height=sample.camera_height,
        ceiling_height=sample.ceiling_height,
        indoor=float(sample.indoor),
    )


def _halve(
    log_ratio: NDArray[np.float32],
    local: NDArray[np.float32],
    known: NDArray[np.bool_],
    classes: NDArray[np.uint8],
    corner: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.uint8]]:
    """Halve the maps; at edges one pixel of each four, (row, col), is taken, so that nothing floats in between."""
    four = np.stack([log_ratio[0::2, 0::2], log_ratio[0::2, 1::2], log_ratio[1::2, 0::2], log_ratio[1::2, 1::2]])
    all_known = known[0::2, 0::2] & known[0::2, 1::2] & known[1::2, 0::2] & known[1::2, 1::2]
    flat = all_known & (four.max(axis=0) - four.min(axis=0) < FLAT)
    chosen = np.s_[corner[0] :: 2, corner[1] :: 2]
    mean = (local[0::2, 0::2] + local[0::2, 1::2] + local[1::2, 0::2] + local[1::2, 1::2]) / 4
    normals = np.where(flat[..., None], mean, local[chosen])
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return (
        np.where(flat, four.mean(axis=0), log_ratio[chosen]),
        np.divide(normals, length, out=np.zeros_like(normals), where=length > 1e-3),
        known[chosen].copy(),
        classes[chosen].copy(),
    )


@dataclass(frozen=True)
class Photo:
    """A photograph of which only the kind of scene is known."""

    path: Path
    indoor: bool

    def __str__(self) -> str:
        return str(self.path)


def list_photos(folder: Path) -> list[Photo]:
    """The photographs that a folder's manifest.tsv calls indoor or outdoor; other files are left out.

    So are photographs that have labels beside them, or whose note says that they show the same scene as another one, so
    that judging there stays honest.

    Raises:
        PanoError: There is no manifest.
    """
    judged = judged_stems([folder])
    return [
        Photo(folder / row["file"], row["scene"] == "indoor")
        for row in read_scenes(folder)
        if row["file"].lower().endswith(_PICTURES) and not same_scene_as(row) and not is_judged(row, judged)
    ]


def load_photo(photo: Photo, height: int) -> TrainingArrays:
    """A photograph without labels: nothing is known but its kind."""
    shape = (height // 2, height)
    return TrainingArrays(
        rgb=(_small_picture(photo.path, height) / np.float32(255)).astype(np.float32),
        log_ratio=np.zeros(shape, np.float32),
        local_normals=np.zeros((*shape, 3), np.float32),
        known=np.zeros(shape, bool),
        classes=np.full(shape, UNLABELLED, np.uint8),
        camera_height=float("nan"),
        ceiling_height=float("nan"),
        indoor=float(photo.indoor),
    )


@lru_cache(maxsize=256)
def _small_picture(path: Path, height: int) -> NDArray[np.uint8]:
    # Decoding a 4K photograph costs more than a training step, and there are few of them: the small ones are kept.
    return resize_erp(read_preview(path, 4 * height).rgb, height, 2 * height)
