"""Worlds in WebDataset shards: tar files whose members are the parts of samples, KEY.part.

A sample is KEY.rgb.png, KEY.depth.npy (float16 metres, NaN far), KEY.normals.npy (int8 / 127, zero far),
KEY.classes.png, KEY.instances.png (16 bits), KEY.edges.png, KEY.far.png and KEY.json. Whatever reads tar files reads
them; here a world in a shard has a path as if the shard were a folder, SHARD.tar/KEY.npz, and is read by `read_sample`
as a file would be.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.io.atomic import atomic_file
from training.archives import BROKEN, why_broken
from training.worlds.classes import CLASS_NAMES

SUFFIX = ".tar"
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 3)
_MAPS = ("classes", "instances", "edges", "far")


def world_files(folder: Path) -> list[Path]:
    """The worlds and labelled panoramas of a folder: files, and members of shards as paths into them, by name."""
    members = [path / f"{key}.npz" for path in sorted(folder.glob(f"*{SUFFIX}")) for key in shard_keys(path)]
    return sorted([*folder.glob("*.npz"), *members], key=lambda path: (path.stem, path.parts))


def in_shard(path: Path) -> bool:
    """Whether a path leads into a shard, and not into a folder that is called like one."""
    return path.parent.suffix == SUFFIX and not path.parent.is_dir()


def shard_keys(path: Path) -> list[str]:
    """The keys of a shard's samples, in its order.

    Raises:
        PanoError: It is no shard, or is cut off.
    """
    return list(_index(path))


def write_shard(samples: Iterable[tuple[str, dict[str, NDArray[Any]]]], path: Path) -> None:
    """Store samples as a shard, whole or not at all; the same samples make the same bytes.

    Args:
        samples: Keys, and the fields of worlds as `pack_sample` makes them.
        path: NAME.tar.

    Raises:
        ExportError: The file cannot be written.
    """
    with atomic_file(path) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for key, fields in samples:
            for part, data in _parts(fields):
                # Time, owner and rights are left at nothing, so that bytes depend on samples alone.
                member = tarfile.TarInfo(f"{key}.{part}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def read_member(path: Path) -> dict[str, NDArray[Any]]:
    """The fields of a world in a shard, as `write_shard` took them.

    Args:
        path: SHARD.tar/KEY.npz.

    Raises:
        PanoError: There is no such shard or sample, or it is broken.
    """
    parts = _stored(path)
    fields: dict[str, NDArray[Any]] = {}
    try:
        facts = json.loads(parts["json"])
        fields["rgb"] = _picture(parts["rgb.png"])[..., ::-1]
        for name in ("depth", "normals"):
            fields[name] = np.load(io.BytesIO(parts[f"{name}.npy"]), allow_pickle=False)
        for name in _MAPS:
            if f"{name}.png" in parts:
                fields[name] = _picture(parts[f"{name}.png"])
        for name in ("far", "edges"):
            if name in fields:
                fields[name] = fields[name] > 0
        ceiling = facts["ceiling_height"]
        fields["camera_height"] = np.array(facts["camera_height"])
        fields["ceiling_height"] = np.array(np.nan if ceiling is None else ceiling)
        fields["indoor"], fields["seed"] = np.array(facts["indoor"]), np.array(facts["seed"])
    except BROKEN as error:
        raise _broken(path, error) from error
    return fields


def member_sha256(path: Path) -> str:
    """SHA-256 of a world in a shard in hexadecimal: of its parts one after the other, by name.

    Args:
        path: SHARD.tar/KEY.npz.

    Raises:
        PanoError: There is no such shard or sample, or it is broken.
    """
    digest = hashlib.sha256()
    for part, data in sorted(_stored(path).items()):
        digest.update(f"{part} {len(data)} ".encode() + data)
    return digest.hexdigest()


def _stored(path: Path) -> dict[str, bytes]:
    """The parts of a world in a shard by name."""
    shard = path.parent
    where = _index(shard).get(path.stem)
    if where is None:
        raise PanoError(f"Expected the world {path.stem} in a shard, got none; choose another: {shard}")
    try:
        with shard.open("rb") as stream:
            return {part: _read(stream, *place) for part, place in where.items()}
    except (OSError, EOFError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> PanoError:
    return PanoError(
        f"Expected a world in a shard, got a broken one ({why_broken(error)}); make the shard again: {path}"
    )


def _parts(fields: dict[str, NDArray[Any]]) -> Iterable[tuple[str, bytes]]:
    yield "rgb.png", _png(fields["rgb"][..., ::-1])
    for name in ("depth", "normals"):
        stream = io.BytesIO()
        np.save(stream, fields[name], allow_pickle=False)
        yield f"{name}.npy", stream.getvalue()
    for name in _MAPS:
        if name in fields:
            values = fields[name]
            yield f"{name}.png", _png(values.astype(np.uint8) * 255 if values.dtype == np.bool_ else values)
    ceiling = float(fields["ceiling_height"])
    facts = {
        "seed": int(fields["seed"]),
        "indoor": bool(fields["indoor"]),
        "camera_height": float(fields["camera_height"]),
        "ceiling_height": ceiling if np.isfinite(ceiling) else None,
        "class_names": CLASS_NAMES,
    }
    yield "json", json.dumps(facts).encode()


def _png(values: NDArray[Any]) -> bytes:
    _, data = cv2.imencode(".png", np.ascontiguousarray(values), _PNG)
    return data.tobytes()


def _picture(data: bytes) -> NDArray[Any]:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError("a member is no picture")
    return picture


def _read(stream: io.BufferedReader, offset: int, size: int) -> bytes:
    stream.seek(offset)
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("the shard is cut off")
    return data


def _index(path: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Where the parts of every sample lie: offset and size by key and part."""
    try:
        status = path.stat()
        return _index_of(path, status.st_mtime_ns, status.st_size)
    except (OSError, tarfile.TarError) as error:
        raise PanoError(f"Expected a shard of worlds, got a file that cannot be read ({error}): {path}") from error


@lru_cache(maxsize=4096)
def _index_of(path: Path, _changed: int, _size: int) -> dict[str, dict[str, tuple[int, int]]]:
    index: dict[str, dict[str, tuple[int, int]]] = {}
    with tarfile.open(path, mode="r:") as tar:
        for member in tar:
            key, _, part = member.name.partition(".")
            index.setdefault(key, {})[part] = (member.offset_data, member.size)
    return index
