"""The grammar of the commands that make, give out and take in annotations."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

from core.export.datasets import DATASETS
from core.export.view_set import LAYOUTS, MAX_SIZE, MIN_SIZE
from core.io.importing import IMPORTERS
from core.models import DEFAULT_SEGMENTER, DEVICES, SEGMENTERS
from core.scene import Box, Click
from core.segment.options import MAX_FOV_DEG, MIN_FOV_DEG, Keep
from panoviewer.arguments import EXIT_CODES, Parser, add_assume, add_backend, add_debug

ORDERS = ("zigzag", "raster", "erp")
SEGMENT_SUFFIXES = (".png", ".json", ".npz")

_SEGMENT_NOTES = f"""Degrees; a positive longitude is right, a positive latitude is up, 0,0 is the picture's middle.
The clicks count in their order. Where nothing is found, nothing is written and the exit code is 1.

OUT.png   255 inside, 0 outside, of the photograph's size
OUT.json  COCO instances with one annotation
OUT.npz   mask (bool, the photograph's size), clicks (rows of lon, lat in degrees, 1 or 0), box (west, south, east,
          north in degrees; NaN without one), score, solid_angle_sr, meta (JSON text)

{EXIT_CODES}"""

_EXPORT_NOTES = "formats:\n" + "\n".join(f"  {dataset.name:<11} {dataset.title}" for dataset in DATASETS)
_EXPORT_NOTES += f"\n\n{EXIT_CODES}"


def segment_parser() -> Parser:
    """The grammar of ``panoviewer segment``."""
    parser = Parser("panoviewer segment", description="Cut out the object that is pointed at.", epilog=_SEGMENT_NOTES)
    parser.add_argument("file", type=Path, metavar="FILE", help="a panorama")
    parser.add_argument(
        "--click", dest="clicks", action="append", type=_positive, metavar="LON,LAT", help="belongs to the object"
    )
    parser.add_argument(
        "--negative", dest="clicks", action="append", type=_negative, metavar="LON,LAT", help="does not belong to it"
    )
    parser.add_argument(
        "--box",
        type=_box,
        metavar="LON0,LAT0,LON1,LAT1",
        help="around the object, eastwards from LON0 to LON1, so across the seam when LON1 < LON0",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.{png,json,npz}", help="the file to write"
    )
    names = ", ".join(spec.name for spec in SEGMENTERS)
    parser.add_argument(
        "--model", default=DEFAULT_SEGMENTER, metavar="NAME|DIR", help=f"one of {names}; or a folder of your own"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto takes a GPU when there is one")
    add_backend(parser)
    parser.add_argument(
        "--order", choices=ORDERS, default=ORDERS[0], help="of the views; erp has none (default: zigzag)"
    )
    parser.add_argument("--views", type=int, choices=(24, 48), default=24, help="how many look around (default: 24)")
    parser.add_argument(
        "--fov",
        type=_fov,
        default=MIN_FOV_DEG,
        metavar="DEG",
        help=f"of each view, {MIN_FOV_DEG:g} to {MAX_FOV_DEG:g} (default: {MIN_FOV_DEG:g})",
    )
    parser.add_argument(
        "--parts",
        choices=tuple(Keep),
        default=Keep.CLICKED,
        help="which of the parts that are found stay: those that were clicked, or all (default: clicked)",
    )
    parser.add_argument(
        "--policy",
        type=int,
        choices=(1, 2, 3),
        help="which views get clicks and memories (default: what measures best)",
    )
    parser.add_argument(
        "--view-size",
        type=int,
        metavar="PX",
        help="along each side of them, where the network leaves a choice: 1024 or, several times as fast and less "
        "exact, 512 for SAM 2.1",
    )
    parser.add_argument("--label", default="", metavar="NAME", help="of the object, for OUT.json")
    parser.add_argument(
        "--timing", action="store_true", help="print the seconds of the first view, sweep, second click"
    )
    add_assume(parser)
    add_debug(parser)
    return parser


def export_parser() -> Parser:
    """The grammar of ``panoviewer export``."""
    parser = Parser("panoviewer export", description="Write annotations in another tool's form.", epilog=_EXPORT_NOTES)
    parser.add_argument(
        "project", type=Path, metavar="PROJECT", help="a folder, an annotated photograph or an annotation file"
    )
    parser.add_argument(
        "--to", dest="form", required=True, choices=[dataset.name for dataset in DATASETS], help="see below"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--labels", type=_names, default=(), metavar="A,B", help="only segments with these labels (default: all)"
    )
    parser.add_argument("--with-rejected", action="store_true", help="also what a reviewer has rejected")
    parser.add_argument("--layout", choices=tuple(LAYOUTS), help="of perspective views (default: the format's own)")
    parser.add_argument(
        "--view-size", type=_view_size, default=1024, metavar="PX", help="along each side of views (default: 1024)"
    )
    add_assume(parser)
    add_debug(parser)
    return parser


def import_parser() -> Parser:
    """The grammar of ``panoviewer import``."""
    parser = Parser("panoviewer import", description="Turn annotations of another tool into those of a project.")
    parser.add_argument("file", type=Path, metavar="FILE", help="the file; for labelme also a folder of files")
    parser.add_argument("--from", dest="form", required=True, choices=tuple(IMPORTERS), help="the tool")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PROJECT", help="folder of the project")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="also look here for the photographs, and copy them into the project",
    )
    parser.add_argument("--replace", action="store_true", help="replace annotations that are there; they become .bak")
    add_assume(parser)
    add_debug(parser)
    return parser


def _positive(text: str) -> Click:
    return Click(*_direction(text, numbers(text, 2, "LON,LAT")))


def _negative(text: str) -> Click:
    return Click(*_direction(text, numbers(text, 2, "LON,LAT")), positive=False)


def _box(text: str) -> Box:
    lon0, lat0, lon1, lat1 = numbers(text, 4, "LON0,LAT0,LON1,LAT1")
    west, south = _direction(text, [lon0, min(lat0, lat1)])
    east, north = _direction(text, [lon1, max(lat0, lat1)])
    if west == east or south == north:
        raise argparse.ArgumentTypeError(f"expected a box with some width and height, got '{text}'")
    return Box(west, south, east, north)


def _direction(text: str, lonlat: list[float]) -> tuple[float, float]:
    """Longitude from -pi on and latitude, radians."""
    lon, lat = lonlat
    if not abs(lat) <= 90:
        raise argparse.ArgumentTypeError(f"expected a latitude from -90 (down) to 90 (up), got {lat:g} in '{text}'")
    if not abs(lon) <= 360:
        raise argparse.ArgumentTypeError(
            f"expected a longitude from -180 (left) to 180 (right), got {lon:g} in '{text}'"
        )
    return math.remainder(math.radians(lon), 2 * math.pi), math.radians(lat)


def numbers(text: str, count: int, form: str, unit: str = "degrees") -> list[float]:
    """So many finite numbers with commas between them, for an argument's `type`."""
    try:
        given = [float(part) for part in text.split(",")]
    except ValueError:
        given = []
    if len(given) != count or not all(math.isfinite(number) for number in given):
        raise argparse.ArgumentTypeError(f"expected {form} in {unit}, got '{text}'")
    return given


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _fov(text: str) -> float:
    (degrees,) = numbers(text, 1, "an angle")
    if not MIN_FOV_DEG <= degrees <= MAX_FOV_DEG:
        raise argparse.ArgumentTypeError(f"expected {MIN_FOV_DEG:g} to {MAX_FOV_DEG:g} degrees, got '{text}'")
    return degrees


def _view_size(text: str) -> int:
    size = int(text) if re.fullmatch(r"\d{1,6}", text) else 0
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise argparse.ArgumentTypeError(f"expected {MIN_SIZE} to {MAX_SIZE} pixels, got '{text}'")
    return size
