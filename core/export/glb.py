"""Meshes as binary glTF. Source: Khronos Group, glTF 2.0 Specification, 2021, and its KHR_materials_unlit."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.errors import ExportError
from core.export.fields import CHUNK
from core.export.frames import frame_rotation, turned_axes
from core.export.jpeg import jpeg_bytes
from core.export.provenance import cloud_meta, json_bytes
from core.mesh import Mesh
from core.progress import Progress, silent

FRAME = "gltf"
FLOAT, UNSIGNED = 5126, 5125
ARRAY_BUFFER, ELEMENT_BUFFER = 34962, 34963
LINEAR, MIPMAPS, REPEAT, CLAMP = 9729, 9987, 10497, 33071


def write(mesh: Mesh, stream: BinaryIO, *, frame: str = FRAME, progress: Progress = silent) -> None:
    """One GLB: positions, places in the texture, triangles, the photograph as JPEG on an unlit one-sided material.

    The texture repeats across the seam. Unit, source and all else that is known stand in the extras of `asset`.

    Args:
        mesh: The triangles.
        stream: Open for writing.
        frame: glTF files are y up and z towards the viewer by definition.
        progress: Hears of triangles.

    Raises:
        ExportError: Another frame is wanted.
    """
    if frame != FRAME:
        raise ExportError(f"A glTF file is y up by definition, its frame is {FRAME}; got {frame}, choose OBJ for that.")
    points = turned_axes(mesh.cloud.points, frame_rotation(frame, mesh.cloud))[mesh.corners]
    picture = jpeg_bytes(mesh.texture)
    blocks: list[Any] = [points, mesh.uv, mesh.faces.astype("<u4"), np.frombuffer(picture, np.uint8)]
    header = json_bytes(_document(mesh, points, [block.nbytes for block in blocks]))
    header += b" " * (-len(header) % 4)
    body = sum(_padded(block.nbytes) for block in blocks)
    stream.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(header) + 8 + body))
    stream.write(struct.pack("<I4s", len(header), b"JSON") + header)
    stream.write(struct.pack("<I4s", body, b"BIN\0"))
    for block in blocks:
        data = np.ascontiguousarray(block).reshape(-1)
        for start in range(0, len(data), 8 * CHUNK):
            progress(0, 1)
            stream.write(data[start : start + 8 * CHUNK].data)
        stream.write(bytes(_padded(block.nbytes) - block.nbytes))
    progress(1, 1)


def _padded(size: int) -> int:
    """Every block begins at a multiple of four bytes."""
    return size + -size % 4


def _document(mesh: Mesh, points: NDArray[np.float32], sizes: list[int]) -> dict[str, Any]:
    starts = np.cumsum([0, *(_padded(size) for size in sizes)]).tolist()
    views: list[dict[str, int]] = [
        {"buffer": 0, "byteOffset": start, "byteLength": size} for start, size in zip(starts, sizes, strict=False)
    ]
    for view, target in zip(views, (ARRAY_BUFFER, ARRAY_BUFFER, ELEMENT_BUFFER), strict=False):
        view["target"] = target
    source = mesh.cloud.source
    name = "panorama" if source is None else source.stem
    return {
        "asset": {"version": "2.0", "generator": "PanoViewer", "extras": cloud_meta(mesh.cloud, FRAME)},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [
            {
                "name": name,
                "primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}],
            }
        ],
        "materials": [
            {
                "name": "photo",
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0.0,
                    "roughnessFactor": 1.0,
                },
                "extensions": {"KHR_materials_unlit": {}},
            }
        ],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"magFilter": LINEAR, "minFilter": MIPMAPS, "wrapS": REPEAT, "wrapT": CLAMP}],
        "images": [{"bufferView": 3, "mimeType": "image/jpeg", "name": "photo"}],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": FLOAT,
                "count": len(points),
                "type": "VEC3",
                "min": points.min(axis=0).tolist(),
                "max": points.max(axis=0).tolist(),
            },
            {"bufferView": 1, "componentType": FLOAT, "count": len(points), "type": "VEC2"},
            {"bufferView": 2, "componentType": UNSIGNED, "count": mesh.faces.size, "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": starts[-1]}],
    }
