"""Choosing the labels that look truest, indoors and outdoors apart, with a record and a picture of best and worst."""

from __future__ import annotations

import csv
import filecmp
import io
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.colors import depth_colors
from core.errors import PanoError
from core.geometry.warp import resize_erp
from core.io.atomic import atomic_file, export_errors, make_folder
from core.progress import Progress, silent
from training.labelled import Labelled, read_labelled
from training.pictures import write_picture
from training.stages.discriminator import PatchDiscriminator, score

TABLE = "selection.tsv"
CHOSEN = "selected"
SHEET = "sheet.png"
_COLUMNS = ("file", "scene", "score", "rank", "chosen")
_SHOWN = 6
_ROWS = 120
_BAR = 18
"""Rows of a picture behind its name."""


@dataclass(frozen=True)
class Ranked:
    """How true the label of a panorama looks.

    Attributes:
        file: The labelled panorama.
        scene: indoor, outdoor, or unknown.
        score: The higher the truer.
    """

    file: Path
    scene: str
    score: float


def rank_labels(
    network: PatchDiscriminator,
    files: Sequence[Path],
    scenes: Mapping[str, str],
    *,
    height: int,
    progress: Progress = silent,
) -> list[Ranked]:
    """Score labelled panoramas; the truest of each scene first.

    Args:
        network: The judge.
        files: Labelled panoramas.
        scenes: indoor or outdoor by the name of the photograph; others are known by the label, or unknown.
        height: Rows at which the judge looks.
        progress: Called after each.

    Raises:
        PanoError: A file is broken or has no depth.
    """
    ranked = []
    for done, path in enumerate(files, start=1):
        labelled = read_labelled(path, patches=False)
        ranked.append(Ranked(path, _scene(labelled, scenes), score(network, labelled, height)))
        progress(done, len(files))
    return sorted(ranked, key=lambda one: (one.scene, -one.score, one.file.name))


def _scene(labelled: Labelled, scenes: Mapping[str, str]) -> str:
    name = Path(str(labelled.origin.get("name", ""))).name
    told = scenes.get(name) or scenes.get(Path(name).stem)
    if told:
        return told
    return "unknown" if labelled.indoor is None else "indoor" if labelled.indoor else "outdoor"


def select(ranked: Sequence[Ranked], out: Path, *, top: float) -> list[Path]:
    """Keep the truest labels of each scene, and show them.

    Writes selection.tsv with every score, its rank and whether it was chosen; the chosen ones into the folder selected;
    and sheet.png, best and worst of each scene. Done again it gives the same, and no label that is not chosen any more
    stays.

    Args:
        ranked: As `rank_labels` gives them.
        out: Folder.
        top: Share of each scene that is kept, at least one.

    Returns:
        The chosen labels in their folder.

    Raises:
        PanoError: There is nothing to choose from, or `top` is no share.
        ExportError: Something cannot be written.
    """
    if not ranked or not 0 < top <= 1:
        raise PanoError(
            f"Expected labels to choose from and a share of them above 0 and up to 1, got {len(ranked)} and {top}."
        )
    chosen_folder = out / CHOSEN
    make_folder(chosen_folder)
    rows, chosen = [], []
    for scene in sorted({one.scene for one in ranked}):
        of_scene = sorted((one for one in ranked if one.scene == scene), key=lambda one: (-one.score, one.file.name))
        kept = max(1, round(top * len(of_scene)))
        for rank, one in enumerate(of_scene, start=1):
            rows.append((one.file.name, scene, f"{one.score:.5f}", rank, int(rank <= kept)))
            if rank <= kept:
                chosen.append(_placed(one.file, chosen_folder))
    for path in set(chosen_folder.glob("*.npz")) - set(chosen):
        path.unlink()
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows(rows)
    with atomic_file(out / TABLE) as stream:
        stream.write(text.getvalue().encode(errors="surrogateescape"))
    write_picture(sheet(ranked), out / SHEET)
    return chosen


def _placed(path: Path, folder: Path) -> Path:
    """A label in the folder of the chosen ones: the same file under two names where the disk can, else a copy."""
    target = folder / path.name
    with export_errors(target):
        # The label may have been made anew since, by another teacher.
        if target.exists() and not filecmp.cmp(path, target):
            target.unlink()
        if not target.exists():
            try:
                os.link(path, target)
            except OSError:
                # Another disk, or one without links.
                with path.open("rb") as source, atomic_file(target) as stream:
                    shutil.copyfileobj(source, stream)
    return target


def sheet(ranked: Sequence[Ranked]) -> NDArray[np.uint8]:
    """(H, W, 3) a row for each: photograph and depth, the best of every scene and then its worst."""
    rows = []
    for scene in sorted({one.scene for one in ranked}):
        of_scene = sorted((one for one in ranked if one.scene == scene), key=lambda one: -one.score)
        best = of_scene[: min(_SHOWN, (len(of_scene) + 1) // 2)]
        worst = of_scene[len(best) :][-_SHOWN:]
        rows += [_row(one, f"{scene} best {number}") for number, one in enumerate(best, start=1)]
        rows += [_row(one, f"{scene} worst {number}") for number, one in enumerate(reversed(worst), start=1)]
    return np.concatenate(rows)


def _row(one: Ranked, text: str) -> NDArray[np.uint8]:
    labelled = read_labelled(one.file, patches=False)
    if labelled.depth is None:
        raise PanoError(f"Expected a label with depth, got one without: {one.file}")
    depth = resize_erp(np.asarray(labelled.depth), _ROWS, 2 * _ROWS, nearest=True)
    far = None if labelled.far is None else resize_erp(np.asarray(labelled.far), _ROWS, 2 * _ROWS, nearest=True)
    row = np.concatenate([resize_erp(labelled.rgb, _ROWS, 2 * _ROWS), depth_colors(depth, far)], axis=1)
    row = np.ascontiguousarray(row)
    row[:_BAR] //= 4
    label = f"{text}  {one.score:.3f}  {one.file.stem}"
    cv2.putText(row, label, (6, _BAR - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return row
