"""JSON from strangers: parsed within bounds and read field by field; every surprise is a sentence."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from core.errors import ProjectError

MAX_BYTES = 256 << 20
"""Of one file; 200 masks on an 8K panorama take about a tenth of it."""
MAX_PARTS = 4_000_000
"""Commas, colons and brackets in one file: they, not the bytes, decide how much memory the parsed values take."""
MAX_TEXT = 1000
"""Characters of a name."""
MAX_INTEGER = 2**31 - 1

_COLOR = re.compile(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})")
_SHOWN = 40

Choice = TypeVar("Choice", bound=StrEnum)


class FieldError(Exception):
    """What was expected and what was found, without the name of the file."""

    def __init__(self, expected: str, got: object) -> None:
        super().__init__(f"Expected {expected}, got {_shown(got)}")


@contextmanager
def naming(path: Path, advice: str) -> Iterator[None]:
    """Turn a `FieldError` of the block into a sentence for the user that ends with the file.

    Raises:
        ProjectError: The block raised a `FieldError`.
    """
    try:
        yield
    except FieldError as error:
        raise ProjectError(f"{error}; {advice}: {path}") from error


def parse_object(data: bytes, *, max_bytes: int = MAX_BYTES, max_parts: int = MAX_PARTS) -> Fields:
    """The JSON object in a file's content.

    Args:
        data: The content.
        max_bytes: That it may have.
        max_parts: Commas, colons and brackets that it may have.

    Raises:
        FieldError: Not UTF-8, not JSON, too large, nested too deep, a name twice in one object, NaN or infinity.
    """
    refuse_too_much(data, max_bytes=max_bytes, max_parts=max_parts)
    try:
        value = json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_without_repeats, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise FieldError("text in UTF-8", data[error.start : error.start + 8]) from error
    except RecursionError as error:
        raise FieldError("a file of a few levels", "one that is nested too deep") from error
    except ValueError as error:
        # JSONDecodeError, and the ValueError for a number of more than 4300 digits.
        raise FieldError("a JSON file", str(error)) from error
    return Fields(value, "the file")


def refuse_too_much(data: bytes, *, max_bytes: int = MAX_BYTES, max_parts: int = MAX_PARTS) -> None:
    """Raise a `FieldError` for a file that would take too much memory when it is parsed."""
    if len(data) > max_bytes:
        raise FieldError(f"a file of at most {max_bytes >> 20} MiB", f"{len(data) >> 20} MiB")
    parts = sum(data.count(mark) for mark in (b",", b":", b"[", b"{"))
    if parts > max_parts:
        raise FieldError(f"at most {max_parts:,} values in a file", f"{parts:,}")


class Fields:
    """An object of a JSON file. Each field is asked for by name and comes back checked.

    Args:
        value: As parsed.
        where: What a sentence calls it: 'segments[3]'.

    Raises:
        FieldError: `value` is no object; and by each method, when the field is missing or not what it should be.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise FieldError(f"{where} to be an object", value)
        self._values: dict[str, Any] = value
        self._where = where
        self._unread = set(value)

    def has(self, name: str) -> bool:
        """Whether there is such a field."""
        return name in self._values

    def integer(self, name: str, low: int = 0, high: int = MAX_INTEGER) -> int:
        """A whole number within [low, high]."""
        value = self._take(name)
        if type(value) is not int or not low <= value <= high:
            raise self._error(name, f"a whole number from {low} to {high}", value)
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._take(name)
        # A whole number of hundreds of digits is JSON, too, but no float.
        if type(value) not in (int, float) or (type(value) is int and abs(value) > MAX_INTEGER):
            raise self._error(name, "a number", value)
        if not math.isfinite(value):
            raise self._error(name, "a finite number", value)
        return float(value)

    def number_or_none(self, name: str) -> float | None:
        """A finite number, or None where the file says null."""
        return None if self.is_null(name) else self.number(name)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._take(name)
        if type(value) is not bool:
            raise self._error(name, "true or false", value)
        return value

    def scalar(self, name: str) -> str | int | float | bool:
        """Text, a number, true or false."""
        value = self._values.get(name)
        if type(value) is bool:
            return self.flag(name)
        if type(value) is int:
            return self.integer(name, -MAX_INTEGER)
        return self.text(name) if isinstance(value, str) else self.number(name)

    def text(self, name: str, limit: int | None = MAX_TEXT) -> str:
        """Text that can be written as UTF-8, of at most `limit` characters."""
        value = self._take(name)
        if not isinstance(value, str) or (limit is not None and len(value) > limit):
            raise self._error(name, f"text of at most {limit} characters" if limit else "text", value)
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise self._error(name, "text of whole characters", "half a surrogate pair") from error
        return value

    def choice(self, name: str, choices: type[Choice]) -> Choice:
        """A member of an enumeration, stored by its value."""
        value = self._take(name)
        if not isinstance(value, str) or value not in list(choices):
            raise self._error(name, " or ".join(repr(str(choice)) for choice in choices), value)
        return choices(value)

    def color(self, name: str) -> tuple[int, int, int]:
        """An sRGB colour, '#823c1e'."""
        value = self._take(name)
        match = _COLOR.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise self._error(name, "a colour such as '#823c1e'", value)
        return int(match[1], 16), int(match[2], 16), int(match[3], 16)

    def digest(self, name: str) -> str:
        """A SHA-256 in hexadecimal."""
        value = self._take(name)
        if not isinstance(value, str) or re.fullmatch(r"[0-9a-f]{64}", value) is None:
            raise self._error(name, "a SHA-256 of 64 hexadecimal digits", value)
        return value

    def inner(self, name: str) -> Fields:
        """An object."""
        return Fields(self._take(name), self._path(name))

    def objects(self, name: str, limit: int) -> list[Fields]:
        """A list of at most `limit` objects."""
        return [Fields(value, f"{self._path(name)}[{at}]") for at, value in enumerate(self.values(name, limit))]

    def values(self, name: str, limit: int) -> list[Any]:
        """A list of at most `limit` values of any kind."""
        value = self._take(name)
        if not isinstance(value, list):
            raise self._error(name, "a list", value)
        if len(value) > limit:
            raise self._error(name, f"a list of at most {limit:,}", f"{len(value):,}")
        return value

    def names(self) -> tuple[str, ...]:
        """Names of the fields, in the order of the file."""
        return tuple(self._values)

    def is_null(self, name: str) -> bool:
        """Whether the file says null there."""
        is_null = self._take(name) is None
        if not is_null:
            self._unread.add(name)
        return is_null

    def is_list(self, name: str) -> bool:
        """Whether there is a list there."""
        return isinstance(self._take(name), list)

    def finish(self) -> None:
        """To be called when all known fields are read.

        Raises:
            FieldError: There is one that was not asked for.
        """
        if self._unread:
            raise FieldError(f"no further field in {self._where}", min(self._unread))

    def _take(self, name: str) -> Any:  # noqa: ANN401, whatever the file holds
        if name not in self._values:
            raise FieldError(f"a field {name!r} in {self._where}", "none")
        self._unread.discard(name)
        return self._values[name]

    def _path(self, name: str) -> str:
        return name if self._where == "the file" else f"{self._where}.{name}"

    def _error(self, name: str, expected: str, got: object) -> FieldError:
        return FieldError(f"{self._path(name)} to be {expected}", got)


