"""manifest.tsv: the table that says of the photographs in a folder what they show and where they come from.

What a network is judged by is never learned from: a picture with labels beside it, in every size and format.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from core.errors import PanoError

FILE_NAME = "manifest.tsv"
SCENES = ("indoor", "outdoor")
LABEL_ENDINGS: Mapping[str, str] = {
    "depth": ".depth_rel.png",
    "normals": ".normal.png",
    "classes": ".semantic.png",
    "clicks": ".instances.json",
}
"""By what is judged: how the file of labels beside STEM.jpg ends after the stem."""


def read_manifest(folder: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a folder's table, by column; an empty cell is an empty text.

    Args:
        folder: Holds the table.
        columns: At least one of these must be there beside the column file.

    Raises:
        PanoError: There is no such table.
    """
    path = folder / FILE_NAME
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            table = csv.DictReader(stream, delimiter="\t")
            rows = [{name: cell or "" for name, cell in row.items() if name is not None} for row in table]
            found = set(table.fieldnames or ())
    except (OSError, csv.Error):
        rows, found = [], set()
    if "file" not in found or not found & set(columns):
        raise PanoError(
            f"Expected a table with the columns file and {' or '.join(columns)}, got none; choose a folder with one: "
            f"{path}"
        )
    return rows


def read_scenes(folder: Path) -> list[dict[str, str]]:
    """The rows for files whose kind of scene is told; errors as for `read_manifest`."""
    return [row for row in read_manifest(folder, "scene") if row["scene"] in SCENES]


def same_scene_as(row: Mapping[str, str]) -> str:
    """Name of the picture that shows the same scene, without its folder, as a row's note says; else an empty text."""
    words = row.get("notes", "").partition("same scene as ")[2].split()
    return PurePosixPath(words[0].rstrip(".,;")).name if words else ""


def judged_stems(folders: Iterable[Path]) -> set[str]:
    """Stems of the pictures in folders that have labels beside them."""
    return {
        path.name.removesuffix(ending)
        for folder in folders
        for ending in LABEL_ENDINGS.values()
        for path in folder.glob(f"*{ending}")
    }


def is_judged(row: Mapping[str, str], stems: Iterable[str]) -> bool:
    """True when a row's file shows what pictures with such stems show: its name begins so, or its note says so."""
    return any(row["file"].startswith(stem) or same_scene_as(row).startswith(stem) for stem in stems)
