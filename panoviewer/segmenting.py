"""The command that cuts out what is pointed at."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from core.export.annotated import UNLABELLED, Category
from core.export.coco import CocoFile, attributes_of
from core.export.png import write_png
from core.geometry.regions import farthest_point_inside
from core.geometry.sphere import lonlat_to_pixels
from core.io.atomic import atomic_file, prepare_file
from core.io.digest import file_sha256
from core.io.images import read_panorama
from core.io.picture_grid import FlatMask, PictureGrid
from core.labels import palette_color
from core.mask import SphereMask
from core.models import find_segmenter, load_segmenter
from core.panorama import Panorama
from core.progress import Progress, silent
from core.scene import Box, Click, Segment
from core.segment.features import FeatureStore, views_folder
from core.segment.network import TellsDetours
from core.segment.options import Keep, Order, Policy, SegmentOptions
from core.segment.session import SegmentSession
from core.segment.updates import Stage
from panoviewer.annotation_arguments import SEGMENT_SUFFIXES, segment_parser
from panoviewer.arguments import DONE, FAILED, UsageError, refuse_inputs
from panoviewer.console import Console, write_line


def segment(argv: Sequence[str]) -> int:
    """``panoviewer segment``; returns the exit code."""
    args = segment_parser().parse_args(argv)
    clicks: list[Click] = args.clicks or []
    if args.box is None and not any(click.positive for click in clicks):
        raise UsageError("Expected at least one --click LON,LAT or a --box, got none; point at the object.")
    if args.output.suffix.lower() not in SEGMENT_SUFFIXES:
        raise UsageError(f"Expected a file name that ends in one of {', '.join(SEGMENT_SUFFIXES)}: {args.output}")
    spec = find_segmenter(args.model)
    refuse_inputs(args.output, [args.file])
    prepare_file(args.output)
    panorama = read_panorama(args.file, assume=args.assume)
    _refuse_unseen(panorama, clicks, args.file)
    grid = PictureGrid.of_file(args.file, assume=args.assume)
    with Console() as console:
        console.notes(args.file, panorama.notes)
        network = load_segmenter(args.model, device=args.device, backend=args.backend, view_size=args.view_size)
        session = SegmentSession(
            network,
            panorama,
            _options(args),
            # What is timed must not have been made in an earlier run.
            store=FeatureStore(None if args.timing else views_folder()),
            model=spec.name if args.model == spec.name else f"{spec.name} ({spec.weights})",
        )
        progress = console.progress(args.file)
        started = time.perf_counter()
        timings = prompt_timings(session, clicks, args.box, progress) if args.timing else None
        found = session.segment(clicks, box=args.box, progress=progress)
        if isinstance(network, TellsDetours):
            console.notes(args.file, network.told)
        flat = grid.to_picture(found.mask)
        if flat.is_empty:
            console.complain(
                "Expected an object there, found nothing and wrote nothing; point at another place of it, or at more "
                f"places: {args.file}"
            )
        else:
            with atomic_file(args.output) as stream:
                _WRITERS[args.output.suffix.lower()](replace(found, label=args.label), flat, grid, args.file, stream)
            console.finished(
                f"{args.output}: {flat.count:,} pixels, {found.mask.solid_angle():.4f} sr, score {found.score:.2f}, "
                f"{time.perf_counter() - started:.1f} s"
            )
    for what, seconds in timings.seconds().items() if timings else ():
        write_line(sys.stdout, f"{what}: {seconds:.3f} s")
    return FAILED if flat.is_empty else DONE


def _options(args: argparse.Namespace) -> SegmentOptions:
    options = SegmentOptions(order=Order(args.order), views=args.views, fov_deg=args.fov, keep=Keep(args.parts))
    return options if args.policy is None else replace(options, policy=Policy(args.policy))


def _refuse_unseen(panorama: Panorama, clicks: Sequence[Click], path: Path) -> None:
    """Raise when a click points at what a partial photograph does not show."""
    if panorama.valid is None:
        return
    for click in clicks:
        row, col = lonlat_to_pixels(click.lon, click.lat, panorama.height, panorama.width)
        if not panorama.valid[row, col]:
            where = f"{math.degrees(click.lon):g},{math.degrees(click.lat):g}"
            raise UsageError(f"Expected clicks on what the photograph shows, got one outside of it, {where}: {path}")


@dataclass(frozen=True)
class PromptTimings:
    """How long a prompt took, and the click that followed it.

    Attributes:
        first: Seconds until there was a first mask.
        refined: Seconds until it had its border on the picture's edges; the same where it had at once.
        sweep: Seconds until the last one.
        second: Seconds until the last mask of the click that followed; None when nothing was found that could be
            clicked on.
        views: Of the zigzag that were looked at before the click that followed.
    """

    first: float
    refined: float
    sweep: float
    second: float | None
    views: int

    def seconds(self) -> dict[str, float]:
        """As the command line tells them."""
        told = {"first view": self.first, "whole sweep": self.sweep}
        return told if self.second is None else {**told, "second click": self.second}


def prompt_timings(
    session: SegmentSession, clicks: Sequence[Click], box: Box | None = None, progress: Progress = silent
) -> PromptTimings:
    """How long the first prompt and the click after it take in a session that has worked on neither.

    Where no click follows, the deepest point of what was found is clicked on once more.

    Args:
        session: On a panorama.
        clicks: At least one positive one, unless there is a box.
        box: The first prompt, when there is one.
        progress: May raise `Cancelled`.
    """
    first = 0 if box is not None else 1 + next(n for n, click in enumerate(clicks) if click.positive)
    started = time.perf_counter()
    seen: list[float] = []
    mask = SphereMask.pack(np.zeros((session.panorama.height, session.panorama.width), np.bool_))
    for update in session.updates(clicks[:first], box=box, progress=progress):
        if update.stage is not Stage.VIEW:
            mask = update.mask
            seen.append(time.perf_counter() - started)
    # Of a glimpse, its refinement and the final mask; without a glimpse, the first mask is refined already.
    found = PromptTimings(seen[0], seen[1] if len(seen) > 2 else seen[0], seen[-1], None, session.timings.looked)
    second = list(clicks[: first + 1])
    if len(second) == first:
        if mask.is_empty:
            return found
        second.append(Click(*farthest_point_inside(mask.unpack())))
    session.segment(second, box=box, progress=progress)
    return replace(found, second=session.timings.total)


def _write_png(_segment: Segment, flat: FlatMask, _grid: PictureGrid, _path: Path, stream: BinaryIO) -> None:
    picture = np.zeros((flat.height, flat.width), np.uint8)
    flat.paint(picture, 255)
    write_png(picture, stream)


def _write_json(segment: Segment, flat: FlatMask, grid: PictureGrid, path: Path, stream: BinaryIO) -> None:
    category = Category(1, segment.label or UNLABELLED, palette_color(0))
    file = CocoFile(stream, (category,))
    image = file.add_image(path.name, flat.height, flat.width)
    file.add(image, category, flat, attributes_of(segment, flat, grid))
    file.finish()


def _write_npz(segment: Segment, flat: FlatMask, _grid: PictureGrid, path: Path, stream: BinaryIO) -> None:
    mask = np.zeros((flat.height, flat.width), np.bool_)
    flat.paint(mask, 1)
    box = segment.box
    sides = [np.nan] * 4 if box is None else np.degrees([box.west, box.south, box.east, box.north])
    meta = {
        "file": path.name,
        "sha256": file_sha256(path),
        "model": segment.model,
        "frame": "degrees; lon to the right, lat up, 0,0 is the middle of the full sphere",
    }
    np.savez_compressed(
        stream,
        mask=mask,
        clicks=np.array([[*np.degrees([c.lon, c.lat]), c.positive] for c in segment.clicks], np.float64).reshape(-1, 3),
        box=np.array(sides, np.float64),
        score=np.float64(segment.score),
        solid_angle_sr=np.float64(segment.mask.solid_angle()),
        meta=np.array(json.dumps(meta)),
    )


_WRITERS = {".png": _write_png, ".json": _write_json, ".npz": _write_npz}
