"""Whose a file of points or triangles is: the name of the photograph that it tells of, in any of our formats."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import unescape

import numpy as np

from core.export.beside import facts_name
from core.export.e57 import FILE_HEADER, PAGE, PAYLOAD
from core.export.las import RECORD, USER

_MOST = 1 << 24
"""Bytes of facts that are looked at; ours have a few thousand."""
_START_OF_FACTS, _END_OF_FACTS = '<pano:facts type="String">', "</pano:facts>"


def is_of_another(path: Path, source: Path) -> bool:
    """True where a file tells of a photograph of another name; the same name may be a newer version of it."""
    name = told_source(path)
    return name is not None and name != source.name


def told_source(path: Path) -> str | None:
    """The name of the photograph that `core.export` has written into a file, or beside it.

    Args:
        path: Of any of the formats of points and triangles; it need not be there.

    Returns:
        None where there is no such file, or it says nothing of a photograph: damaged, or of another program.
    """
    read = _READERS.get(path.suffix.lower(), _beside)
    try:
        name = read(path) if path.is_file() else None
    except Exception:  # whatever a file that is not ours makes a reader raise: it tells of no photograph
        return None
    return name if isinstance(name, str) else None


def _beside(path: Path) -> Any:  # noqa: ANN401
    with path.with_name(facts_name(path.name)).open("rb") as stream:
        return json.loads(stream.read(_MOST))["source"]


def _ply(path: Path) -> str | None:
    with path.open("rb") as stream:
        header = stream.read(_MOST).partition(b"end_header")[0]
    for line in header.splitlines():
        if line.startswith(b"comment source="):
            return line.partition(b"=")[2].decode("unicode_escape")
    return None


def _las(path: Path) -> Any:  # noqa: ANN401
    import laspy

    with laspy.open(path) as reader:
        records = [*reader.header.vlrs, *(reader.header.evlrs or ())]
    return next(
        json.loads(record.record_data_bytes())["source"]
        for record in records
        if (record.user_id, record.record_id) == (USER, RECORD)
    )


def _e57(path: Path) -> Any:  # noqa: ANN401
    with path.open("rb") as stream:
        *_, start, length, page = FILE_HEADER.unpack(stream.read(FILE_HEADER.size))
        if page != PAGE or length > _MOST:
            return None
        stream.seek(start // PAGE * PAGE)
        pages = stream.read((length // PAYLOAD + 2) * PAGE)
    payload = b"".join(pages[at : at + PAYLOAD] for at in range(0, len(pages), PAGE))
    text = payload[start % PAGE :][:length].decode()
    facts = text.partition(_START_OF_FACTS)[2].partition(_END_OF_FACTS)[0]
    return json.loads(unescape(facts))["source"]


def _npz(path: Path) -> Any:  # noqa: ANN401
    with np.load(path, allow_pickle=False) as archive:
        return json.loads(str(archive["meta"]))["source"]


def _glb(path: Path) -> Any:  # noqa: ANN401
    with path.open("rb") as stream:
        _, _, _, length, _ = struct.unpack("<4sIII4s", stream.read(20))
        return json.loads(stream.read(min(length, _MOST)))["asset"]["extras"]["source"]


_READERS: dict[str, Callable[[Path], Any]] = {
    ".ply": _ply,
    ".las": _las,
    ".laz": _las,
    ".e57": _e57,
    ".npz": _npz,
    ".glb": _glb,
}
"""How each format tells it; the others have a JSON beside them."""
