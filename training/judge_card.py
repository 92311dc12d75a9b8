"""Fill a model card with what the exported model does: on worlds, on labelled photographs, on scenes for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import PanoError
from core.models import find_model
from core.models.own import WEIGHTS_SUFFIX
from core.models.pano_s import PanoS
from core.progress import Progress, silent
from training.evaluate import Report, evaluate
from training.export_model import STEM
from training.model_card import read_card, shipped_page, write_card
from training.scenes import list_scenes, result_sheet, scene_facts, scene_table
from training.truths import JudgedTask, has_truths

TASKS: tuple[JudgedTask, ...] = ("depth", "normals", "classes")


def judge_for_card(
    folder: Path,
    *,
    labelled: Sequence[Path],
    scenes: Path | None = None,
    sheet: Path | None = None,
    run: Path | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Judge the weights in a folder and write the results into the card beside them, in place of older ones.

    Args:
        folder: Where `export_model` wrote.
        labelled: Folders for `evaluate`; each is judged for the tasks that it is labelled for.
        scenes: Folder with photographs and a manifest.tsv for `scene_table`.
        sheet: PNG to write with the results on those photographs.
        run: Where the weights come from, as for `evaluate`.
        progress: Called after each step.

    Returns:
        The files that were written.

    Raises:
        PanoError: The card, the weights or what is to be judged is missing, or a sheet was asked for without scenes.
        ExportError: A file cannot be written.
    """
    if sheet is not None and scenes is None:
        raise PanoError(f"Expected photographs for the sheet, got none; name their folder with --scenes: {sheet}")
    jobs = _jobs(labelled, TASKS)
    card_file, weights = folder / f"{STEM}.json", folder / f"{STEM}.safetensors"
    card = read_card(card_file)
    model = PanoS(weights)
    steps = len(jobs) + (scenes is not None) + (sheet is not None)
    reports: list[dict[str, Any]] = []
    for done, (task, where) in enumerate(jobs, start=1):
        reports.append(_rounded(evaluate(task, where, model=weights, run=run)))
        progress(done, steps)
    card["reports"] = reports
    written = []
    if scenes is not None:
        rows = scene_table(scenes, model)
        card["scenes"] = scene_facts(rows)
        progress(len(jobs) + 1, steps)
        if sheet is not None:
            wrong = {row.picture: row.wrong for row in rows}
            pictures = [(path, wrong[path.name] or "right") for path, _ in list_scenes(scenes)]
            result_sheet(pictures, model, sheet)
            written.append(sheet)
            progress(steps, steps)
    return [*write_card(card, card_file), *written]


def judge_run_for_card(
    card_file: Path, *, labelled: Sequence[Path], run: Path, progress: Progress = silent
) -> list[Path]:
    """The same for the weights of any recipe whose network says something of whole panoramas.

    Args:
        card_file: That `export_run` wrote.
        labelled: As for `judge_for_card`; of what is labelled there, it is judged for what the network says.
        run: Where the weights come from; of the worlds that it was trained on, those count that it held out.
        progress: Called after each step.

    Returns:
        The files that were written.

    Raises:
        PanoError: There is nothing to judge by.
        ExportError: A file cannot be written.
    """
    weights = card_file.with_suffix(WEIGHTS_SUFFIX)
    said = find_model(str(weights)).tasks
    jobs = _jobs(labelled, [task for task in TASKS if task in said])
    card = read_card(card_file)
    reports = []
    for done, (task, where) in enumerate(jobs, start=1):
        reports.append(_rounded(evaluate(task, where, model=weights, run=run)))
        progress(done, len(jobs))
    card["reports"] = reports
    return write_card(card, card_file, shipped_page)


def _jobs(labelled: Sequence[Path], tasks: Sequence[JudgedTask]) -> list[tuple[JudgedTask, Path]]:
    jobs = []
    for where in labelled:
        found = [(task, where) for task in tasks if has_truths(where, task)]
        if not found:
            raise PanoError(
                f"Expected worlds or pictures labelled for {', '.join(tasks)} to judge by, got none; choose another: "
                f"{where}"
            )
        jobs += found
    return jobs


def _rounded(report: Report) -> dict[str, Any]:
    """The means of a report; of the rows only how many there were pays its place in a card."""
    facts = report.facts()
    for name in ("means", "baseline"):
        facts[name] = {key: round(value, 5) for key, value in facts[name].items()}
    return facts | {"rows": len(report.rows)}
