"""SceneBuilder: parts with materials and labels become one triangle soup with a texture frame per triangle.

Ground frame: x right, y down, z forward, the ground is y = 0, so a height above it is -y. A yaw turns to the right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import cos, sin
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.worlds.classes import CLASS_NAMES, UNLABELLED
from training.worlds.materials import Material
from training.worlds.meshes import (
    Float,
    Indices,
    cylinder_template,
    sphere_template,
    texture_frames,
    triangle_normals,
    triangulate,
)

Piece = tuple[Float, Indices, Float, Float, Float]

_LABELS = {name: index for index, name in enumerate(CLASS_NAMES)}
_BOX_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (0.0, -1.0) for z in (-0.5, 0.5)])
_BOX_TRIANGLES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Geometry:
    """A finished scene: n triangles over v vertices, ground frame.

    Attributes:
        vertices: (v, 3) float32 metres.
        triangles: (n, 3) uint32 indices of vertices.
        normals: (n, 3) float32 unit normals, of either sign.
        texture_u, texture_v: (n, 4) float32; a texture coordinate is ``(x, y, z, 1) . row``, one repeat per unit.
        materials: The materials in use.
        material: (n,) int32 index of the material.
        label: (n,) uint8 class, 255 unlabelled.
        instance: (n,) uint16, 0 for structure.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    normals: NDArray[np.float32]
    texture_u: NDArray[np.float32]
    texture_v: NDArray[np.float32]
    materials: tuple[Material, ...]
    material: NDArray[np.int32]
    label: NDArray[np.uint8]
    instance: NDArray[np.uint16]


