"""Rows as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from core.io.memory import format_bytes
from panoviewer.benches.rows import GoalKind, Row, Sample, Unit

HEADINGS = ("task", "size", "threads", "took", "on core", "beside", "ratio", "goal", "met")
_RIGHT = {"threads", "took", "on core"}


def table(rows: Sequence[Row]) -> str:
    """A table in Markdown that is readable as it is; notes below it."""
    notes: list[str] = []
    lines = [_cells(row, notes) for row in rows]
    columns = list(zip(HEADINGS, *lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    ruler = [
        "-" * (width - 1) + ":" if name in _RIGHT else "-" * width for name, width in zip(HEADINGS, widths, strict=True)
    ]
    text = [_line(HEADINGS, widths), _line(ruler, widths), *(_line(line, widths) for line in lines)]
    return "\n".join([*text, *([""] if notes else []), *notes])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    placed = [
        cell.rjust(width) if name in _RIGHT else cell.ljust(width)
        for name, cell, width in zip(HEADINGS, cells, widths, strict=True)
    ]
    return f"| {' | '.join(placed)} |"


def _cells(row: Row, notes: list[str]) -> tuple[str, ...]:
    task = row.task
    if row.note:
        if row.note not in (note.partition(") ")[2] for note in notes):
            notes.append(f"{len(notes) + 1}) {row.note}")
        number = next(note.partition(")")[0] for note in notes if note.partition(") ")[2] == row.note)
        task = f"{task} ({number})"
    beside = row.other
    if row.other:
        beside = f"{row.other}: {amount(row.beside, row.unit)}"
    core = "" if row.found is None or row.found.core is None else _amount(row.found.core, Unit.SECONDS)
    met = {None: "", True: "yes", False: "when quiet" if row.is_met_when_quiet else "NO"}[row.is_met]
    return task, row.size, str(row.threads), amount(row.found, row.unit), core, beside, _ratio(row), _goal(row), met


def amount(found: Sample | None, unit: Unit) -> str:
    """A value with its unit, to three digits."""
    if found is None:
        return "-"
    return _amount(found.value, unit)


def _amount(value: float, unit: Unit) -> str:
    if unit is Unit.BYTES:
        return format_bytes(value)
    if unit is Unit.SHARE:
        return f"{value:.0%}" if value >= 0.0995 or value == 0 else f"{100 * value:.2g}%"
    if unit is Unit.DEGREES:
        return f"{value:.3g} deg"
    if value < 0.9995:
        return f"{value * 1000:.3g} ms"
    return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"


def _ratio(row: Row) -> str:
    ratio = row.ratio
    if ratio is None:
        return ""
    if ratio >= 0.67 or ratio == 0:
        return f"{ratio:.2f} x"
    return f"{1 / ratio:.1f} x {'faster' if row.unit is Unit.SECONDS else 'less'}"


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    if row.goal.kind is GoalKind.AT_MOST:
        return f"<= {_amount(row.goal.limit, row.unit)}"
    if row.goal.kind is GoalKind.AT_LEAST:
        return f">= {_amount(row.goal.limit, row.unit)}"
    if row.goal.kind is GoalKind.TIMES_AT_MOST:
        return f"<= {row.goal.limit:g} x"
    return f">= {row.goal.limit:g} x faster"
