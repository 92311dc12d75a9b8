"""Commands of training in stages: panoramas are taken in, labelled, chosen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import tyro

from training.console import console, progress_bar
from training.stages.intake import TABLE, IntakePlan

_Inputs = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|VIDEO|FOLDER...")]
_Out = Annotated[Path, tyro.conf.arg(aliases=["-o"])]


def intake(inputs: _Inputs, out: _Out, plan: Annotated[IntakePlan, tyro.conf.arg(name="")]) -> None:
    """Take in photographs and frames of panoramic videos for training; what was taken in already is kept.

    Writes pictures of one size, manifest.tsv with whether each is indoor or outdoor as pano-s says, and intake.tsv with
    all of them and why some were left out: no full turn, too small, nearly one colour, the same as the frame before, a
    horizon that leans.

    Args:
        inputs: Photographs, videos, and folders of them.
        out: Folder of the pictures.
        plan: Of the intake.
    """
    from training.stages.intake import take_in

    with progress_bar("Taking in") as update:
        items = take_in(inputs, out, plan, progress=update)
    scenes = Counter(item.scene for item in items if item.file)
    left_out = [item for item in items if item.reason]
    for item in left_out[:10]:
        place = item.source if item.frame < 0 else f"{item.source}, frame {item.frame}"
        console.print(f"{place}: {item.reason}", highlight=False, markup=False)
    console.print(
        f"Taken: {scenes['indoor']} indoor, {scenes['outdoor']} outdoor; left out: {len(left_out)}, listed in "
        f"{out / TABLE}",
        highlight=False,
    )
