"""The command line's grammar."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from core.cloud import FRAME_NAMES, MIN_VOXEL
from core.errors import OutOfSpace, PanoError
from core.geometry.fisheye import DualFisheye
from core.io.atomic import is_same_file
from core.mesh import DEFAULT_MESH, MIN_TEXTURE, MIN_TRIANGLES
from core.models import BACKENDS, DEFAULT_MODEL, DEVICES, MODELS, SIZES
from core.models.base import Task
from core.prediction import CAMERA_HEIGHTS
from panoviewer.benches.groups import GROUPS
from panoviewer.benches.networks import NETWORKS
from panoviewer.benches.rows import MIN_REPEATS, REFERENCE_WIDTH

DETAILS = ("guided", "tiles")
RUNS = ("depth", "normals", "classes", "cloud")
FORMATS = ("npy", "exr", "png", "tiff")
NORMALS_AXES = ("opencv", "opengl")
"""Those of `core.export.results` and `core.export.normals`, whose import costs a tenth of a second."""
GEOMETRY_NAMES = ("ply", "pcd", "las", "laz", "e57", "xyz", "csv", "npz", "glb", "obj")
"""Those of `core.export.geometry`, which takes longer to import than a complaint should."""
PROJECT_ENDINGS = (".pano.json", ".pano.json.bak", "panoviewer.project.json")
"""Of the files of a project; see `core.io.scene_file` and `core.io.project_file`."""
MAX_TEXTURE = 32768
BENCH_WIDTHS = (256, 8192)
DONE, FAILED, BAD = 0, 1, 2
EXIT_CODES = """exit codes:
  0    everything was done, or had been done before (--resume)
  1    some of several pictures failed, or something failed that is not the fault of what was given: no space left, no
       memory, an error of the program
  2    bad usage, or no picture that could be used
  130  interrupted"""
JSON_EVENTS = """events of --json-log, one JSON object a line, each with "time" and "event":
  started, progress, done, failed, skipped, redone, note
               of one picture, "file". progress: "done" of "total"; done: "outputs", "size" [height, width], "device",
               "seconds"; failed: "error"; skipped and redone: "reason"; note: what is assumed of it
  finished     the last line. "done": pictures that were worked on; "resumed": those complete before (--resume);
               "failed": those without results, "refused" of them because of what was given, such as a damaged file
  aborted, interrupted
               the last line where the work ended early: the same numbers so far; aborted: "error", why"""
EPILOG = f"""commands:
  panoviewer [FILE]                  the window; without FILE it opens the sample
  panoviewer info [FILE]             what is installed, or what a file says about itself
  panoviewer predict FILE|DIR...     depth, normals and classes as files
  panoviewer cloud FILE -o OUT.ply   a point cloud or a mesh: PLY, PCD, LAS, LAZ, E57, XYZ, CSV, NPZ, GLB, OBJ
  panoviewer convert FILE --to erp|cube -o OUT
                                     turned, levelled, resized, as a cube map and back
  panoviewer segment FILE --click LON,LAT -o OUT.png
                                     the object that was pointed at
  panoviewer export PROJECT --to FORMAT -o DIR
                                     annotations for other tools
  panoviewer import FILE --from FORMAT -o PROJECT
                                     annotations of other tools
  panoviewer models COMMAND          list models, add their weights, look at their raw outputs
  panoviewer bench [GROUP...]        how fast it is on this machine

'panoviewer COMMAND --help' explains each. A picture named like a command is opened with ./NAME.

{EXIT_CODES}"""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NEGATIVE_NUMBERS = re.compile(rf"-(?=[\d.]){_NUMBER[5:]}(?:,{_NUMBER})*$")


class UsageError(Exception):
    """A command line that makes no sense; a sentence for the user."""


def refuse_inputs(target: Path, inputs: Iterable[Path]) -> None:
    """Raise when a result would be written over what it is made of, or over what holds somebody's annotations."""
    if any(is_same_file(target, given) for given in inputs):
        raise UsageError(f"Expected another file to write than the one that is read: {target}")
    if target.name.lower().endswith(PROJECT_ENDINGS):
        raise UsageError(f"Expected a file for the result, got the name of a file of annotations: {target}")


