"""Encoded views: kept in memory within a bound, on disk between runs, and made ahead while nothing else is wanted.

What a network says about a view before anything is clicked depends on the photograph alone, so it is worth keeping.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.folders import cache_folder
from core.geometry.cache import BoundedCache
from core.geometry.camera import Camera
from core.io.atomic import atomic_file
from core.segment.network import ClickNetwork, Features
from core.segment.photo import PhotoLevels

_log = logging.getLogger(__name__)

Form = dict[str, Any]
"""A structure of tuples, lists and dictionaries as JSON, with numbers in the place of arrays."""

MEMORY_BYTES = 768 << 20
DISK_BYTES = 2 << 30
_SUFFIX = ".view.npz"
_SAMPLED = 2
"""Changes with how views are taken of a photograph: what was kept of others is made again."""
_OWN_MODULES = "core.models."
"""Only tuples that are declared there are made again from a file."""


def views_folder() -> Path:
    """Where encoded views are kept between runs; it may not exist yet."""
    return cache_folder() / "views"


class FeatureStore:
    """Encoded views by key; safe between threads.

    A folder that cannot be written to, or a file in it that is damaged, costs time and nothing else.

    Args:
        folder: Where they outlive the program; None keeps them in memory only. Made when it is first written to.
        memory_bytes: Upper bound in memory; the least recently used go first.
        disk_bytes: Upper bound of the folder; the least recently used go first.
    """

    def __init__(
        self, folder: Path | None = None, *, memory_bytes: int = MEMORY_BYTES, disk_bytes: int = DISK_BYTES
    ) -> None:
        self._memory: BoundedCache[Features] = BoundedCache(memory_bytes, size_of)
        # Given up by whichever thread cannot write to it: every method looks at it once.
        self._folder = folder
        self._disk_bytes = disk_bytes
        self._unwritten: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self._memory.nbytes

    def get(self, key: str) -> Features | None:
        """What is kept under a key, from memory or disk; None when there is nothing."""
        features, folder = self._memory.peek(key), self._folder
        if features is None and folder is not None:
            features = self._read(_file_of(folder, key), key)
            if features is not None:
                self._memory.get(key, lambda: features)
        return features

    def put(self, key: str, features: Features) -> None:
        """Keep in memory at once; `write_one` brings it to the disk when there is time."""
        self._memory.get(key, lambda: features)
        if self._folder is not None:
            with self._lock:
                self._unwritten[key] = None

    def has(self, key: str) -> bool:
        """Whether there is something under a key."""
        folder = self._folder
        return self._memory.peek(key) is not None or (folder is not None and _file_of(folder, key).exists())

    def write_one(self) -> bool:
        """Write the oldest features that are not on the disk yet; False when there are none."""
        with self._lock:
            folder = self._folder
            if not self._unwritten or folder is None:
                return False
            key, _ = self._unwritten.popitem(last=False)
        features = self._memory.peek(key)
        if features is not None:
            try:
                self._write(folder, key, features)
            except (PanoError, OSError, TypeError) as error:
                _log.warning("Encoded views are not kept on the disk in this run: %s", error)
                with self._lock:
                    self._folder = None
                    self._unwritten.clear()
        return True

    def _write(self, folder: Path, key: str, features: Features) -> None:
        arrays: list[NDArray[Any]] = []
        form = {"key": key, "form": _flatten(features, arrays)}
        folder.mkdir(parents=True, exist_ok=True)
        named = {f"a{index}": array for index, array in enumerate(arrays)}
        with atomic_file(_file_of(folder, key)) as stream:
            np.savez(stream, form=np.frombuffer(json.dumps(form).encode(), np.uint8), **named)  # type: ignore[arg-type]
        self._trim(folder)

    def _trim(self, folder: Path) -> None:
        """Remove the files that were not used for longest, until the rest fits."""
        files = []
        for path in folder.glob(f"*{_SUFFIX}"):
            try:
                status = path.stat()
            except OSError:
                continue  # another process has removed it
            files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._disk_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size

    @staticmethod
    def _read(path: Path, key: str) -> Features | None:
        try:
            with np.load(path, allow_pickle=False) as file:
                form = json.loads(file["form"].tobytes())
                if form["key"] != key:
                    return None
                features = _restored(form["form"], file)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, ImportError) as error:
            _log.info("An encoded view is made again, its file cannot be used (%s): %s", error, path)
            return None
        return features


def _file_of(folder: Path, key: str) -> Path:
    return folder / (hashlib.sha256(key.encode()).hexdigest()[:40] + _SUFFIX)


class ViewEncoder:
    """The encoded views of one photograph by one network; safe between threads, which take turns view by view."""

    def __init__(self, network: ClickNetwork, rgb: NDArray[np.uint8], store: FeatureStore) -> None:
        self._network = network
        self._photo = PhotoLevels(rgb)
        self._store = store
        self._turn, self._next = Lock(), Lock()
        self._ahead: set[str] = set()

    def features(self, camera: Camera) -> tuple[Features, bool]:
        """Features of a view, and whether they had to be made."""
        key = self._key(camera)
        with self._in_turn():
            features = self._store.get(key)
            if features is not None:
                return features, False
            features = self._network.encode(self._photo.view(camera))
            self._store.put(key, features)
        return features, True

    def kept(self, name: str, make: Callable[[], Features]) -> tuple[Features, bool]:
        """What else is known of the photograph, made once and kept as views are, and whether it had to be made.

        Args:
            name: Of it and of what makes it.
            make: Arrays only.
        """
        key = f"{self._digest}/{name}"
        with self._in_turn():
            features = self._store.get(key)
            if features is not None:
                return features, False
            features = make()
            self._store.put(key, features)
        return features, True

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Whoever works here does not go on before those who wait: a lock alone would be taken again by its last owner.

        Only one at a time waits for the turn itself, and the last owner has to queue up behind it.
        """
        with self._next:
            self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    def encode_ahead(self, camera: Camera) -> bool:
        """Make the features of a view unless there are some or it was tried before; whether there was work to do."""
        key = self._key(camera)
        if key in self._ahead:
            # Made before and forgotten for want of space: making it again would drive out the next one.
            return False
        self._ahead.add(key)
        return not self._store.has(key) and self.features(camera)[1]

    def write_one(self) -> bool:
        """See `FeatureStore.write_one`."""
        return self._store.write_one()

    def _key(self, camera: Camera) -> str:
        numbers = (camera.yaw, camera.pitch, camera.roll, camera.fov_x)
        place = ",".join(f"{number:.9f}" for number in numbers)
        return f"{self._digest}/{self._network.fingerprint}/{_SAMPLED}/{place}/{camera.height}x{camera.width}"

    @cached_property
    def _digest(self) -> str:
        pixels = np.ascontiguousarray(self._photo.rgb)
        return hashlib.blake2b(pixels.data, digest_size=16).hexdigest() + f"-{pixels.shape[1]}x{pixels.shape[0]}"


