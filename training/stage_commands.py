"""Commands of training in stages: panoramas are taken in, labelled, chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from core.errors import PanoError
from core.progress import Progress
from training.console import console, progress_bar
from training.progress_line import ProgressLine
from training.stages.discriminator import QualityPlan
from training.stages.intake import TABLE, IntakePlan
from training.stages.record import PAGE_NAME
from training.stages.staged import MODEL, Show, StagedTraining, run_stages

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
    if not scenes:
        raise PanoError(f"None of {len(left_out)} pictures could be taken in; the reasons are in: {out / TABLE}")


def select(
    labels: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="LABELS")],
    out: _Out,
    worlds: Path,
    said: Path,
    plan: Annotated[QualityPlan, tyro.conf.arg(name="")],
    photos: Path | None = None,
    top: float = 0.3,
) -> None:
    """Choose the labels that look truest, as Depth Any Panoramas does, indoors and outdoors apart.

    A discriminator learns to tell the exact depth of worlds from what the labeller says of the same worlds; the labels
    of photographs are ranked by it. Writes selection.tsv, the chosen labels into OUT/selected, which --labelled of
    train takes, and sheet.png with the best and the worst. A killed run goes on.

    Args:
        labels: Folder of labelled photographs ('label').
        out: Folder of the selection.
        worlds: Folder of worlds, whose depth is exact.
        said: Folder of what the labeller said of these worlds ('label WORLDS').
        plan: Of the discriminator.
        photos: Folder of the photographs that 'intake' wrote, whose manifest tells indoor from outdoor.
        top: Share of the labels of each scene that is kept.
    """
    from training.labelled import labelled_files
    from training.manifest import read_scenes
    from training.stages.discriminator import learn_quality
    from training.stages.selection import SHEET, rank_labels
    from training.stages.selection import select as choose

    def report(step: int, loss: float) -> None:
        console.print(f"step {step}  loss {loss:.4f}", highlight=False)

    scenes = {row["file"]: row["scene"] for row in read_scenes(photos)} if photos else {}
    scenes |= {Path(name).stem: scene for name, scene in scenes.items()}
    files = labelled_files(labels)
    network = learn_quality(labelled_files(worlds), labelled_files(said), out, plan, report=report)
    with progress_bar("Ranking") as update:
        ranked = rank_labels(network, files, scenes, height=plan.height, progress=update)
    chosen = choose(ranked, out, top=top)
    for scene in sorted({one.scene for one in ranked}):
        scores = sorted(one.score for one in ranked if one.scene == scene)
        console.print(f"{scene}: {len(scores)} labels, scores {scores[0]:.3f} to {scores[-1]:.3f}", highlight=False)
    console.print(f"{len(chosen)} of {len(ranked)} chosen: {out / SHEET}", highlight=False)


def stages(
    name: Annotated[Literal["dap"], tyro.conf.Positional],  # noqa: ARG001 - no other is published so far
    config: Annotated[StagedTraining, tyro.conf.arg(name="")],
) -> None:
    """Train Depth Any Panoramas from worlds and photographs without labels, in its three stages.

    Photographs are taken in; a labeller learns from worlds and labels them; a discriminator ranks the labels, and the
    truest of each scene are kept; a second labeller learns from worlds and these; it labels all photographs; the final
    network learns from worlds and these labels. The same command goes on after an interruption or a kill. stages.md and
    stages.json tell what was done with which settings and results, selection/sheet.png shows the best and the worst
    labels, and the folder model is what PanoViewer opens.

    Args:
        name: Of the method.
        config: Of all stages.
    """
    run_stages(config, _OnConsole())
    console.print(f"Written: {config.out / PAGE_NAME}, {config.out / MODEL}", highlight=False)


class _OnConsole(Show):
    def line(self, text: str) -> None:
        console.print(text, highlight=False, markup=False)

    def bar(self, title: str) -> AbstractContextManager[Progress]:
        return progress_bar(title)

    def training(self, steps: int) -> AbstractContextManager[Callable[[dict[str, Any]], None]]:
        return ProgressLine(console, steps)
