"""Files that are written along with another one, because its own format has no place for what they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Beside:
    """A file beside another one: both are written, or neither.

    Attributes:
        place: Makes its name of the name of that one.
        write: ``write(value, stream, *, name, frame)``; `name` is that of the other file.
    """

    place: Callable[[str], str]
    write: Callable[..., None]


def facts_name(name: str) -> str:
    """The name of the JSON about a file: never that of a report on the photograph."""
    return f"{name}.json"
