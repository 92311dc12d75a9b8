"""Which content a file has."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path


def content_sha256(path: Path) -> str:
    """SHA-256 of a file's content in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_sha256(path: Path) -> str:
    """The same, remembered until the file's size or time of change differs."""
    status = path.stat()
    return _remembered_sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _remembered_sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    return content_sha256(path)