def dump_object(values: dict[str, Any]) -> str:
    """An object as text that people can read and compare: in the order given, a value without inner values on one line.

    Raises:
        ValueError: A number is not finite, or a text cannot be written as UTF-8.
    """
    inner = [f" {json.dumps(name, ensure_ascii=False)}: {_dump(value, 1)}" for name, value in values.items()]
    text = "{\n" + ",\n".join(inner) + "\n}\n"
    text.encode()
    return text


def dump_line(value: object) -> str:
    """A value on one line without spaces; the same errors as `dump_object`."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text.encode()
    return text


def _dump(value: object, depth: int) -> str:
    pad = "\n" + " " * (depth + 1)
    if isinstance(value, dict) and any(isinstance(inner, (dict, list)) for inner in value.values()):
        lines = [f"{json.dumps(name, ensure_ascii=False)}: {_dump(inner, depth + 1)}" for name, inner in value.items()]
        return "{" + pad + f",{pad}".join(lines) + pad[:-1] + "}"
    if isinstance(value, list) and any(isinstance(inner, (dict, list)) for inner in value):
        return "[" + pad + f",{pad}".join(_dump(inner, depth + 1) for inner in value) + pad[:-1] + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise FieldError("every name once in an object", name)
        values[name] = value
    return values


def _refuse_constant(name: str) -> None:
    raise FieldError("finite numbers", name)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "null"
    text = repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
