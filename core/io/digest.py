"""Which content a file has."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from core.progress import Progress, silent

_BLOCK_BYTES = 4 << 20


def content_sha256(path: Path, *, progress: Progress = silent) -> str:
    """SHA-256 of a file's content in hexadecimal."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            progress(done, max(size, done))
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """The same, remembered until the file's size or time of change differs."""
    status = path.stat()
    return _remembered_sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _remembered_sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    return content_sha256(path)
