"""Meshes as Wavefront OBJ with a material and a texture. Source: Wavefront, Object Files (.obj), version 3.0, 1989."""

from __future__ import annotations

from pathlib import PurePath
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.export.beside import Beside, facts_name
from core.export.fields import CHUNK
from core.export.frames import frame_rotation, turned_axes
from core.export.jpeg import jpeg_bytes
from core.export.provenance import comment_lines, write_beside
from core.mesh import Mesh
from core.progress import Progress, silent

ROWS = CHUNK // 8
"""Lines that are made at once."""


def material_name(name: str) -> str:
    """The name of the material's file beside an OBJ; without blanks, at which readers end a name."""
    return f"{_plain(name)}.mtl"


def texture_name(name: str) -> str:
    """The name of the texture beside an OBJ; never that of the photograph."""
    return f"{_plain(name)}.texture.jpg"


def _plain(name: str) -> str:
    return "_".join(PurePath(name).stem.split())


def write(mesh: Mesh, stream: BinaryIO, *, name: str, frame: str = "z-up", progress: Progress = silent) -> None:
    """Text: points to a hundredth of a millimetre, places in the texture, triangles; comments as in PLY.

    Points at the seam and at the poles are shared by their triangles and have several places in the texture.

    Args:
        mesh: The triangles.
        stream: Open for writing.
        name: Of the file itself, after which the material is named.
        frame: One of `core.cloud.FRAME_NAMES`.
        progress: Hears of lines.

    Raises:
        ExportError: There is no such frame.
    """
    rotation = frame_rotation(frame, mesh.cloud)
    lines = [f"# {line}" for line in comment_lines(mesh.cloud, frame)]
    stream.write(
        "\n".join([*lines, f"mtllib {material_name(name)}", "usemtl photo", ""]).encode(errors="surrogateescape")
    )
    places = np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], axis=-1)
    corners = mesh.faces + 1
    points = mesh.corners[mesh.faces] + 1
    tables: tuple[tuple[str, NDArray[np.generic]], ...] = (
        ("v %.5f %.5f %.5f\n", turned_axes(mesh.cloud.points, rotation)),
        ("vt %.7f %.7f\n", places),
        ("f %d/%d %d/%d %d/%d\n", np.stack([points, corners], axis=-1).reshape(-1, 6)),
    )
    total, done = sum(len(table) for _, table in tables), 0
    for pattern, table in tables:
        for start in range(0, len(table), ROWS):
            progress(done, total)
            part = table[start : start + ROWS]
            stream.write((pattern * len(part) % tuple(part.reshape(-1).tolist())).encode())
            done += len(part)


def write_material(_mesh: Mesh, stream: BinaryIO, *, name: str, **_about: object) -> None:
    """The photograph, lit by nothing but itself."""
    lines = ["newmtl photo", "Ka 0 0 0", "Kd 1 1 1", "illum 0", f"map_Kd {texture_name(name)}", ""]
    stream.write("\n".join(lines).encode(errors="surrogateescape"))


def write_texture(mesh: Mesh, stream: BinaryIO, **_about: object) -> None:
    """The photograph as JPEG."""
    stream.write(jpeg_bytes(mesh.texture))


def write_facts(mesh: Mesh, stream: BinaryIO, *, name: str, frame: str = "z-up") -> None:
    """The JSON beside it; OBJ has no place for a frame or a unit."""
    write_beside(mesh.cloud, stream, frame=frame, name=name)


BESIDE = (
    Beside(material_name, write_material),
    Beside(texture_name, write_texture),
    Beside(facts_name, write_facts),
)
