"""Panoramas with labels, however they lie on disk: public data sets, plain folders and generated worlds read alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from core.errors import PanoError
from training.datasets import deep360, instance_masks, matterport3d, plain, stanford2d3d, structured3d, worlds
from training.datasets.check import Problem, check_entries
from training.datasets.layout import LABELS, Entry, Label, Layout
from training.truths import Truth

__all__ = [
    "LABELS",
    "LAYOUTS",
    "Entry",
    "Label",
    "Layout",
    "Problem",
    "check_entries",
    "find_layout",
    "has_label",
    "layout_named",
    "read_entries",
]

LAYOUTS: tuple[Layout, ...] = (
    worlds.LAYOUT,
    stanford2d3d.LAYOUT,
    matterport3d.LAYOUT,
    structured3d.LAYOUT,
    deep360.LAYOUT,
    instance_masks.LAYOUT,
    plain.LAYOUT,
)
"""In the order in which they are tried."""


def find_layout(folder: Path, name: str | None = None) -> tuple[Layout, list[Entry]]:
    """How a folder lies on disk, and its entries.

    Args:
        folder: Of a data set, of one of its parts, or what holds it.
        name: Of the layout; found out when left out.

    Raises:
        PanoError: There is no such folder or layout, or nothing in the folder lies so.
    """
    if not folder.is_dir():
        raise PanoError(f"Expected the folder of a data set, got none; choose another: {folder}")
    tried = LAYOUTS if name is None else (layout_named(name),)
    for layout in tried:
        entries = layout.find(folder)
        if entries:
            return layout, entries
    if name is None:
        known = ", ".join(layout.name for layout in LAYOUTS)
        raise PanoError(f"Expected a data set in one of the layouts {known}, got nothing of the kind: {folder}")
    raise PanoError(f"Expected {tried[0].tree}, got nothing of the kind; choose the set's folder: {folder}")


def has_label(folder: Path, label: Label) -> bool:
    """True when a folder lies in a known way and holds something with such a label."""
    for layout in LAYOUTS:
        entries = layout.find(folder)
        if entries:
            return any(label in entry.labels for entry in entries)
    return False


def layout_named(name: str) -> Layout:
    """A layout by its name.

    Raises:
        PanoError: There is none.
    """
    layout = next((layout for layout in LAYOUTS if layout.name == name), None)
    if layout is None:
        known = ", ".join(layout.name for layout in LAYOUTS)
        raise PanoError(f"Expected one of the layouts {known}, got {name!r}.")
    return layout


def read_entries(
    layout: Layout, entries: Sequence[Entry], needed: Label, wanted: Collection[Label] = LABELS
) -> Iterator[Truth]:
    """What is known about those entries for which the set names a label; others are passed over.

    Args:
        layout: How they are read.
        entries: Of the set.
        needed: The label without which an entry is passed over.
        wanted: What is read beside it, as far as it is there.

    Raises:
        PanoError: A file is missing or broken.
    """
    for entry in entries:
        if needed in entry.labels:
            yield layout.read(entry, {needed, *wanted})
