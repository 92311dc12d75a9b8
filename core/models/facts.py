"""What can be told of a model before it is run: one answer for the command line and for the window."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import core.models
from core.errors import ModelUnavailable
from core.models import ModelSpec, find_model, weights_file
from core.models.expected import expected
from core.models.perspective_folder import own_names
from core.models.store import read_card

_log = logging.getLogger(__name__)

_NUMBER_BYTES = 4
State = Literal["bundled", "added", "missing"]


@dataclass(frozen=True)
class ModelFacts:
    """A line of the catalogue and what lies on the disk for it.

    Attributes:
        spec: The line.
        state: Whether the weights come with the program, were added, or are not there.
        file: Where they lie, or would.
        bytes: Their size; None while they are not there.
        sha256: What they were when they were added; None where nobody wrote it down.
        expected_seconds: As `core.models.expected` estimates them; None where that was not asked for or is not known.
    """

    spec: ModelSpec
    state: State
    file: Path
    bytes: int | None
    sha256: str | None
    expected_seconds: float | None = None

    @property
    def tasks(self) -> tuple[str, ...]:
        """What the model can do, in words."""
        return tuple(str(task) for task in self.spec.tasks) or ("clicks",)

    @property
    def likely_bytes(self) -> int | None:
        """Size of the weights, or what it will be when they are added; None where nobody knows how many numbers."""
        return self.bytes if self.bytes is not None else _NUMBER_BYTES * self.spec.parameters or None

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "name": self.spec.name,
            "title": self.spec.title,
            "tasks": list(self.tasks),
            "state": self.state,
            "file": str(self.file),
            "bytes": self.bytes,
            "likely_bytes": self.likely_bytes,
            "sha256": self.sha256,
            "parameters": self.spec.parameters or None,
            "operations": self.spec.operations or None,
            "peak_bytes": self.spec.peak_bytes or None,
            "expected_seconds": self.expected_seconds,
            "licence": self.spec.licence,
            "non_commercial": self.spec.asks,
            "source": self.spec.source,
        }


def model_facts(spec: ModelSpec) -> ModelFacts:
    """Look at what lies on the disk for a model; weights are not read."""
    file = weights_file(spec)
    try:
        size = file.stat().st_size if file.is_file() else None
    except OSError:
        size = None
    if size is None:
        return ModelFacts(spec, "missing", file, None, None)
    is_ours = spec.is_bundled and spec.folder is None
    card = None if is_ours else read_card(spec)
    return ModelFacts(
        spec,
        "bundled" if is_ours else "added",
        file,
        size,
        None if card is None else card.weights.sha256,
    )


def _fetched() -> Iterator[ModelSpec]:
    """Perspective networks that were fetched by their names."""
    for name in own_names():
        try:
            yield find_model(name)
        except ModelUnavailable as error:
            _log.warning("%s", error)  # of a folder that somebody has changed


def catalogue_facts(*, estimate: bool = False) -> tuple[ModelFacts, ...]:
    """Of every line of the catalogue, in its order, and of perspective networks that were fetched.

    Args:
        estimate: Say how long each takes, too, for which the machine is measured once.
    """
    listed = (*core.models.listed_models(), *_fetched(), *core.models.listed_segmenters())
    facts = tuple(model_facts(spec) for spec in listed)
    if not estimate:
        return facts
    return tuple(replace(one, expected_seconds=expected(one.spec).seconds) for one in facts)