class SceneBuilder:
    """Collects the parts of one world.

    Every method takes ``material``, ``label`` (a class name, None: unlabelled) and ``instance`` (None: 0, structure).
    Between `placed` brackets, coordinates are those of the placed object.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._materials: dict[int, tuple[int, Material]] = {}
        self._instances = 0
        self._frame = (0.0, 0.0, 0.0, 0.0)
        self._boxes: list[tuple[float, ...]] = []
        self._chunks: list[tuple[Float, NDArray[np.int64], NDArray[np.float64]]] = []
        self._fitted: list[tuple[Float, tuple[float, ...]]] = []

    def new_instance(self) -> int:
        """A fresh instance number, from 1."""
        self._instances += 1
        return self._instances

    def tag(self, label: str | None) -> dict[str, Any]:
        """Keyword arguments for the parts of one new object: its label and a fresh instance number."""
        return {"label": label, "instance": self.new_instance()}

    @contextmanager
    def placed(self, x: float, z: float, *, yaw: float = 0.0, bottom: float = 0.0) -> Iterator[None]:
        """Within the bracket, local (0, 0, 0) lies at (x, z) on height `bottom` and local z points to `yaw`; nests."""
        outer = self._frame
        x0, z0, bottom0, yaw0 = outer
        self._frame = (
            x0 + x * cos(yaw0) + z * sin(yaw0),
            z0 - x * sin(yaw0) + z * cos(yaw0),
            bottom0 + bottom,
            yaw0 + yaw,
        )
        try:
            yield
        finally:
            self._frame = outer

    def to_ground(self, points: ArrayLike) -> Float:
        """(..., 3) points of the current local frame in the ground frame."""
        points = np.asarray(points, np.float64)
        x0, z0, bottom, yaw = self._frame
        c, s = cos(yaw), sin(yaw)
        turned = np.empty_like(points)
        turned[..., 0] = x0 + c * points[..., 0] + s * points[..., 2]
        turned[..., 1] = points[..., 1] - bottom
        turned[..., 2] = z0 - s * points[..., 0] + c * points[..., 2]
        return turned

    def mesh(
        self,
        vertices: ArrayLike,
        triangles: ArrayLike,
        material: Material,
        *,
        label: str | None = None,
        instance: int | None = None,
    ) -> None:
        """Any triangles: (n, 3) vertices, (m, 3) indices."""
        tag = (*self._tag(material, label, instance), self._frame[3])
        self._chunks.append((self.to_ground(vertices), np.asarray(triangles, np.int64).reshape(-1, 3), np.array(tag)))

    def box(
        self,
        center_xz: Sequence[float],
        size: Sequence[float],
        material: Material,
        *,
        bottom: float = 0.0,
        yaw: float = 0.0,
        label: str | None = None,
        instance: int | None = None,
    ) -> None:
        """A box with its centre at (x, z) and size (width along x, height, depth along z) before the turn."""
        x0, z0, bottom0, yaw0 = self._frame
        c, s = cos(yaw0), sin(yaw0)
        x, z = center_xz
        place = (x0 + c * x + s * z, bottom0 + bottom, z0 - s * x + c * z, size[0], size[1], size[2], yaw0 + yaw)
        self._boxes.append((*place, *self._tag(material, label, instance)))

    def cylinder(
        self,
        center_xz: Sequence[float],
        radius: float,
        height: float,
        material: Material,
        *,
        bottom: float = 0.0,
        top_radius: float | None = None,
        sides: int = 16,
        label: str | None = None,
        instance: int | None = None,
    ) -> None:
        """An upright cylinder, or a frustum if the top's radius differs; closed at both ends."""
        ring, triangles = cylinder_template(sides)
        vertices = ring.copy()
        upper = vertices[:, 1] < -0.5
        vertices[upper, 0::2] *= radius if top_radius is None else top_radius
        vertices[~upper, 0::2] *= radius
        vertices[:, 1] = vertices[:, 1] * height - bottom
        vertices[:, 0] += center_xz[0]
        vertices[:, 2] += center_xz[1]
        self.mesh(vertices, triangles, material, label=label, instance=instance)

    def sphere(
        self,
        center: Sequence[float],
        radii: float | Sequence[float],
        material: Material,
        *,
        label: str | None = None,
        instance: int | None = None,
        fine: bool = False,
    ) -> None:
        """An ellipsoid of few triangles about (x, height, z) with half axes along x, up, z."""
        unit, triangles = sphere_template(12 if fine else 8)
        axes = np.broadcast_to(np.asarray(radii, np.float64), 3)
        vertices = unit * axes + (center[0], -center[1], center[2])
        self.mesh(vertices, triangles, material, label=label, instance=instance)

    def horizontal_polygon(
        self,
        outline_xz: ArrayLike,
        height: float,
        material: Material,
        *,
        label: str | None = None,
        instance: int | None = None,
    ) -> None:
        """A flat simple polygon at a height."""
        outline = np.asarray(outline_xz, np.float64)
        vertices = np.insert(outline, 1, -height, axis=1)
        self.mesh(vertices, triangulate(outline), material, label=label, instance=instance)

    def quad(
        self,
        corners: ArrayLike,
        material: Material,
        *,
        label: str | None = None,
        instance: int | None = None,
        fit: bool = False,
    ) -> None:
        """One quadrilateral of (4, 3) corners in turn.

        Args:
            corners: The first is the texture's upper left corner, the second its upper right.
            material: Its material.
            label: Class name.
            instance: Object number.
            fit: Stretch one repeat of the pattern over the quadrilateral, for pictures and screens.
        """
        corners = np.asarray(corners, np.float64)
        if fit:
            self._fitted.append((self.to_ground(corners), self._tag(material, label, instance)))
        else:
            self.mesh(corners, [[0, 1, 2], [0, 2, 3]], material, label=label, instance=instance)

    def quads(
        self, corners: ArrayLike, material: Material, *, label: str | None = None, instance: int | None = None
    ) -> None:
        """Many quadrilaterals at once: (n, 4, 3) corners."""
        corners = np.asarray(corners, np.float64)
        first = 4 * np.arange(len(corners))[:, None]
        triangles = np.concatenate([np.add(first, (0, 1, 2)), np.add(first, (0, 2, 3))])
        self.mesh(corners.reshape(-1, 3), triangles, material, label=label, instance=instance)

    def build(self) -> Geometry:
        """Everything collected so far as one triangle soup."""
        materials = tuple(material for _, material in self._materials.values())
        pieces = [self._expand_boxes()] if self._boxes else []
        pieces += [self._expand_chunks()] if self._chunks else []
        pieces += [self._expand_fitted()] if self._fitted else []
        if not pieces:
            raise ValueError("a scene needs at least one part, got none")
        starts = np.cumsum([0] + [len(piece[0]) for piece in pieces])
        vertices = np.concatenate([piece[0] for piece in pieces])
        triangles = np.concatenate([piece[1] + start for piece, start in zip(pieces, starts, strict=False)])
        normals = np.concatenate([piece[2] for piece in pieces])
        frames = np.concatenate([piece[3] for piece in pieces])
        tags = np.concatenate([piece[4] for piece in pieces]).astype(np.int64)
        # A triangle without area has no normal and cannot be hit.
        keep = np.isfinite(normals[:, 0])
        return Geometry(
            vertices=vertices.astype(np.float32),
            triangles=np.ascontiguousarray(triangles[keep], np.uint32),
            normals=np.ascontiguousarray(normals[keep], np.float32),
            texture_u=np.ascontiguousarray(frames[keep, 0], np.float32),
            texture_v=np.ascontiguousarray(frames[keep, 1], np.float32),
            materials=materials,
            material=tags[keep, 0].astype(np.int32),
            label=tags[keep, 1].astype(np.uint8),
            instance=tags[keep, 2].astype(np.uint16),
        )

    def _tag(self, material: Material, label: str | None, instance: int | None) -> tuple[float, float, float]:
        # Keyed by identity, and the material is held so that its id stays taken.
        index, _ = self._materials.setdefault(id(material), (len(self._materials), material))
        return index, UNLABELLED if label is None else _LABELS[label], instance or 0

    def _scales(self) -> Float:
        return np.array([material.scale for _, material in self._materials.values()])

    def _expand_boxes(self) -> Piece:
        table = np.array(self._boxes, np.float64)
        count = len(table)
        place, size, yaw, tags = table[:, :3], table[:, 3:6], table[:, 6], table[:, 7:10]
        local = _BOX_CORNERS[None] * size[:, None]
        c, s = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
        vertices = np.empty((count, 8, 3))
        vertices[..., 0] = place[:, None, 0] + c * local[..., 0] + s * local[..., 2]
        vertices[..., 1] = local[..., 1] - place[:, None, 1]
        vertices[..., 2] = place[:, None, 2] - s * local[..., 0] + c * local[..., 2]
        triangles = (_BOX_TRIANGLES[None] + 8 * np.arange(count)[:, None, None]).reshape(-1, 3)
        flat = vertices.reshape(-1, 3)
        # Grain runs along the longer side of a horizontal face, so the frame of a deep box is a quarter turn on.
        grain = yaw + np.where(size[:, 2] > size[:, 0], np.pi / 2, 0.0)
        spread = np.repeat(np.arange(count), 12)
        offsets = self._rng.random((count, 2))[spread]
        normals, frames = texture_frames(
            flat, triangles, grain[spread], self._scales()[tags[:, 0].astype(int)][spread], offsets
        )
        return flat, triangles, normals, frames, tags[spread]

    def _expand_chunks(self) -> Piece:
        counts = np.array([len(triangles) for _, triangles, _ in self._chunks])
        starts = np.cumsum([0] + [len(vertices) for vertices, _, _ in self._chunks])
        vertices = np.concatenate([vertices for vertices, _, _ in self._chunks])
        triangles = np.concatenate(
            [triangles + start for (_, triangles, _), start in zip(self._chunks, starts, strict=False)]
        )
        spread = np.repeat(np.arange(len(counts)), counts)
        tags = np.stack([tag for _, _, tag in self._chunks])[spread]
        offsets = self._rng.random((len(counts), 2))[spread]
        normals, frames = texture_frames(
            vertices, triangles, tags[:, 3], self._scales()[tags[:, 0].astype(int)], offsets
        )
        return vertices, triangles, normals, frames, tags[:, :3]

    def _expand_fitted(self) -> Piece:
        corners = np.stack([corners for corners, _ in self._fitted])
        count = len(corners)
        triangles = (np.array([[0, 1, 2], [0, 2, 3]])[None] + 4 * np.arange(count)[:, None, None]).reshape(-1, 3)
        frames = np.zeros((count, 2, 4))
        for row, edge in enumerate((corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0])):
            along = edge / np.maximum(np.sum(edge * edge, 1, keepdims=True), 1e-12)
            frames[:, row, :3] = along
            frames[:, row, 3] = -np.sum(along * corners[:, 0], 1)
        flat = corners.reshape(-1, 3)
        tags = np.array([tag for _, tag in self._fitted])
        return (
            flat,
            triangles,
            triangle_normals(flat, triangles),
            np.repeat(frames, 2, axis=0),
            np.repeat(tags, 2, axis=0),
        )
