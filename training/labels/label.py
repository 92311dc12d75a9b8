"""A panorama labelled by teachers: views, answers, the sphere again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.geometry.camera import Camera
from core.geometry.sampling import Image
from core.geometry.warp import erp_to_camera, resize_erp
from core.models.tiled import LEAST_SEEN, DepthKind, TileReading, read_tiles
from core.progress import Progress, silent, stage
from training.config import check_limits
from training.labelled import NO_CLASS, Labelled, Patches
from training.labels.merge import (
    ClassVotes,
    MergedDepth,
    classes_of,
    merge_depth,
    merge_normals,
    without_chances,
)
from training.labels.teachers import Expert, Subject, Teacher
from training.labels.views import random_views, views_generator

F32 = NDArray[np.float32]
ASKED = 0.3
"""Share of a teacher's time in which it looks at a whole panorama, when it does; the rest are the views."""
_UNKNOWN = np.float32(np.nan)


@dataclass(frozen=True)
class LabelPlan:
    """What decides the labels of a picture, besides the picture."""

    teachers: tuple[str, ...] = ("pano-s",)
    """Who labels: models of the catalogue, folders of perspective networks, or oracle for generated worlds. Each gives
    the tasks that none before it gave."""
    height: int = 512
    """Rows of the labels; the width is twice that."""
    views: int = 32
    """Random views of each panorama, 16 or more."""
    view_size: int = 384
    """Pixels along each side of the views of a teacher that has no size of its own: whole panoramas, oracle."""
    patch_size: int = 192
    """Pixels along each side of the views that are kept for patch-wise supervision; 0 keeps none."""
    seed: int = 0
    """Decides the views of every picture, together with its content."""

    def __post_init__(self) -> None:
        sizes = {"height": (16, 4096), "view_size": (16, 2048), "patch_size": (0, 2048)}
        check_limits(self, {**sizes, "views": (16, 1024), "seed": (0, 2**63 - 1)})
        if not self.teachers:
            raise PanoError("Expected at least one teacher, got none; name a model or the oracle.")


def label_subject(
    subject: Subject, teachers: Sequence[Teacher], plan: LabelPlan, *, progress: Progress = silent
) -> Labelled:
    """What teachers say of a panorama, on its grid, with how far their views agree.

    Args:
        subject: The panorama.
        teachers: Those that the plan names, open.
        plan: How it is done.
        progress: Called as the work goes on; may raise `Cancelled`.

    Raises:
        PanoError: The photograph shows next to nothing, or a teacher cannot say anything about it.
    """
    height, width = plan.height, 2 * plan.height
    cameras = _views(subject, plan)
    whole: dict[str, Any] = {}
    patches: dict[str, Any] = {}
    for number, teacher in enumerate(teachers):
        if {"depth", "normals", "classes"} <= whole.keys():
            break
        part = stage(progress, number / len(teachers), (number + 1) / len(teachers))
        expert = teacher.expert(subject, size=plan.view_size, progress=stage(part, 0.0, ASKED))
        answers = _Answers(expert, subject, cameras, (height, width), progress=stage(part, ASKED, 1.0))
        answers.add_to(whole, patches, plan.patch_size)
    rgb, valid = subject.rgb, subject.valid
    whole |= {"rgb": resize_erp(rgb, height, width), "patches": _patches(patches, cameras, plan.patch_size)}
    if valid is not None:
        whole["valid"] = resize_erp(valid, height, width)
    # Whoever tells what is far knows best; then who names the sky; then the depth that goes on without end.
    far, far_of_depth = whole.pop("told_far", None), whole.pop("far_of_depth", None)
    if far is None and "sky" in whole.get("class_names", ()):
        far = whole["classes"] == whole["class_names"].index("sky")
    if far is None:
        far = far_of_depth
    origin = {
        "name": subject.name,
        "sha256": subject.digest,
        "teachers": [{"name": teacher.name, "sha256": teacher.version} for teacher in teachers],
        "seed": plan.seed,
    }
    return _masked(Labelled(far=far, origin=origin, **whole))


