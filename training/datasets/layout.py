"""How a data set lies on disk: where its panoramas are, and how what is known about one is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.truths import Truth

Label = Literal["depth", "normals", "classes", "instances"]
LABELS: tuple[Label, ...] = ("depth", "normals", "classes", "instances")

_PREFIXES = ("", "*/", "*/*/")


@dataclass(frozen=True)
class Entry:
    """One panorama of a data set, and the files that describe it.

    Attributes:
        name: Tells it from all others of its folder.
        picture: The photograph or rendering.
        labels: Where each label lies; a file that should be there is named even when it is missing.
        group: By which sets are split: a building, a scene, a video.
    """

    name: str
    picture: Path
    labels: Mapping[Label, Path] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True)
class Layout:
    """A way in which data sets lie on disk.

    Attributes:
        name: For the command line.
        title: For people.
        tree: What is looked for, in words.
        find: The entries under a folder, in the order of their names; none where the folder lies otherwise.
        read: What is known about an entry, of the labels that are asked for. Raises `PanoError` where a file is missing
            or broken.
        beyond_m: Ranges from here on are not told apart by the set; None where nothing of the kind is known.
    """

    name: str
    title: str
    tree: str
    find: Callable[[Path], list[Entry]]
    read: Callable[[Entry, Collection[Label]], Truth]
    beyond_m: float | None = None


def found(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """Files by patterns below a folder, or below folders in it down to two levels, in the order of their paths.

    The first level at which there is any is taken, so that a folder may be the set, one of its parts, or what holds it.
    """
    for prefix in _PREFIXES:
        paths = sorted({path for pattern in patterns for path in folder.glob(prefix + pattern)})
        if paths:
            yield from paths
            return
