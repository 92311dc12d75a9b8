"""Commands about data sets: which files are bad, and how sets become what recipes train on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro

from training.console import console, progress_bar


def check(
    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")], layout: str | None = None
) -> None:
    """Find the files of a data set that cannot be used, and say why; the exit code is 1 when there are any.

    Args:
        folder: Of a data set: worlds, Stanford 2D-3D-S, Matterport3D, Structured3D, Deep360, frames with instance
            masks, or pictures with labels beside them.
        layout: How it lies on disk (worlds, stanford2d3d, matterport3d, structured3d, deep360, instances, pictures);
            found out when left out.
    """
    from training.datasets import check_entries, find_layout

    found, entries = find_layout(folder, layout)
    with progress_bar("Reading") as update:
        problems = list(check_entries(found, entries, progress=update))
    for problem in problems:
        console.print(f"{problem.path}: {problem.why}", highlight=False)
    bad = len({problem.path for problem in problems})
    console.print(f"{found.title}: panoramas {len(entries)}, bad files {bad}: {folder}", highlight=False)
    if problems:
        sys.exit(1)


def import_set(
    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")],
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    height: int | None = None,
    layout: str | None = None,
) -> None:
    """Write a public data set as labelled panoramas, which recipes train on; those that are there already are kept.

    What cannot be read is told and left out; the exit code is then 1, or 2 where nothing could be read.

    Args:
        folder: Of a data set, as for check.
        out: Folder of the labelled panoramas.
        height: Rows of them; the set's own when left out.
        layout: How the set lies on disk, as for check; found out when left out.
    """
    from training.datasets import find_layout
    from training.datasets.store import store_entries

    found, entries = find_layout(folder, layout)
    with progress_bar("Importing") as update:
        written, bad = store_entries(found, entries, out, height=height, progress=update)
    for sentence in bad:
        console.print(sentence, highlight=False)
    console.print(f"{written} of {len(entries)} panoramas of {found.title} written: {out}", highlight=False)
    if bad:
        sys.exit(2 if len(bad) == len(entries) else 1)
