"""Any data set as labelled panoramas on disk, which is what recipes train on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import PanoError
from core.geometry.normals import turn_normals
from core.geometry.warp import resize_erp
from core.io.atomic import make_folder
from core.progress import Progress, silent
from training.datasets.layout import LABELS, Entry, Layout
from training.labelled import Labelled, read_labelled, write_labelled
from training.truths import Truth


def store_entries(
    layout: Layout, entries: Sequence[Entry], out: Path, *, height: int | None = None, progress: Progress = silent
) -> tuple[int, list[str]]:
    """Write every entry as a labelled panorama; those that are there already are kept, so a killed run goes on.

    A bad entry does not stop the others.

    Args:
        layout: How they are read.
        entries: Of the set.
        out: Folder; an entry is NAME.npz, with - for /, and some digits of the name's SHA-256 behind it where another
            entry would be called the same.
        height: Rows of what is written; the set's own when left out. Labels are taken from the nearest pixel, so that
            nothing lies between two surfaces.
        progress: Called after each entry.

    Returns:
        How many were written, and a sentence about each that cannot be read.

    Raises:
        PanoError: Those that are there already have other rows.
        ExportError: A file cannot be written.
    """
    make_folder(out)
    targets = [out / f"{name}.npz" for name in _file_names([entry.name for entry in entries])]
    there = next((target for target in targets if target.exists()), None)
    if height is not None and there is not None and (rows := read_labelled(there, patches=False).size[0]) != height:
        raise PanoError(
            f"Expected panoramas of {height} rows in the folder, got {rows}; choose another folder or --height {rows}: "
            f"{there}"
        )
    written = 0
    bad = []
    for done, (entry, target) in enumerate(zip(entries, targets, strict=True), start=1):
        if not target.exists():
            try:
                truth = layout.read(entry, LABELS)
            except PanoError as error:
                bad.append(str(error))
            else:
                write_labelled(labelled_of(truth, layout.name, height), target)
                written += 1
        progress(done, len(entries))
    return written, bad


def _file_names(names: Sequence[str]) -> list[str]:
    """Names of entries as those of files, each another."""
    flat = [name.replace("/", "-") for name in names]
    # Some disks take large and small letters for the same.
    often = Counter(name.lower() for name in flat)
    return [
        short if often[short.lower()] == 1 else f"{short}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
        for short, whole in zip(flat, names, strict=True)
    ]


def labelled_of(truth: Truth, origin: str, height: int | None = None) -> Labelled:
    """A panorama of a set as recipes take it.

    Args:
        truth: What the set knows; objects are left out.
        origin: Name of the set, for the record.
        height: Rows of the result; as they are when left out.
    """
    rows = truth.rgb.shape[0] if height is None else height
    size = (rows, 2 * rows)
    maps: dict[str, Any] = {
        name: None if getattr(truth, name) is None else resize_erp(getattr(truth, name), *size, nearest=True)
        for name in ("depth", "classes", "far", "valid")
    }
    normals = truth.normals
    if normals is not None:
        normals = turn_normals(resize_erp(normals, *size, nearest=True), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    return Labelled(
        rgb=resize_erp(truth.rgb, *size),
        normals=normals,
        class_names=truth.class_names if truth.classes is not None else (),
        is_metric=truth.is_metric,
        camera_height=truth.camera_height,
        ceiling_height=truth.ceiling_height,
        indoor=truth.indoor,
        origin={"name": truth.name, "set": origin},
        **maps,
    )