def exit_code(error: Exception) -> int:
    """Whose fault an error is: that of what was given, or another's."""
    is_given = isinstance(error, (PanoError, UsageError)) and not isinstance(error, OutOfSpace)
    return BAD if is_given else FAILED


class Parser(argparse.ArgumentParser):
    """A parser with errors of one sentence, without abbreviations, that takes negative numbers as values."""

    def __init__(self, prog: str, **options: object) -> None:
        options.setdefault("epilog", EXIT_CODES)
        super().__init__(prog=prog, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)  # type: ignore[arg-type]

    def parse_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:  # type: ignore[override]
        """The arguments, with ``--x -94.6,-18.8`` read as ``--x=-94.6,-18.8``."""
        try:
            return _with_fisheye(super().parse_args(join_negative_numbers(args), namespace))
        except UsageError as error:
            file = next((name for name in args if name.startswith("-") and os.path.lexists(name)), None)
            if file is None:
                raise
            raise UsageError(f"{error} The file {file} is named like an option; write ./{file}") from error

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`, with a capital and a hint."""
        raise UsageError(f"{message[:1].upper()}{message[1:].rstrip('.')}. Try '{self.prog} --help'.")


def _with_fisheye(args: argparse.Namespace) -> argparse.Namespace:
    """The lenses in the place of the word 'fisheye'."""
    if getattr(args, "assume", None) == "fisheye":
        if args.fisheye_fov is None:
            raise UsageError("Expected the angle that a fisheye circle shows; add --fisheye-fov DEG.")
        centers = args.fisheye_centers
        args.assume = DualFisheye(
            args.fisheye_fov,
            None if centers is None else (centers[:2], centers[2:]),
            args.fisheye_radius or None,
            args.fisheye_roll or (0.0, 0.0),
        )
    elif any(getattr(args, f"fisheye_{name}", None) is not None for name in ("fov", "centers", "radius", "roll")):
        raise UsageError("Values of fisheye lenses say nothing without --assume fisheye; add it.")
    return args


def join_negative_numbers(args: Sequence[str]) -> list[str]:
    """Arguments with a list of numbers that begins with a minus sign joined to the option before it.

    argparse takes such an argument for an option of its own. Behind ``--`` nothing is touched.
    """
    joined: list[str] = []
    for position, argument in enumerate(args):
        if argument == "--":
            return [*joined, *args[position:]]
        previous = joined[-1] if joined else ""
        if _NEGATIVE_NUMBERS.match(argument) and re.match(r"--[a-z][a-z0-9-]*$", previous):
            joined[-1] = f"{previous}={argument}"
        else:
            joined.append(argument)
    return joined


def window_parser(version: str) -> Parser:
    """The grammar of ``panoviewer [FILE]``."""
    parser = Parser("panoviewer", description="Look at 360° photographs and measure them.", epilog=EPILOG)
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a panorama; the sample when left out")
    parser.add_argument("--run", choices=RUNS, help="estimate this at once")
    parser.add_argument("--screenshot", type=Path, metavar="OUT.png", help="do it, save the window's picture, exit")
    add_assume(parser)
    parser.add_argument("--version", action="version", version=f"panoviewer {version}")
    add_debug(parser)
    return parser


def info_parser() -> Parser:
    """The grammar of ``panoviewer info``."""
    parser = Parser("panoviewer info", description="What is installed, or what a file says about itself.")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a picture; the installation when left out")
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_debug(parser)
    return parser


def predict_parser() -> Parser:
    """The grammar of ``panoviewer predict``."""
    parser = Parser(
        "panoviewer predict",
        description="Estimate depth, normals and classes; write them as files.",
        epilog=f"{JSON_EVENTS}\n\n{EXIT_CODES}",
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="FILE|DIR", help="pictures, or folders of pictures")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    _add_model(parser)
    parser.add_argument(
        "--tasks", type=_tasks, metavar="depth,normals,classes", help="what to estimate; default: all the model can"
    )
    parser.add_argument(
        "--size", choices=SIZES, default="full", help="full: the photograph's size; native: the model's (default: full)"
    )
    parser.add_argument(
        "--detail",
        choices=DETAILS,
        default=DETAILS[0],
        help="of full-size depth. guided: by the photograph's edges; tiles: by a perspective network on tiles of it, "
        "which takes many times as long (default: guided)",
    )
    parser.add_argument(
        "--detail-model", metavar="NAME|DIR", help="the network that sees the tiles, when --model is no perspective one"
    )
    parser.add_argument(
        "--format",
        dest="formats",
        type=_formats,
        default=("npy",),
        metavar=",".join(FORMATS),
        help="of depth and normals",
    )
    parser.add_argument(
        "--normals-axes",
        choices=NORMALS_AXES,
        default=NORMALS_AXES[0],
        help="of pictures of normals: x right, y down, z forward, or x right, y up, z backward; green is y",
    )
    _add_photograph(parser)
    parser.add_argument("--resume", action="store_true", help="skip pictures whose results are complete")
    parser.add_argument("--json-log", action="store_true", help="write one JSON object per event to standard output")
    add_debug(parser)
    return parser


def cloud_parser() -> Parser:
    """The grammar of ``panoviewer cloud``."""
    parser = Parser("panoviewer cloud", description="Estimate depth; write it as coloured points or a textured mesh.")
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE|DIR|PROJECT",
        help="a panorama; a folder of them; or a folder of annotated ones or an annotation file, whose points bear "
        "numbers of segments",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help=f"the file to write, which ends in {', '.join(f'.{name}' for name in GEOMETRY_NAMES)}; a folder for "
        "several",
    )
    parser.add_argument("--format", choices=GEOMETRY_NAMES, help="of the files in a folder (default: ply)")
    parser.add_argument("--per-object", action="store_true", help="a cloud for each segment of the annotations")
    _add_model(parser)
    parser.add_argument(
        "--frame",
        choices=FRAME_NAMES,
        help="axes: z-up (x right, y forward), opencv (x right, y down, z forward), gltf (x right, y up, z backward), "
        "ros (x forward, y left, z up), enu (x east, y north, z up, by the photograph's bearing); "
        "default: z-up, for .glb gltf",
    )
    parser.add_argument("--min-range", type=_distance, default=0.0, metavar="M", help="leave out nearer points")
    parser.add_argument("--max-range", type=_distance, default=math.inf, metavar="M", help="leave out farther points")
    parser.add_argument("--voxel", type=_voxel, metavar="M", help="average the points of each cube of this size")
    parser.add_argument("--stride", type=_stride, default=1, metavar="N", help="only every n-th row and column")
    parser.add_argument("--keep-edges", action="store_true", help="keep points that fly between two surfaces")
    parser.add_argument("--raw-pose", action="store_true", help="do not level the cloud by the photograph's pose")
    parser.add_argument(
        "--triangles",
        type=_triangles,
        metavar="N",
        help=f"of a mesh, at most so many (default: {DEFAULT_MESH.triangles:,})",
    )
    parser.add_argument(
        "--texture",
        type=_texture,
        metavar="PX",
        help=f"of a mesh, width of the photograph on it (default: its own, {DEFAULT_MESH.texture_width} at most)",
    )
    _add_photograph(parser)
    add_debug(parser)
    return parser


def convert_parser() -> Parser:
    """The grammar of ``panoviewer convert``."""
    parser = Parser(
        "panoviewer convert",
        description="Turn, level and resize panoramas and their maps; make cube maps of them and panoramas of those.",
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a panorama, a cube map, or a map: STEM.depth.npy, STEM.normals.exr and so on",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the file to write")
    parser.add_argument(
        "--to", choices=("erp", "cube"), default="erp", help="an equirectangular panorama or a cube map"
    )
    parser.add_argument(
        "--layout", choices=("strip", "cross", "six"), help="of a cube map; six: OUT_front, _right, ...; default: strip"
    )
    parser.add_argument(
        "--level",
        nargs="?",
        const=(),
        type=_two_numbers,
        metavar="PITCH,ROLL",
        help="make the horizon level, by the pose that the picture states or by these degrees",
    )
    parser.add_argument(
        "--horizon",
        type=_four_numbers,
        metavar="LON,LAT,LON,LAT",
        help="make it level by two points on the horizon",
    )
    parser.add_argument(
        "--vertical",
        action="append",
        type=_four_numbers,
        metavar="LON,LAT,LON,LAT",
        help="make it level by two points above each other, such as an edge of a wall; give it twice, with edges in "
        "different directions, to fix all of the tilt",
    )
    parser.add_argument(
        "--rotate",
        type=_three_numbers,
        metavar="YAW,PITCH,ROLL",
        help="bring what lies in this direction, in degrees right, up and clockwise, to the middle; after --level",
    )
    parser.add_argument("--width", type=_width, metavar="PX", help="of the panorama, or of each face of a cube map")
    add_assume(parser)
    add_debug(parser)
    return parser


def _add_model(parser: Parser) -> None:
    names = ", ".join(spec.name for spec in MODELS)
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME|DIR",
        help=f"{names}; a folder or .safetensors file; or a perspective network's folder or hub name",
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto takes a GPU when there is one")
    add_backend(parser)


def add_backend(parser: Parser) -> None:
    """What computes."""
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="what computes: auto takes what is faster; onnxruntime needs what 'panoviewer models export' writes",
    )


def bench_parser() -> Parser:
    """The grammar of ``panoviewer bench``."""
    names = ", ".join(group.name for group in GROUPS)
    late = ", ".join(group.name for group in GROUPS if group.on_request)
    parser = Parser(
        "panoviewer bench",
        description="Measure how fast everything is on this machine, beside other ways of doing it.",
        epilog="groups:\n" + "\n".join(f"  {group.name:<10} {group.title}" for group in GROUPS) + f"\n\n{EXIT_CODES}",
    )
    parser.add_argument(
        "groups", nargs="*", type=_group, metavar="GROUP", help=f"one or more of {names}; all but {late} when left out"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument(
        "--width",
        type=_bench_width,
        default=REFERENCE_WIDTH,
        metavar="PX",
        help=f"of the panoramas that are worked on; goals are about the default of {REFERENCE_WIDTH}",
    )
    parser.add_argument(
        "--repeats",
        type=_repeats,
        default=MIN_REPEATS,
        metavar="N",
        help=f"how often each thing is done, after once for warming up (default: {MIN_REPEATS})",
    )
    parser.add_argument(
        "--network",
        dest="networks",
        action="append",
        default=[],
        choices=[network.name for network in NETWORKS],
        metavar="NAME",
        help="measure this one alone of the group models, which takes half an hour on two cores; repeats; "
        f"{', '.join(network.name for network in NETWORKS)}",
    )
    add_debug(parser)
    return parser


def add_assume(parser: Parser) -> None:
    """The option that says what an odd picture shows."""
    parser.add_argument(
        "--assume",
        choices=("full", "crop", "cube", "fisheye"),
        help="what a picture shows that does not say: the sphere, its middle part, a cube map, two fisheye circles",
    )
    lenses = parser.add_argument_group("two fisheye circles (--assume fisheye), the front one at the left")
    lenses.add_argument("--fisheye-fov", type=_fisheye_fov, metavar="DEG", help="what a circle shows; needed")
    lenses.add_argument(
        "--fisheye-centers",
        type=_four_numbers,
        metavar="X,Y,X,Y",
        help="middles of the circles in pixels; default: of the halves of the picture",
    )
    lenses.add_argument(
        "--fisheye-radius", type=_distance, metavar="PX", help="of the circles; default: half the height of the picture"
    )
    lenses.add_argument(
        "--fisheye-roll", type=_two_numbers, metavar="DEG,DEG", help="clockwise turn of each circle; default: none"
    )


def _add_photograph(parser: Parser) -> None:
    add_assume(parser)
    parser.add_argument(
        "--camera-height",
        type=_camera_height,
        metavar="M",
        help="known height of the camera above the floor; 'model' believes the model (default: what is kept for the "
        "folder, where somebody has measured something in the window)",
    )


def add_debug(parser: Parser) -> None:
    """The option that shows tracebacks."""
    parser.add_argument("--debug", action="store_true", help="show where in the program an error arose")


def _tasks(text: str) -> tuple[Task, ...]:
    return tuple(Task(name) for name in _list(text, tuple(str(task) for task in Task)))


def _formats(text: str) -> tuple[str, ...]:
    return _list(text, FORMATS)


def _list(text: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """A list with commas, without repetitions."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in allowed]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected a list of {', '.join(allowed)} with commas, got '{text}'")
    return names


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"expected a number of metres, got '{text}'")
    return number


def _distance(text: str) -> float:
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected a distance from 0 metres, got '{text}'")
    return number


def _fisheye_fov(text: str) -> float:
    number = _numbers(text, 1)[0]
    if not 90 <= number <= 360:
        raise argparse.ArgumentTypeError(f"expected 90 to 360 degrees, got '{text}'")
    return number


def _two_numbers(text: str) -> tuple[float, ...]:
    return _numbers(text, 2)


def _three_numbers(text: str) -> tuple[float, ...]:
    return _numbers(text, 3)


def _four_numbers(text: str) -> tuple[float, ...]:
    return _numbers(text, 4)


def _numbers(text: str, count: int) -> tuple[float, ...]:
    """Finite numbers with commas."""
    parts = text.split(",")
    if len(parts) != count or not all(re.fullmatch(_NUMBER, part.strip()) for part in parts):
        numbers = "a number" if count == 1 else f"{count} numbers with commas"
        raise argparse.ArgumentTypeError(f"expected {numbers}, got '{text}'")
    return tuple(map(float, parts))


def _camera_height(text: str) -> float:
    """Metres; 0 for the model's own."""
    if text == "model":
        return 0.0
    number = _number(text)
    lowest, highest = CAMERA_HEIGHTS
    if not lowest <= number <= highest:
        raise argparse.ArgumentTypeError(f"expected {lowest:g} to {highest:g} metres or 'model', got '{text}'")
    return number


def _voxel(text: str) -> float:
    number = _number(text)
    if number < MIN_VOXEL:
        raise argparse.ArgumentTypeError(f"expected a length of at least {MIN_VOXEL} metres, got '{text}'")
    return number


def _stride(text: str) -> int:
    number = int(text) if re.fullmatch(r"\d{1,6}", text) else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got '{text}'")
    return number


def _triangles(text: str) -> int:
    number = int(text) if re.fullmatch(r"\d{1,9}", text) else 0
    if number < MIN_TRIANGLES:
        raise argparse.ArgumentTypeError(f"expected a whole number from {MIN_TRIANGLES}, got '{text}'")
    return number


def _texture(text: str) -> int:
    number = int(text) if re.fullmatch(r"\d{1,5}", text) else 0
    if not MIN_TEXTURE <= number <= MAX_TEXTURE:
        raise argparse.ArgumentTypeError(f"expected a width of {MIN_TEXTURE} to {MAX_TEXTURE} pixels, got '{text}'")
    return number


def _group(text: str) -> str:
    names = [group.name for group in GROUPS]
    if text not in names:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got '{text}'")
    return text


def _width(text: str) -> int:
    width = int(text) if re.fullmatch(r"\d{1,6}", text) else 0
    if not 4 <= width <= 65_536:
        raise argparse.ArgumentTypeError(f"expected a width of 4 to 65536 pixels, got '{text}'")
    return width


def _bench_width(text: str) -> int:
    width = int(text) if re.fullmatch(r"\d{1,6}", text) else 0
    narrowest, widest = BENCH_WIDTHS
    if not narrowest <= width <= widest or width % 2:
        raise argparse.ArgumentTypeError(f"expected an even width of {narrowest} to {widest} pixels, got '{text}'")
    return width


def _repeats(text: str) -> int:
    number = int(text) if re.fullmatch(r"\d{1,4}", text) else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 9999, got '{text}'")
    return number
