"""The values that a bench is made of: what was measured, beside what, and what was wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from statistics import median
from typing import Any

REFERENCE_WIDTH = 4096
"""Width of the panoramas that the goals are about."""
MIN_REPEATS = 5


class Unit(StrEnum):
    """Of a row's value."""

    SECONDS = "s"
    BYTES = "bytes"
    SHARE = "share"
    DEGREES = "degrees"


class GoalKind(StrEnum):
    """What a goal holds against its limit."""

    AT_MOST = "at most"
    """The value itself."""

    AT_LEAST = "at least"
    """The value itself."""

    TIMES_AT_MOST = "times at most"
    """The value over the other way's."""

    FASTER_AT_LEAST = "times faster at least"
    """The other way's value over this one."""


@dataclass(frozen=True)
class Goal:
    """What is wanted of a row.

    Attributes:
        kind: What is held against the limit.
        limit: In the row's unit, or a factor.
    """

    kind: GoalKind
    limit: float


def at_most(limit: float) -> Goal:
    """A bound of the value itself."""
    return Goal(GoalKind.AT_MOST, limit)


def at_least(limit: float) -> Goal:
    """A bound of the value itself, from below."""
    return Goal(GoalKind.AT_LEAST, limit)


def times_at_most(factor: float) -> Goal:
    """A bound of how many times as long it takes as the other way."""
    return Goal(GoalKind.TIMES_AT_MOST, factor)


def faster_at_least(factor: float) -> Goal:
    """A bound of how many times faster than the other way it is."""
    return Goal(GoalKind.FASTER_AT_LEAST, factor)


@dataclass(frozen=True)
class Sample:
    """Several values of one kind.

    Attributes:
        value: Their median.
        low, high: The smallest and the largest.
        count: How many.
        core: Median of the seconds on a core, which other programs can hardly lengthen; None where nobody knows them,
            and of what is not a time.
    """

    value: float
    low: float
    high: float
    count: int
    core: float | None = None


@dataclass(frozen=True)
class Row:
    """One line of a bench.

    Attributes:
        task: What was done.
        size: Of what it was done to, such as '4096 x 2048'.
        threads: That could take part.
        unit: Of the values.
        found: What it took; None where it could not be measured, as the note says.
        other: Name of the way that it is compared with; empty when there is none.
        beside: What that took; None where it could not be measured.
        goal: What is wanted; None where nothing is, as at sizes that the goals are not about.
        note: Anything else that must be known.
    """

    task: str
    size: str
    threads: int
    unit: Unit
    found: Sample | None
    other: str = ""
    beside: Sample | None = None
    goal: Goal | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times as much it takes as the other way.

        Of single threads by the seconds on the core, where they are known: they do not depend on what else runs.
        """
        if self.found is None or self.beside is None:
            return None
        found, beside = self.found.value, self.beside.value
        if self.threads == 1 and self.found.core and self.beside.core:
            found, beside = self.found.core, self.beside.core
        return found / beside if beside > 0 else None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None without a goal, or when what it needs was not measured."""
        if self.goal is None or self.found is None:
            return None
        if self.goal.kind is GoalKind.AT_MOST:
            return self.found.value <= self.goal.limit
        if self.goal.kind is GoalKind.AT_LEAST:
            return self.found.value >= self.goal.limit
        ratio = self.ratio
        if ratio is None:
            return None
        if self.goal.kind is GoalKind.TIMES_AT_MOST:
            return ratio <= self.goal.limit
        return ratio * self.goal.limit <= 1

    @property
    def is_met_when_quiet(self) -> bool | None:
        """Whether a goal in seconds is reached in seconds on the core, of a single thread; None for any other."""
        if self.goal is None or self.goal.kind is not GoalKind.AT_MOST or self.threads != 1:
            return None
        if self.found is None or self.found.core is None:
            return None
        return self.found.core <= self.goal.limit

    def facts(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "task": self.task,
            "size": self.size,
            "threads": self.threads,
            "unit": str(self.unit),
            "found": None if self.found is None else asdict(self.found),
            "other": self.other or None,
            "beside": None if self.beside is None else asdict(self.beside),
            "ratio": self.ratio,
            "goal": None if self.goal is None else {"kind": str(self.goal.kind), "limit": self.goal.limit},
            "met": self.is_met,
            "met_when_quiet": self.is_met_when_quiet,
            "note": self.note or None,
        }


@dataclass(frozen=True)
class Plan:
    """What was asked for.

    Attributes:
        width: Of the panoramas, in pixels; the goals are about `REFERENCE_WIDTH`.
        repeats: How often each thing is measured after it was done once.
        networks: Names of those that the group of networks is to measure; empty for all.
    """

    width: int = REFERENCE_WIDTH
    repeats: int = MIN_REPEATS
    networks: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Of the panoramas."""
        return self.width // 2

    @property
    def size(self) -> str:
        """As it stands in a row."""
        return size_text(self.width)

    def judged(self, row: Row) -> Row:
        """The row, without its goal where the goals are not about this size."""
        return row if self.width == REFERENCE_WIDTH else replace(row, goal=None)

    def scaled(self, length: float) -> int:
        """A number of pixels that is `length` at the reference width, at least 8."""
        return max(8, round(length * self.width / REFERENCE_WIDTH))


Measure = Callable[[Plan, Callable[[str], None]], Iterator[Row]]
"""Yields rows as they are found; given the plan and a function that is told what is measured next."""


def size_text(width: int, height: int | None = None) -> str:
    """Width and height of a panorama for a row."""
    return f"{width} x {width // 2 if height is None else height}"


def sample_of(values: Sequence[float], cores: Sequence[float] | None = None) -> Sample:
    """Median and range of at least one value, and the median of the seconds on a core.

    Raises:
        ValueError: There is none, or one is no number.
    """
    if not values or not all(math.isfinite(value) for value in values):
        raise ValueError(f"expected measured values, got {values}")
    core = median(cores) if cores is not None else None
    return Sample(median(values), min(values), max(values), len(values), core)
