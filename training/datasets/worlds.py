"""Generated worlds: one file each, as `generate` writes them."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from core.errors import PanoError
from training.datasets.layout import LABELS, Entry, Label, Layout
from training.truths import Truth
from training.worlds.classes import CLASS_NAMES, UNLABELLED
from training.worlds.sample import WorldSample, read_sample


def _find(folder: Path) -> list[Entry]:
    return entries_of(sorted(folder.glob("*.npz")))


def entries_of(files: Sequence[Path]) -> list[Entry]:
    """Worlds as entries, in the given order."""
    return [Entry(path.stem, path, dict.fromkeys(LABELS, path)) for path in files]


def _read(entry: Entry, wanted: Collection[Label]) -> Truth:
    del wanted  # All are in one file.
    try:
        sample = read_sample(entry.picture)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise PanoError(
            f"Expected a generated world, got a file that cannot be read ({error}); render it again: {entry.picture}"
        ) from error
    return truth_of_world(sample, entry.name)


def truth_of_world(sample: WorldSample, name: str) -> Truth:
    """What is known about a world."""
    return Truth(
        name=name,
        rgb=sample.rgb,
        depth=sample.depth,
        normals=sample.normals,
        classes=np.where(sample.classes == UNLABELLED, -1, sample.classes.astype(np.int16)).astype(np.int16),
        class_names=CLASS_NAMES,
        far=sample.far,
        instances=sample.instances,
        is_metric=True,
    )


LAYOUT = Layout("worlds", "generated worlds", "*.npz of panoviewer-train generate", _find, _read)
