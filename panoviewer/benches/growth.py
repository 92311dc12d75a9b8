"""How time and memory grow with the size of the panorama."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from PIL import Image

from core.export import export
from core.geometry.camera import Camera
from core.geometry.merge import merge_tiles
from core.geometry.normals import normals_from_depth
from core.geometry.points import points_from_depth
from core.geometry.tiling import zigzag_tiles
from core.geometry.warp import erp_to_camera
from core.io.images import read_panorama
from core.io.memory import default_memory_budget, format_bytes
from core.prediction import Prediction
from core.pyramid import Pyramid
from panoviewer.benches.geometry import VIEW_PX, YAW_STEP, cloud_of
from panoviewer.benches.measuring import Work, peak_bytes, seconds, threads
from panoviewer.benches.pictures import room_depth, sample_panorama
from panoviewer.benches.rows import Plan, Row, Sample, Unit, sample_of, size_text

FACTORS = (0.5, 1.0, 2.0, 4.0)
"""Of the reference width: from 2K to 16K."""
NEEDED_BYTES = 90
"""Per pixel, by the largest of the tasks, with what it works on."""
FILE_BYTES = 28
"""Per pixel, by the largest file."""
EXPECTED = "from the size before"
"""What a row is held against: the same as before for what does not grow, and as the pixels for everything else."""


@dataclass(frozen=True)
class _Task:
    """What is repeated at every size; `grows` is False for what should take the same at each."""

    name: str
    work: Work
    grows: bool = True


def measure(plan: Plan, tell: Callable[[str], None]) -> Iterator[Row]:
    """Rows by task, from the smallest panorama to the largest, each beside what the one before leads to expect."""
    found: dict[str, list[tuple[_Task, Row]]] = {}
    refused: list[Row] = []
    with threads(1), tempfile.TemporaryDirectory(prefix="panoviewer-bench-") as folder:
        for factor in FACTORS:
            width = round(plan.width * factor / 2) * 2
            lacking = _lacking(width, Path(folder))
            if lacking:
                refused.append(Row("everything", size_text(width), 1, Unit.SECONDS, None, note=lacking))
                continue
            for task in _tasks(width, Path(folder)):
                tell(f"{task.name} at {size_text(width)}")
                for row in _rows_of(task, width, plan.repeats):
                    found.setdefault(row.task, []).append((replace(task, work=_nothing), row))
    for rows in found.values():
        yield rows[0][1]
        for (_, before), (task, row) in pairwise(rows):
            times = (_width_of(row) / _width_of(before)) ** 2 if task.grows else 1.0
            yield replace(row, other=EXPECTED, beside=_times(before.found, times))
    yield from refused


def _tasks(width: int, folder: Path) -> Iterator[_Task]:
    """What is done at a size; each is done with before the next one is made, for the sake of memory."""
    height = width // 2
    panorama = sample_panorama(width)
    photo = folder / "photo.jpg"
    Image.fromarray(panorama.rgb).save(photo, quality=92)
    yield _Task("JPEG read", lambda: read_panorama(photo))
    photo.unlink()
    yield _Task("pyramid", lambda: Pyramid.of(panorama.rgb))
    camera = Camera(yaw=0.3, pitch=0.2, roll=0.0, fov_x=math.pi / 2, height=VIEW_PX, width=VIEW_PX)
    yield _Task(f"view of {VIEW_PX} x {VIEW_PX}", lambda: erp_to_camera(panorama.rgb, camera), grows=False)
    depth = room_depth(height, width)
    cameras = zigzag_tiles(max(8, width // 4), yaw_step=YAW_STEP)
    tiles = [erp_to_camera(depth, camera) for camera in cameras]
    yield _Task(f"{len(tiles)} views merged", lambda: merge_tiles(tiles, cameras, height, width))
    tiles.clear()
    yield _Task("depth to points", lambda: points_from_depth(depth))
    yield _Task("normals", lambda: normals_from_depth(depth))
    prediction = Prediction(depth=depth, normals=normals_from_depth(depth), is_metric=True)
    build = cloud_of(panorama, prediction)
    yield _Task("cloud with normals", build)
    cloud = build()
    yield _Task("PLY written", lambda: export(cloud, folder / "cloud.ply"))
    (folder / "cloud.ply").unlink()


def _rows_of(task: _Task, width: int, repeats: int) -> Iterator[Row]:
    yield Row(task.name, size_text(width), 1, Unit.SECONDS, seconds(task.work, repeats))
    peak = peak_bytes(task.work)
    if peak is not None:
        yield Row(f"{task.name}: memory", size_text(width), 1, Unit.BYTES, sample_of([float(peak)]))


def _lacking(width: int, folder: Path) -> str:
    """What a size would need and this machine has not; empty when it has everything."""
    pixels = width * (width // 2)
    needed, free = pixels * NEEDED_BYTES, default_memory_budget()
    if needed > free:
        return f"Needs {format_bytes(needed)} of memory, {format_bytes(free)} may be used."
    needed, free = pixels * FILE_BYTES, shutil.disk_usage(folder).free
    if needed > free:
        return f"Needs {format_bytes(needed)} on the disk, {format_bytes(free)} are free."
    return ""


def _times(found: Sample | None, factor: float) -> Sample | None:
    if found is None:
        return None
    core = None if found.core is None else found.core * factor
    return Sample(found.value * factor, found.low * factor, found.high * factor, found.count, core)


def _width_of(row: Row) -> int:
    return int(row.size.partition(" ")[0])


def _nothing() -> None:
    """In the place of work that is done, so that what it held is free."""
