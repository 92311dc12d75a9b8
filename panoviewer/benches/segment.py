"""How long a click takes until there is a mask, and how much memory masks need."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.geometry.sphere import erp_angles
from core.io.memory import format_bytes
from core.mask import SphereMask
from core.models import DEFAULT_SEGMENTER, load_segmenter
from core.panorama import Panorama
from core.scene import Click, Segment
from core.segment.network import ClickNetwork
from core.segment.options import Expand, SegmentOptions
from core.segment.session import SegmentSession
from panoviewer.benches.measuring import held_bytes, run_program, thread_variables, threads
from panoviewer.benches.pictures import sample_panorama, sample_path, textured
from panoviewer.benches.rows import REFERENCE_WIDTH, Plan, Row, Unit, at_most, sample_of, size_text
from panoviewer.segmenting import prompt_timings

THREADS = (1, 2)
SMALL = ("a seat", (-27.0, -48.0))
LARGE = ("the floor", (0.0, -70.0))
"""An object that lies within the views around a click, and one that runs out of them; degrees."""
SEGMENTS = 200
SEGMENTS_WIDTH = 8192
RADII_DEG = (3.0, 70.0)
"""The largest are a third of the sphere, but for their holes."""

FIRST_S, REFINED_S, SWEEP_S, CALL_S = 0.2, 0.6, 10.0, 14.0
"""What is wanted: the first two on one core, the others on two."""
SECOND_SHARE = 0.25
SEGMENTS_BYTES = 500e6


class FourCalls:
    """A network reduced to what `ClickNetwork` promises.

    Args:
        network: That answers.
    """

    def __init__(self, network: ClickNetwork) -> None:
        self.view_size = network.view_size
        self.answer_size = network.answer_size
        self.fingerprint = network.fingerprint
        self.encode = network.encode
        self.attend = network.attend
        self.decode = network.decode
        self.remember = network.remember


def measure(plan: Plan, tell: Callable[[str], None]) -> Iterator[Row]:
    """Rows on the bundled sample."""
    panorama = sample_panorama(plan.width)
    for count in THREADS:
        with threads(count):
            for what, everywhere in ((SMALL, False), (LARGE, False), (LARGE, True)):
                tell(f"a click on {what[0]}, {count} threads")
                yield from map(plan.judged, _click_rows(plan, panorama, what, count, everywhere=everywhere))
    with tempfile.TemporaryDirectory(prefix="panoviewer-bench-") as folder:
        path = sample_path()
        if plan.width != REFERENCE_WIDTH:
            path = Path(folder) / "sample.png"
            Image.fromarray(panorama.rgb).save(path)
        for count in THREADS:
            for what in (SMALL, LARGE):
                tell(f"panoviewer segment on {what[0]}, {count} threads")
                yield from map(plan.judged, _call_rows(plan, path, Path(folder), what, count))
    tell(f"{SEGMENTS} segments")
    yield plan.judged(_segments_row(plan))


def _click_rows(
    plan: Plan, panorama: Panorama, what: tuple[str, tuple[float, float]], count: int, *, everywhere: bool
) -> Iterator[Row]:
    """A click and the one after it, in a session that knows nothing of the panorama.

    With `everywhere` all views are looked at, which is the most that any object can take: as it is done by a network
    that has no first mask to offer, which could end the search.
    """
    name, (lon, lat) = what
    click = Click(math.radians(lon), math.radians(lat))
    network = load_segmenter(DEFAULT_SEGMENTER, device="cpu")
    options = SegmentOptions(expand=Expand.EVERYWHERE if everywhere else Expand.TOUCHED)
    asked = FourCalls(network) if everywhere else network
    name = f"{name}, every view" if everywhere else name
    runs, shares, readings = [], [], []
    for _ in range(1 + plan.repeats):
        # Another array of the same pixels: the network remembers what it said about a photograph.
        session = SegmentSession(asked, Panorama(rgb=panorama.rgb.copy()), options)
        began = time.perf_counter()
        session.read_whole()
        started, used = time.perf_counter(), time.process_time()
        readings.append(started - began)
        runs.append(prompt_timings(session, [click]))
        shares.append((time.process_time() - used) / (time.perf_counter() - started))
    del runs[0], shares[0], readings[0]

    def row(task: str, seconds: list[float], limit: float | None, note: str = "") -> Row:
        goal = None if limit is None else at_most(limit)
        found = sample_of(seconds, [taken * share for taken, share in zip(seconds, shares, strict=True)])
        return Row(f"{name}: {task}", plan.size, count, Unit.SECONDS, found, goal=goal, note=note)

    sweeps = [run.sweep for run in runs]
    if not everywhere:
        if what is SMALL:
            read = sample_of(readings)
            yield Row("reading a panorama as a whole, before clicks", plan.size, count, Unit.SECONDS, read)
        yield row("first mask", [run.first for run in runs], FIRST_S if count == 1 else None)
        yield row("refined mask", [run.refined for run in runs], REFINED_S if count == 1 else None)
        yield row(f"whole mask, {runs[0].views} views", sweeps, SWEEP_S if count == 2 else None)
    else:
        yield row(f"full sweep, {runs[0].views} views", sweeps, SWEEP_S if count == 2 else None)
    seconds = [run.second for run in runs if run.second is not None]
    if len(seconds) == len(runs):
        yield row("second click", seconds, None)
        share = sample_of([second / sweep for second, sweep in zip(seconds, sweeps, strict=True)])
        goal = at_most(SECOND_SHARE) if everywhere else None
        yield Row(f"{name}: second click, of the above", plan.size, count, Unit.SHARE, share, goal=goal)


def _call_rows(
    plan: Plan, path: Path, folder: Path, what: tuple[str, tuple[float, float]], count: int
) -> Iterator[Row]:
    """The whole command in a process of its own, from start to end."""
    name, (lon, lat) = what
    arguments = ["segment", str(path), f"--click={lon:g},{lat:g}", "-o", str(folder / "mask.png"), "--device", "cpu"]
    # Nothing that was kept in earlier runs may help, but compiled loops are kept wherever that is.
    variables = {**thread_variables(count), "XDG_CACHE_HOME": str(folder)}
    runs = [run_program(arguments, variables) for _ in range(1 + plan.repeats)][1:]
    task = f"panoviewer segment, {name}"
    cores = [run.core for run in runs if run.core is not None]
    found = sample_of([run.wall for run in runs], cores or None)
    yield Row(task, plan.size, count, Unit.SECONDS, found, goal=at_most(CALL_S) if count == 2 else None)
    peaks = [float(run.peak) for run in runs if run.peak is not None]
    if peaks:
        yield Row(f"{task}: memory at its peak", plan.size, count, Unit.BYTES, sample_of(peaks))


def _segments_row(plan: Plan) -> Row:
    """What many segments of a large panorama hold, as the system counts it."""
    width = SEGMENTS_WIDTH * plan.width // REFERENCE_WIDTH
    luminance = textured(sample_panorama(width).rgb[..., 1])
    kept: list[Segment] = []
    held = held_bytes(lambda: kept.extend(_ragged_segments(luminance)))
    largest = max(segment.mask.solid_angle() for segment in kept)
    frames = SEGMENTS * luminance.size // 8
    return Row(
        f"{len(kept)} segments, up to {largest:.1f} sr, full of holes",
        size_text(width),
        1,
        Unit.BYTES,
        None if held is None else sample_of([float(held)]),
        goal=at_most(SEGMENTS_BYTES),
        note=f"By the process's own memory; the packed bits of as many full frames would be {format_bytes(frames)}.",
    )


def _ragged_segments(luminance: NDArray[np.uint8]) -> Iterator[Segment]:
    """Disks of all sizes, everywhere, of which only what is brighter than their mean belongs to the object."""
    height, width = luminance.shape
    random = np.random.default_rng(0)
    lon, lat = erp_angles(height, width)
    for number in range(1, SEGMENTS + 1):
        lon0, lat0 = random.uniform(-math.pi, math.pi), math.asin(random.uniform(-1, 1))
        radius = math.radians(random.uniform(*RADII_DEG))
        rows = np.flatnonzero(np.abs(lat - lat0) < radius)
        near = np.outer(np.cos(lat[rows]) * math.cos(lat0), np.cos(lon - lon0)).astype(np.float32)
        near += (np.sin(lat[rows]) * math.sin(lat0)).astype(np.float32)[:, None]
        disk = near > math.cos(radius)
        part = luminance[rows[0] : rows[-1] + 1]
        disk &= part >= part[disk].mean()
        yield Segment(number, SphereMask.from_window(height, width, int(rows[0]), 0, disk))