class _Answers:
    """What one expert says of all views."""

    def __init__(
        self,
        expert: Expert,
        subject: Subject,
        cameras: Sequence[Camera],
        size: tuple[int, int],
        *,
        progress: Progress,
    ) -> None:
        network = expert.network
        self._expert, self._size = expert, size
        self._votes = ClassVotes(len(network.class_names), *size) if network.class_names else None
        self._readings: list[TileReading] = []
        self._classes: list[NDArray[np.int16] | None] = []
        views = [replace(camera, height=network.size, width=network.size) for camera in cameras]
        for reading in read_tiles(network, subject.rgb, views, valid=subject.valid, progress=progress):
            if self._votes is not None:
                self._votes.add(reading)
                self._classes.append(classes_of(reading))
            self._readings.append(without_chances(reading))
        if len(self._readings) != len(cameras):
            raise ValueError(f"expected answers about {len(cameras)} views, got {len(self._readings)}")

    def add_to(self, whole: dict[str, Any], patches: dict[str, Any], patch_size: int) -> None:
        """Add the tasks that are not there yet to the maps and to the single views."""
        expert, network = self._expert, self._expert.network
        confidences: dict[str, F32] = {}
        if "depth" not in whole and network.depth_kind is not None:
            merged = self._merged_depth(network.depth_kind)
            whole |= {"depth": merged.depth, "is_metric": expert.is_metric}
            if network.depth_kind is DepthKind.INVERSE:
                whole["far_of_depth"] = merged.far
            whole |= {"camera_height": expert.camera_height, "ceiling_height": expert.ceiling_height}
            if any(reading.far is not None for reading in self._readings):
                whole["told_far"] = merged.far
            confidences["depth"] = merged.confidence
            patches |= {"depth": _kept(merged.views, patch_size), "scales": merged.scales}
        if "normals" not in whole and any(reading.normals is not None for reading in self._readings):
            whole["normals"], confidences["normals"] = merge_normals(self._readings, *self._size)
            patches["normals"] = _kept([one.normals for one in self._readings if one.normals is not None], patch_size)
        if "classes" not in whole and self._votes is not None:
            whole["classes"], confidences["classes"] = self._votes.classes()
            whole["class_names"] = network.class_names
            patches["classes"] = _kept([one for one in self._classes if one is not None], patch_size)
        if expert.can_differ:
            whole |= {f"{task}_confidence": confidence for task, confidence in confidences.items()}
        if whole.get("indoor") is None:
            whole["indoor"] = expert.indoor

    def _merged_depth(self, kind: DepthKind) -> MergedDepth:
        return merge_depth(self._readings, kind, *self._size, is_metric=self._expert.is_metric)


def _views(subject: Subject, plan: LabelPlan) -> list[Camera]:
    """The random views of a panorama, without those that see next to nothing of a partial one."""
    cameras = random_views(plan.views, max(plan.patch_size, 64), views_generator(plan.seed, subject.digest))
    if subject.valid is None:
        return list(cameras)
    # Well above what `read_tiles` leaves out, whose views may have other pixels.
    seen = [camera for camera in cameras if erp_to_camera(subject.valid, camera).mean() > 3 * LEAST_SEEN]
    if not seen:
        raise PanoError(
            "Expected a photograph of a part of the sphere that can be seen, got next to none; leave it out."
        )
    return seen


def _patches(maps: dict[str, Any], cameras: Sequence[Camera], patch_size: int) -> Patches | None:
    if not patch_size:
        return None
    return Patches(tuple(replace(camera, height=patch_size, width=patch_size) for camera in cameras), **maps)


def _kept(views: Sequence[Image], size: int) -> Image:
    """(n, size, size, ...) the nearest pixels of square views: no value arises between two surfaces."""
    if not size:
        return np.empty((0,))
    kept = []
    for view in views:
        at = ((np.arange(size) + 0.5) * (len(view) / size)).astype(np.int64)
        kept.append(view[at[:, None], at])
    return np.stack(kept)


def _masked(labelled: Labelled) -> Labelled:
    """Nothing is known where the photograph saw nothing, and nothing has a distance that is far."""
    blind = np.zeros(labelled.size, np.bool_) if labelled.valid is None else ~labelled.valid
    changes: dict[str, Any] = {}
    if labelled.far is not None:
        changes["far"] = labelled.far & ~blind
    nowhere = changes.get("far", blind) | blind
    if labelled.depth is not None:
        changes["depth"] = np.where(nowhere, _UNKNOWN, labelled.depth)
        if not labelled.is_metric:
            median = float(np.nanmedian(changes["depth"])) if np.isfinite(changes["depth"]).any() else 1.0
            changes |= _divided(labelled, changes["depth"], median)
    if labelled.normals is not None:
        changes["normals"] = np.where(nowhere[..., None], _UNKNOWN, labelled.normals)
    if labelled.classes is not None:
        changes["classes"] = np.where(blind, np.int16(NO_CLASS), labelled.classes)
    unknown = {"depth": nowhere, "normals": nowhere, "classes": blind}
    for task, where in unknown.items():
        confidence = getattr(labelled, f"{task}_confidence")
        if confidence is not None:
            changes[f"{task}_confidence"] = np.where(where, np.float32(0), confidence)
    return replace(labelled, **changes)


def _divided(labelled: Labelled, depth: F32, by: float) -> dict[str, Any]:
    """Depth in another unit, on the sphere and in the views."""
    if not (math.isfinite(by) and by > 0):
        return {}
    patches = labelled.patches
    if patches is not None and patches.depth is not None:
        patches = replace(patches, depth=(patches.depth / np.float32(by)))
    return {"depth": (depth / np.float32(by)).astype(np.float32), "patches": patches}
