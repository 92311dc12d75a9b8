"""The model card: one JSON with the facts, and the page that is written from it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import PanoError
from core.io.atomic import atomic_file
from training.click_worlds import KINDS
from training.dataset import list_photos
from training.manifest import read_scenes

_NOT_TOLD = ("out", "worlds", "photos", "views", "threads", "device", "save_minutes", "evaluate_minutes")
"""Settings that say nothing about what was learned; folders are no business of a card's reader either."""


def describe_run(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a card tells of a training run.

    Args:
        state: A checkpoint as `training.trainer` writes it.
    """
    config = state["config"]
    return {
        "seed": config["seed"],
        "steps": state["step"],
        "samples": state.get("samples"),
        "hours": round(state.get("seconds", 0.0) / 3600, 2),
        "hardware": state.get("hardware", "unknown"),
        "config": {key: value for key, value in config.items() if _is_told(key, value)},
        "photographs": _photographs(config.get("photos")),
        "held_out": list(state.get("history", [])),
    }


def _is_told(key: str, value: object) -> bool:
    return key not in _NOT_TOLD and not (value is None or (isinstance(value, str) and ("/" in value or "\\" in value)))


def _photographs(folder: str | None) -> list[dict[str, str]]:
    """The photographs that a run could see, with where they come from; their manifest must still be there."""
    if folder in (None, "None"):
        return []
    used = {photo.path.name for photo in list_photos(Path(str(folder)))}
    rows = [row for row in read_scenes(Path(str(folder))) if row["file"] in used]
    wanted = ("file", "licence", "source_repo", "source_path")
    return [{key: row[key] for key in wanted if row.get(key)} for row in rows]


def read_card(path: Path) -> dict[str, Any]:
    """The facts of a card.

    Raises:
        PanoError: The file is missing or is no card.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PanoError(f"Expected the JSON of a model card, got none; export the model first: {path}") from error
    if not isinstance(card, dict) or not {"model", "runs"} <= card.keys():
        raise PanoError(f"Expected the JSON of a model card, got another one; export the model first: {path}")
    return card


def write_card(
    card: Mapping[str, Any], path: Path, page: Callable[[Mapping[str, Any]], str] | None = None
) -> list[Path]:
    """Write the facts as JSON and the page beside them; returns both files."""
    text = (page or card_page)(card)
    beside = path.with_suffix(".md")
    for target, content in ((path, json.dumps(card, indent=1, ensure_ascii=False) + "\n"), (beside, text)):
        with atomic_file(target) as stream:
            stream.write(content.encode())
    return [path, beside]


def card_page(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    runs: Sequence[Mapping[str, Any]] = card["runs"]
    shipped = runs[0]
    parts = [
        f"# {card['model']}",
        "A small network that reads a whole panorama and says depth in metres, normals, classes, what is far (sky), "
        "and the camera's height. It was trained from scratch by this project; no weights of others went into it.",
        table(
            ("", ""),
            [
                ("Parameters", f"{card['parameters'] / 1e6:.2f} M, {card['megabytes']} MB as safetensors (float32)"),
                ("Works at", f"{2 * card['height']} x {card['height']} (width x height)"),
                ("Classes", ", ".join(card["class_names"])),
                ("Licence", "Apache-2.0, as the rest of the project"),
            ],
        ),
        "## Training",
        runs_table(runs),
        settings_text(shipped),
        *list_parts("### How it went", card.get("notes", [])),
        "### Data",
        "Worlds rendered by `panoviewer-train generate`, indoor and outdoor, with exact labels; they are ours. A seed "
        "gives the same world again with the same version of the generator.",
        _photograph_text(shipped["photographs"]),
        *held_out_parts(runs),
        *_report_parts(card.get("reports", [])),
        *_scene_parts(card.get("scenes")),
        *list_parts("## What does not work", card.get("limits", [])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def shipped_page(card: Mapping[str, Any]) -> str:
    """The card of any recipe as Markdown."""
    runs: Sequence[Mapping[str, Any]] = card["runs"]
    direction = "higher" if card["headline"]["higher_is_better"] else "lower"
    judged = held_out_parts(runs)
    parts = [
        f"# {card['model']}, recipe {card['recipe']}",
        card["about"],
        table(
            ("", ""),
            [
                ("Parameters", f"{card['parameters'] / 1e6:.2f} M, {card['megabytes']} MB as safetensors (float32)"),
                *card["facts"].items(),
                ("Licence", card["licence"]),
            ],
        ),
        "## Training",
        runs_table(runs),
        settings_text(runs[0]),
        *list_parts("### How it went", card.get("notes", [])),
        "### Data",
        *card["data"],
        *judged,
        f"The score that counts is {card['headline']['name']}; {direction} is better." if judged else "",
        *_report_parts(card.get("reports", [])),
        *drawn_parts(card.get("drawn", [])),
        *world_parts(card.get("worlds", [])),
        *list_parts("## What does not work", card.get("limits", [])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def runs_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """What each run cost; the first one is shipped."""
    rows = [
        (
            "shipped" if number == 0 else "other", run["seed"], run["steps"], run["samples"], run["hours"],
            run["hardware"],
        )
        for number, run in enumerate(runs)
    ]  # fmt: skip
    return table(("Run", "Seed", "Steps", "Samples seen", "Hours", "Hardware"), rows)


def settings_text(run: Mapping[str, Any]) -> str:
    """How a run was set."""
    return "Settings of the shipped run: " + ", ".join(f"{key} {value}" for key, value in run["config"].items()) + "."


def _photograph_text(photographs: Sequence[Mapping[str, str]]) -> str:
    if not photographs:
        return "No photograph was used."
    lines = [
        f"- {row['file']}: {row.get('licence', 'licence unknown')}; {row.get('source_repo', '')} "
        f"{row.get('source_path', '')}".rstrip()
        for row in photographs
    ]
    return (
        f"{len(photographs)} photographs without labels, of which only 'indoor' or 'outdoor' was told:\n\n"
        + "\n".join(lines)
    )


def held_out_parts(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The last evaluation of every run on worlds that it never saw, and how far the runs lie apart."""
    last = [run["held_out"][-1] for run in runs if run["held_out"]]
    if not last:
        return []
    names = [name for name in last[0] if name not in ("step", "height", "hours")]
    rows: list[tuple[object, ...]] = []
    for name in names:
        values = [row[name] for row in last if name in row]
        spread = f"{max(values) - min(values):.4f}" if len(values) > 1 else "one run only"
        rows.append((name, *(f"{value:.4f}" for value in values), spread))
    seeds = [f"seed {run['seed']}" for run in runs if run["held_out"]]
    return ["## Held-out worlds during training, one pass", table(("", *seeds, "spread"), rows)]


def _report_parts(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    if not reports:
        return []
    parts = [
        "## Results",
        "By solid angle; a missing pixel counts as wrong; depth after one median scale per picture unless it says "
        "metric. 'Baseline' is a round room of fixed size that never looks at the picture.",
    ]
    for report in reports:
        rows = [
            (name, number(value), number(report["baseline"].get(name, float("nan"))))
            for name, value in report["means"].items()
        ]
        title = f"### {report['task']}: {report['folder']}, {report['rows']} pictures"
        parts += [title, table(("", "this model", "baseline"), rows)]
    return parts


def _scene_parts(scenes: Mapping[str, Any] | None) -> list[str]:
    if not scenes:
        return []
    rows = [
        (
            row["picture"], row["scene"], f"{row['indoor_probability']:.2f}", f"{row['far_above']:.2f}",
            f"{row['far_below']:.2f}", f"{row['ground_below']:.2f}", "yes" if row["right"] else f"no: {row['wrong']}",
        )
        for row in scenes["rows"]
    ]  # fmt: skip
    right = sum(row["right"] for row in scenes["rows"])
    return [
        "## Real panoramas",
        f"{right} of {len(rows)} look right: {scenes['rule']}",
        table(("Picture", "Scene", "P(indoor)", "far above", "far below", "ground below", "right"), rows),
    ]


def drawn_parts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How clicks on hand-drawn objects did."""
    if not rows:
        return []
    methods = list(dict.fromkeys(row["method"] for row in rows))
    objects = list(dict.fromkeys((row["picture"], row["object"]) for row in rows))
    ious = {(row["picture"], row["object"], row["method"]): row["ious"] for row in rows}
    last = len(rows[0]["ious"])
    header = ["object", *(f"{method}, {count}" for method in methods for count in (1, last))]
    lines: list[list[object]] = []
    for picture, name in objects:
        values = [ious[picture, name, method] for method in methods]
        lines.append([f"{picture}: {name}", *(f"{value:.3f}" for row in values for value in (row[0], row[-1]))])
    means = [np.mean([ious[key][i] for key in ious if key[2] == method]) for method in methods for i in (0, -1)]
    lines.append(["mean", *(f"{mean:.3f}" for mean in means)])
    title = (
        f"IoU on the sphere with {len(objects)} objects drawn by hand on {len({o[0] for o in objects})} photographs, "
        f"which nothing was trained on, after 1 click and after {last}: the first comes from the file, the next go to "
        "the middle of the largest error."
    )
    return ["## Objects drawn by hand", title, table(header, lines)]


def world_parts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How clicks on objects of held-out worlds did."""
    if not rows:
        return []
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines: list[list[object]] = []
    for kind in KINDS:
        values = {m: [row["ious"][0] for row in rows if row["picture"] == kind and row["method"] == m] for m in methods}
        if values[methods[0]]:
            lines.append([kind, len(values[methods[0]]), *(f"{np.mean(values[m]):.3f}" for m in methods)])
    title = (
        "Mean IoU after 1 click: objects wider than 120 degrees, across the seam, holding a pole, and others. Beside "
        "the sweep around the sphere stands what the first view alone gives."
    )
    return ["## Objects of held-out worlds", title, table(["kind", "objects", *methods], lines)]


def list_parts(title: str, lines: Sequence[str]) -> list[str]:
    """A heading and its points; nothing without points."""
    return [title, "\n".join(f"- {line}" for line in lines)] if lines else []


def table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: float) -> str:
    """Four digits; a dash for what is not known."""
    return "-" if math.isnan(value) else f"{value:.4g}"
