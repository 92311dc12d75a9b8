"""Panoramas with what is known about them: generated worlds, public data sets, photographs with labels beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from training.manifest import LABEL_ENDINGS

JudgedTask = Literal["depth", "normals", "classes"]
PICTURE_CLASSES = ("wall", "floor", "ceiling")
"""Values 1, 2 and 3 of a STEM.semantic.png; 0 is not judged."""


@dataclass(frozen=True, eq=False)
class Truth:
    """A panorama and what is known about it; each map may be missing.

    Attributes:
        name: Of its file.
        rgb: (H, W, 3) uint8.
        depth: (H, W) along the ray, NaN where unknown.
        normals: (H, W, 3) world frame, NaN where unknown.
        classes: (H, W) index into `class_names`; other values are not judged.
        class_names: The classes that are told apart.
        far: (H, W) bool.
        is_metric: Whether `depth` is in metres.
        instances: (H, W) one number per object, 0 for none.
        valid: (H, W) bool, False where the photograph saw nothing; None when it saw everything.
        camera_height, ceiling_height: Metres to the ground below and the ceiling above; NaN where unknown.
        indoor: Whether inside a building; None where unknown.
    """

    name: str
    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32] | None = None
    normals: NDArray[np.float32] | None = None
    classes: NDArray[np.int16] | None = None
    class_names: tuple[str, ...] = ()
    far: NDArray[np.bool_] | None = None
    is_metric: bool = False
    instances: NDArray[np.uint16] | None = None
    valid: NDArray[np.bool_] | None = None
    camera_height: float = float("nan")
    ceiling_height: float = float("nan")
    indoor: bool | None = None


def has_truths(folder: Path, task: JudgedTask) -> bool:
    """True when a folder holds something that is labelled for a task."""
    from training.datasets import has_label

    return has_label(folder, task)


def read_truths(
    folder: Path,
    task: JudgedTask,
    *,
    worlds: Sequence[Path] | None = None,
    layout: str | None = None,
    alone: bool = False,
) -> Iterator[Truth]:
    """The panoramas of a folder that are labelled for a task, one after the other.

    Args:
        folder: A data set in one of the layouts of `training.datasets`: generated worlds, a public set, or pictures
            with labels beside them.
        task: What must be labelled.
        worlds: Only these of a folder of generated worlds; all when left out.
        layout: How the folder lies; found out when left out.
        alone: Read no other labels, also where there are some; a broken file among those is then no matter.

    Raises:
        PanoError: There is none, a file is missing or broken, or a label has another size than its picture.
    """
    # The layouts make values of this module.
    from training.datasets import LABELS, find_layout, read_entries
    from training.datasets.worlds import entries_of

    if worlds is not None:
        found, entries = find_layout(folder, "worlds")[0], entries_of(worlds)
    elif layout is None and not has_truths(folder, task):
        raise PanoError(
            f"Expected worlds (*.npz), a public data set or pictures with *{LABEL_ENDINGS[task]} beside them, got "
            f"none; choose a folder with labels for {task}: {folder}"
        )
    else:
        found, entries = find_layout(folder, layout)
    yield from read_entries(found, entries, task, () if alone else LABELS)