def size_of(features: Features) -> int:
    """Bytes of all arrays in a structure of tuples, lists and dictionaries."""
    if isinstance(features, dict):
        return sum(size_of(value) for value in features.values())
    if isinstance(features, tuple | list):
        return sum(size_of(value) for value in features)
    return int(getattr(features, "nbytes", 0))


def _flatten(value: object, arrays: list[NDArray[Any]]) -> Form:
    """A structure as JSON, its arrays replaced by their places in `arrays`."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {"dict": {name: _flatten(item, arrays) for name, item in value.items()}}
    if isinstance(value, tuple | list):
        items = [_flatten(item, arrays) for item in value]
        if isinstance(value, list):
            return {"list": items}
        kind = type(value)
        return {"tuple": items, "of": None if kind is tuple else f"{kind.__module__}:{kind.__qualname__}"}
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    raise TypeError(f"features of this network cannot be written to a file: {type(value).__name__}")


def _restored(form: Form, file: Mapping[str, NDArray[Any]]) -> Features:
    """The reverse of `_flatten`.

    Raises:
        ValueError, KeyError, TypeError, ImportError: The form is not one of `_flatten`.
    """
    if "array" in form:
        return file[f"a{int(form['array'])}"]
    if "dict" in form:
        return {name: _restored(item, file) for name, item in form["dict"].items()}
    if "list" in form:
        return [_restored(item, file) for item in form["list"]]
    if "tuple" in form:
        items = tuple(_restored(item, file) for item in form["tuple"])
        return items if form["of"] is None else _own_tuple(form["of"])(*items)
    return form["value"]


def _own_tuple(name: str) -> Callable[..., Features]:
    """A named tuple of this program; nothing else is ever called on behalf of a file."""
    module, _, kind = name.partition(":")
    found = getattr(import_module(module), kind, None) if module.startswith(_OWN_MODULES) else None
    if not (isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_fields")):
        raise ValueError(f"expected a named tuple of {_OWN_MODULES}, got {name}")
    return found
