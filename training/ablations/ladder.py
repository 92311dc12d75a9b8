"""What a comparison is made of: rows, the runs behind each, and the scores that count."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import PanoError

Scores = Mapping[str, float]


@dataclass(frozen=True)
class Made:
    """A value of a configuration that has to be made first: a folder of something.

    Attributes:
        name: Of the folder; another one for what is made in another way.
        make: Gets the folder, that of the worlds, and how many of them are held out. What is there already is kept.
    """

    name: str
    make: Callable[[Path, Path, int], None]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Stage:
    """One training run.

    Attributes:
        recipe: Its name.
        changes: Fields of the configuration that are not as by default. `Made` ones, also within a tuple, become
            the path of what was made.
        follows: The field that is told the folder of the stage before it; "" for none.
        alone: Changes with which it can be tried out without that stage.
    """

    recipe: str
    changes: Mapping[str, object]
    follows: str = ""
    alone: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        key: On the command line and in the results.
        title: In the table.
        stages: The runs, one after the other. Those that several rows begin with are trained once.
        judging: What the ladder's judge is told beside.
        published: What the paper says of its own, larger counterpart; "" where it says nothing.
        headline: Whether it is among the rows that come first.
    """

    key: str
    title: str
    stages: Sequence[Stage]
    judging: Mapping[str, object] = field(default_factory=dict)
    published: str = ""
    headline: bool = False


@dataclass(frozen=True)
class Score:
    """A column of the table.

    Attributes:
        name: As the judge gives it.
        title: In the table.
        higher_is_better: Its direction.
    """

    name: str
    title: str
    higher_is_better: bool = True


@dataclass(frozen=True)
class Ladder:
    """A comparison.

    The row with the most stages tells how many steps each of them takes.

    Attributes:
        name: On the command line.
        about: What is compared, and how far it is from the paper's own; a paragraph under the table.
        rows: The first one is the full method.
        scores: The first one counts most.
        judge: Gives the scores of a row's last run, by its folder, on worlds that it held out.
        published: What the column of published figures holds.
    """

    name: str
    about: str
    rows: Sequence[Row]
    scores: Sequence[Score]
    judge: Callable[[Path, Mapping[str, object]], Scores]
    published: str

    def chosen(self, keys: Sequence[str]) -> list[Row]:
        """Rows by their keys, or all; headline ones first.

        Raises:
            PanoError: There is none of some name.
        """
        known = {row.key: row for row in self.rows}
        for key in keys:
            if key not in known:
                raise PanoError(
                    f"Expected rows of {self.name} ({', '.join(known)}), got '{key}'. Choose some of these."
                )
        rows = [row for row in self.rows if not keys or row.key in keys]
        return sorted(rows, key=lambda row: not row.headline)


def stage_digest(stages: Sequence[Stage], steps: Sequence[int]) -> str:
    """The same for stages that train the same, whichever row they stand in."""
    told = [
        {"recipe": stage.recipe, "changes": {k: _told(v) for k, v in sorted(stage.changes.items())}, "steps": count}
        for stage, count in zip(stages, steps, strict=True)
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


def _told(value: object) -> str:
    return " + ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
