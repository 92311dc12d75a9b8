"""What a model says about a panorama."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CAMERA_HEIGHTS = 0.01, 10_000.0
"""Metres between which a camera can stand above the ground: from a model railway to an aeroplane."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Depth, normals and classes on one ERP grid, in the photograph's frame; each may be missing.

    The grid may be smaller than the photograph; both are functions on directions and meet there (`resize_erp`).

    Attributes:
        depth: (h, w) float32, distance along the ray, NaN where unknown or far; metres when `is_metric`.
        normals: (h, w, 3) float32 unit vectors in the world frame, facing the camera; NaN where unknown.
        classes: (h, w) int16 index into `class_names`, -1 where there is none.
        class_names: ADE20K names in the order of the indices.
        far: (h, w) bool, True where the ray meets nothing at a measurable distance (sky).
        camera_height: Metres from the floor to the camera, as predicted or as set by the user; None when unknown.
        is_metric: False when depth is right only up to one factor.
        model: Name of the model in the catalogue.
        device: Where it really ran, read back from the tensors: 'cpu', 'cuda:0', ...
        seconds: Wall time of the prediction.
        native_size: (height, width) at which the network worked; the maps may have been brought to the photo's size.
        notes: What the user should know about how it was made, in sentences; usually nothing.
    """

    depth: NDArray[np.float32] | None = None
    normals: NDArray[np.float32] | None = None
    classes: NDArray[np.int16] | None = None
    class_names: tuple[str, ...] = ()
    far: NDArray[np.bool_] | None = None
    camera_height: float | None = None
    is_metric: bool = False
    model: str = ""
    device: str = ""
    seconds: float = 0.0
    native_size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shapes = {name: array.shape[:2] for name, array in self.maps().items()}
        if len(set(shapes.values())) > 1:
            raise ValueError(f"the maps of a prediction must share one grid, got {shapes}")
        for array in self.maps().values():
            array.flags.writeable = False

    def maps(self) -> dict[str, NDArray[np.generic]]:
        """The maps that are present, by name."""
        candidates = {"depth": self.depth, "normals": self.normals, "classes": self.classes, "far": self.far}
        return {name: array for name, array in candidates.items() if array is not None}

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the maps.

        Raises:
            ValueError: There is no map.
        """
        for array in self.maps().values():
            return int(array.shape[0]), int(array.shape[1])
        raise ValueError("a prediction without maps has no size")
