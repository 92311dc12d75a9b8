"""What was done in stages, with which settings and results: a file for programs and one to read, whole at any time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import PanoError
from core.io.atomic import atomic_file, make_folder

FILE_NAME, PAGE_NAME = "stages.json", "stages.md"
_NOT_RUN = "not run"


@dataclass
class Record:
    """The stages of a folder that are done.

    Attributes:
        recipe: What is trained.
        settings: Those that decide the result; who goes on must give the same.
        done: By stage: "seconds" since it was begun or last gone on with, "hardware", and "results" by name.
    """

    recipe: str
    settings: dict[str, Any]
    done: dict[str, dict[str, Any]] = field(default_factory=dict)


def open_record(folder: Path, recipe: str, settings: Mapping[str, Any]) -> Record:
    """The record of a folder, or a new one.

    Raises:
        PanoError: The folder's stages were done otherwise, or its record is broken.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        make_folder(folder)
        return Record(recipe, dict(settings))
    try:
        told = json.loads(path.read_bytes())
        record = Record(str(told["recipe"]), dict(told["settings"]), dict(told["done"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PanoError(
            f"Expected the record of training in stages, got a file that cannot be read; choose another folder: {path}"
        ) from error
    # As it comes back from a file: what is no number or text there was made one.
    wanted = json.loads(json.dumps(dict(settings)))
    other = sorted(name for name in record.settings.keys() | wanted if record.settings.get(name) != wanted.get(name))
    if other or record.recipe != recipe:
        raise PanoError(
            f"Expected to go on with the settings that the stages were begun with, got another "
            f"{', '.join(other) or 'recipe'}; give the same, or choose another folder: {path}"
        )
    return record


def write_record(folder: Path, record: Record, stages: Mapping[str, str]) -> None:
    """Both files, each whole or not at all.

    Args:
        folder: Of the stages.
        record: What is done.
        stages: All of them in their order, and what each is about.
    """
    told = {"recipe": record.recipe, "settings": record.settings, "done": record.done}
    with atomic_file(folder / FILE_NAME) as stream:
        stream.write(json.dumps(told, indent=1).encode() + b"\n")
    with atomic_file(folder / PAGE_NAME) as stream:
        stream.write(_page(record, stages).encode())


def _page(record: Record, stages: Mapping[str, str]) -> str:
    lines = [
        f"# {record.recipe} in stages",
        "",
        "| stage | what | results | minutes since its last start | on |",
        "|---|---|---|---|---|",
    ]
    for name, about in stages.items():
        done = record.done.get(name)
        if done is None:
            lines.append(f"| {name} | {about} | {_NOT_RUN} | | |")
            continue
        results = results_text(done["results"])
        lines.append(f"| {name} | {about} | {results} | {done['seconds'] / 60:.1f} | {done['hardware']} |")
    settings = [f"| {name} | {value} |" for name, value in record.settings.items()]
    return "\n".join([*lines, "", "## Settings", "", "| | |", "|---|---|", *settings]) + "\n"


def results_text(results: Mapping[str, Any]) -> str:
    """Results in one line."""
    return ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in results.items())


def _plain(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
