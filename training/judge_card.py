"""Fill a model card with what the exported model does: on worlds, on labelled photographs, on scenes for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import PanoError
from core.models.pano_s import PanoS
from core.progress import Progress, silent
from training.evaluate import Report, evaluate
from training.export_model import STEM
from training.model_card import read_card, write_card
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
    for where in labelled:
        if not any(has_truths(where, task) for task in TASKS):
            raise PanoError(f"Expected worlds or labelled pictures to judge by, got none; choose another: {where}")
    card_file, weights = folder / f"{STEM}.json", folder / f"{STEM}.safetensors"
    card = read_card(card_file)
    model = PanoS(weights)
    jobs = [(task, where) for where in labelled for task in TASKS if has_truths(where, task)]
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


def _rounded(report: Report) -> dict[str, Any]:
    """The means of a report; of the rows only how many there were pays its place in a card."""
    facts = report.facts()
    for name in ("means", "baseline"):
        facts[name] = {key: round(value, 5) for key, value in facts[name].items()}
    return facts | {"rows": len(report.rows)}
