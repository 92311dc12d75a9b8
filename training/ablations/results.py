"""The file of a comparison's results, written anew after every run, and the table that is made of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import PanoError
from core.io.atomic import atomic_file, make_folder
from training.ablations.ladder import Ladder, Row, Score

FILE_NAME, TABLE_NAME = "results.json", "results.md"
NOT_RUN = "not run"


@dataclass
class Results:
    """What is known so far.

    Attributes:
        ladder: Name of the comparison.
        settings: What all runs share; a comparison that goes on must have the same.
        hardware: Where they ran, each machine once.
        runs: By row and seed: scores, seconds and steps.
    """

    ladder: str
    settings: dict[str, Any]
    hardware: list[str] = field(default_factory=list)
    runs: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def put(self, row: str, seed: int, facts: dict[str, Any], hardware: str) -> None:
        """Note a run."""
        self.runs.setdefault(row, {})[str(seed)] = facts
        if hardware not in self.hardware:
            self.hardware.append(hardware)

    def has(self, row: str, seed: int) -> bool:
        """Whether a run is done."""
        return str(seed) in self.runs.get(row, {})

    def values(self, row: str, score: str) -> list[float]:
        """A score by seed, where it is known."""
        facts = self.runs.get(row, {})
        found = (facts[seed]["scores"].get(score) for seed in sorted(facts, key=int))
        return [float(value) for value in found if value is not None]


def read_results(folder: Path) -> Results | None:
    """Those of a folder; None where there are none yet.

    Raises:
        PanoError: The file is broken.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Results(str(told["ladder"]), dict(told["settings"]), list(told["hardware"]), dict(told["runs"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PanoError(
            f"Expected the results of a comparison, got a file that cannot be read ({error}); choose another --out: "
            f"{path}"
        ) from error


def write_results(folder: Path, ladder: Ladder, results: Results) -> None:
    """Both files, each whole or not at all."""
    make_folder(folder)
    with atomic_file(folder / FILE_NAME) as stream:
        told = {name: getattr(results, name) for name in ("ladder", "settings", "hardware", "runs")}
        stream.write(json.dumps(told, indent=1).encode() + b"\n")
    with atomic_file(folder / TABLE_NAME) as stream:
        stream.write(results_table(ladder, results).encode())


def results_table(ladder: Ladder, results: Results) -> str:
    """Markdown: a line for each row, mean and standard deviation over seeds; what was not reached says so."""
    rows = ladder.chosen(())
    heads = ["", *(score.title for score in ladder.scores), "minutes", ladder.published]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join(_cells(row, ladder.scores, results)) + " |" for row in rows]
    settings = ", ".join(f"{name.replace('_', ' ')} {plain_text(value)}" for name, value in results.settings.items())
    notes = [
        "Mean ± standard deviation over seeds; one seed alone has no spread. " + ladder.about,
        f"Settings: {settings}.",
        f"Hardware: {'; '.join(results.hardware) or 'none yet'}.",
    ]
    return "\n".join([*lines, "", *notes]) + "\n"


def _cells(row: Row, scores: Sequence[Score], results: Results) -> list[str]:
    facts = results.runs.get(row.key, {})
    if not facts:
        return [row.title, *[NOT_RUN] * len(scores), "", row.published]
    minutes = np.mean([facts[seed]["seconds"] for seed in facts]) / 60
    title = f"{row.title} ({len(facts)} seed{'s' if len(facts) > 1 else ''})"
    return [title, *(_spread(results.values(row.key, score.name)) for score in scores), f"{minutes:.1f}", row.published]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean = f"{np.mean(values):.3f}"
    return f"{mean} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else mean


def plain_text(value: object) -> str:
    """A setting as it is read."""
    return " + ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)
