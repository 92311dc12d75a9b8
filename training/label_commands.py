"""Commands that let models work on many panoramas: as teachers of others, or for what they say."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from core.errors import PanoError
from training.batch import REJECTED, Report, Where, gathered, run_batch
from training.console import console, progress_bar
from training.labels.label import LabelPlan

_SHOWN = 10
_ON_SHEET = 16
_Inputs = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|FOLDER...")]
_Out = Annotated[Path, tyro.conf.arg(aliases=["-o"])]
_Device = Literal["auto", "cpu", "cuda"]


def label(
    inputs: _Inputs,
    out: _Out,
    plan: Annotated[LabelPlan, tyro.conf.arg(name="")],
    where: Annotated[Where, tyro.conf.arg(name="")],
    device: _Device = "auto",
    sheet: Path | None = None,
) -> None:
    """Let models label panoramas without labels, through random views of them; what is labelled already is kept.

    Writes STEM-HASH.npz for every panorama: maps of depth, normals and classes on the sphere with how far to believe
    them, and what was said of single views. Recipes train on such a folder as on worlds. What could not be labelled is
    listed in rejected.tsv; the exit code is then 1.

    Args:
        inputs: Photographs, generated worlds, and folders of them.
        out: Folder of the labelled panoramas.
        plan: Of the labels.
        where: They are made.
        device: Where teachers run: auto, cpu or cuda.
        sheet: Also write a picture of the first 16 of the folder here, with maps and confidence (PNG or JPEG).
    """
    from training.labels.job import label_folder
    from training.pictures import check_picture

    check_picture(sheet)
    plan = replace(plan, teachers=tuple(map(_place, plan.teachers)))
    files = gathered(inputs, out, worlds=True)
    started = time.monotonic()
    with progress_bar("Labelling") as update:
        report = label_folder(files, out.absolute(), plan, device=device, where=where, progress=update)
    if sheet is not None and (report.done or report.kept):
        from training.labelled import labelled_files
        from training.labels.sheet import label_sheet

        label_sheet(labelled_files(out)[:_ON_SHEET], sheet)
    _tell(report, "labelled", started, out)


def predict(
    inputs: _Inputs,
    out: _Out,
    where: Annotated[Where, tyro.conf.arg(name="")],
    model: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = "pano-s",
    size: Literal["native", "full"] = "native",
    device: _Device = "auto",
) -> None:
    """Let a model predict many photographs, also on a cluster; what was predicted already is kept.

    Writes STEM-HASH.json and maps beside it, as 'panoviewer predict' does, which on one machine has more to choose
    from. What could not be predicted is listed in rejected.tsv; the exit code is then 1.

    Args:
        inputs: Photographs and folders of them.
        out: Folder of the results.
        where: It is done.
        model: A name of the catalogue, a folder that 'export' wrote, or the folder of a perspective network.
        size: Of the maps: native is the model's own, full the photograph's.
        device: Where the model runs: auto, cpu or cuda.
    """
    from core.export.results import ResultOptions
    from core.models import find_model
    from training.batch_prediction import PredictWork

    options = ResultOptions(_place(model), find_model(model).tasks, size)
    files = gathered(inputs, out, worlds=False)
    started = time.monotonic()
    with progress_bar("Predicting") as update:
        work = PredictWork(out.absolute(), options, device)
        report = run_batch(work, files, out.absolute(), where, progress=update)
    _tell(report, "predicted", started, out)


def _place(choice: str) -> str:
    """A model's place as other processes find it, whose current folder is another one."""
    return os.path.abspath(choice) if os.path.exists(choice) else choice


def _tell(report: Report, done: str, started: float, out: Path) -> None:
    """What became of all; exit code 1 when some could not be done.

    Raises:
        PanoError: None could.
    """
    for path, reason in list(report.bad.items())[:_SHOWN]:
        console.print(f"{path}: {reason}", highlight=False, markup=False)
    if len(report.bad) > _SHOWN:
        console.print(f"... and {len(report.bad) - _SHOWN} more: {out / REJECTED}", highlight=False)
    seconds = time.monotonic() - started
    rate = f" in {seconds:.0f} s, {report.done / seconds:.2f} a second" if report.done and seconds > 0 else ""
    console.print(
        f"{report.done} panoramas {done}{rate}; {report.kept} kept, {len(report.bad)} left out: {out}", highlight=False
    )
    if report.bad and not report.done and not report.kept:
        raise PanoError(f"None of {len(report.bad)} panoramas could be {done}; the reasons are in: {out / REJECTED}")
    if report.bad:
        sys.exit(1)
