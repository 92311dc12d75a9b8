"""Rays against a built scene, by Embree: what is seen, through which pane, and what casts a shadow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.worlds.builder import Geometry


@dataclass(frozen=True, eq=False)
class Hits:
    """What n rays meet.

    Attributes:
        surface: (n,) int64 triangle that gives the colour, -1 for sky; behind a pane, what is seen through it.
        surface_range: (n,) float32 metres, inf for sky.
        front: (n,) int64 triangle that is met first, panes included, -1 for sky.
        front_range: (n,) float32 metres, inf for sky.
        through_pane: (n,) bool, surface and front differ.
    """

    surface: NDArray[np.int64]
    surface_range: NDArray[np.float32]
    front: NDArray[np.int64]
    front_range: NDArray[np.float32]
    through_pane: NDArray[np.bool_]


class Tracer:
    """Rays against one geometry; one thread, so that results repeat bit for bit."""

    def __init__(self, geometry: Geometry) -> None:
        glass = np.array([material.glass for material in geometry.materials])
        glows = np.array([max(material.emission) > 0 for material in geometry.materials])
        # Panes and lamps throw no shadow: the light that they pass on or give off is sampled elsewhere.
        ghost = (glass | glows)[geometry.material]
        self._is_glass = glass[geometry.material]
        self._solid, self._solid_ids = _raycasting_scene(geometry, ~ghost)
        self._ghost, self._ghost_ids = _raycasting_scene(geometry, ghost)

    def trace(self, origins: NDArray[np.float32], directions: NDArray[np.float32]) -> Hits:
        """What rays from (n, 3) or (3,) origins along (n, 3) unit directions meet."""
        rays = _rays(origins, directions)
        surface, surface_range = _cast(self._solid, self._solid_ids, rays)
        ghost, ghost_range = _cast(self._ghost, self._ghost_ids, rays)
        nearer = ghost_range < surface_range
        front = np.where(nearer, ghost, surface)
        front_range = np.where(nearer, ghost_range, surface_range)
        through_pane = nearer & self._is_glass[ghost]
        return Hits(
            surface=np.where(through_pane, surface, front),
            surface_range=np.where(through_pane, surface_range, front_range),
            front=front,
            front_range=front_range,
            through_pane=through_pane,
        )

    def trace_solid(
        self, origins: NDArray[np.float32], directions: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Triangle (n,), -1 for none, and range (n,) of the first solid surface; panes and lamps are not there."""
        return _cast(self._solid, self._solid_ids, _rays(origins, directions))

    def is_blocked(
        self, origins: NDArray[np.float32], directions: NDArray[np.float32], *, until: float
    ) -> NDArray[np.bool_]:
        """Whether a solid surface lies on the first `until` lengths of (n, 3) directions of any length."""
        if self._solid is None or len(origins) == 0:
            return np.zeros(len(origins), bool)
        blocked = self._solid.test_occlusions(_tensor(_rays(origins, directions)), tnear=0.0, tfar=until, nthreads=1)
        result: NDArray[np.bool_] = blocked.numpy()
        return result


def _rays(origins: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.float32]:
    rays = np.empty((len(directions), 6), np.float32)
    rays[:, :3] = origins
    rays[:, 3:] = directions
    return rays


def _tensor(array: NDArray[np.float32]) -> Any:  # noqa: ANN401  open3d is imported lazily and has no types
    import open3d as o3d

    return o3d.core.Tensor.from_numpy(array)


def _raycasting_scene(geometry: Geometry, keep: NDArray[np.bool_]) -> tuple[Any, NDArray[np.int64]]:
    import open3d as o3d

    ids = np.flatnonzero(keep)
    if len(ids) == 0:
        return None, ids
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(geometry.vertices),
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(geometry.triangles[keep])),
    )
    return scene, ids


def _cast(
    scene: Any,  # noqa: ANN401
    ids: NDArray[np.int64],
    rays: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    if scene is None or len(rays) == 0:
        return np.full(len(rays), -1, np.int64), np.full(len(rays), np.inf, np.float32)
    answer = scene.cast_rays(_tensor(rays), nthreads=1)
    distance = answer["t_hit"].numpy()
    hit = np.isfinite(distance)
    triangle = np.full(len(rays), -1, np.int64)
    triangle[hit] = ids[answer["primitive_ids"].numpy()[hit]]
    return triangle, distance
