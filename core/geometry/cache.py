"""A store for sampling maps and rays that forgets the oldest when it grows too large."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedCache(Generic[T]):
    """Values by key, least recently used first to go, bounded by their total size in bytes; safe between threads.

    Args:
        max_bytes: Upper bound of what is kept. A single value above a third of it is handed out but not kept.
        size_of: Size of a value in bytes.
    """

    def __init__(self, max_bytes: int, size_of: Callable[[T], int]) -> None:
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes kept at the moment."""
        return self._bytes

    def peek(self, key: Hashable) -> T | None:
        """The value of `key` if it is kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made on first use.

        Two threads that ask for one key at once may both make it; the values are interchangeable.
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        size = self._size_of(value)
        if 3 * size > self._max_bytes:
            return value
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._bytes += size
            while self._bytes > self._max_bytes:
                _, dropped = self._values.popitem(last=False)
                self._bytes -= self._size_of(dropped)
        return value
