"""``panoviewer convert``: panoramas turned, levelled, resized, and cut into cube maps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.export import find_exporter
from core.export.panorama import cube_faces, developed, write_pixels
from core.export.turned import LIGHT, check_light, write_turned
from core.geometry.camera import angles_from_rotation, rotation_from_angles
from core.geometry.cube import CROSS, FACES, STRIP
from core.geometry.levelling import Kind, Line, level_by_lines
from core.geometry.sampling import Image
from core.geometry.sphere import lonlat_to_directions
from core.io.atomic import atomic_file, prepare_file
from core.io.cube_files import cube_files
from core.io.gpano import GPano
from core.io.images import read_panorama
from core.io.kept_level import as_kept
from core.panorama import Panorama
from core.turning import turned_panorama
from panoviewer.arguments import DONE, UsageError, convert_parser, refuse_inputs
from panoviewer.console import Console
from panoviewer.converting_labels import LABELS, label_faces, read_labels, turned_labels, write_labels
from panoviewer.converting_maps import MAPS, ending_of, read_map, turned_map, unit_normals, write_map

LARGEST_FACE = 16384
OF_16_BITS = (".png", ".tif", ".tiff")
STATED = ()
"""The value of --level alone: the pose that the picture states."""


def convert(argv: Sequence[str]) -> int:
    """Do it; returns the exit code.

    Raises:
        UsageError: Bad arguments.
        PanoError: The picture cannot be read, or the result cannot be written.
    """
    args = convert_parser().parse_args(argv)
    if args.layout is not None and args.to != "cube":
        raise UsageError("--layout is for cube maps; add --to cube.")
    with Console() as console:
        name = args.file.name.lower()
        work = _convert_map if name.endswith(MAPS) else _convert_labels if name.endswith(LABELS) else _convert_picture
        paths = work(args, console)
        console.expect(len(paths))
        for path in paths:
            console.finished(f"Written: {path}")
    return DONE


def _convert_picture(args: argparse.Namespace, console: Console) -> list[Path]:
    targets = _targets(args, "")
    suffix = find_exporter(Panorama, args.output).suffix
    panorama = as_kept(read_panorama(args.file, assume=args.assume))
    console.notes(args.file, panorama.notes)
    check_light(panorama, args.output)
    if args.horizon is not None or args.vertical is not None:
        panorama = replace(panorama, level_from_world=_levelled(args, panorama.level_from_world))
        args.level = STATED
    elif args.level not in (None, STATED):
        # What was measured takes the place of what the picture states.
        panorama = replace(panorama, level_from_world=_pose(args.level))
    turn = _turn(args, panorama.level_from_world)
    if args.to == "erp":
        return [write_turned(panorama, turn, targets[0], width=args.width)]
    turned = turned_panorama(panorama, turn)
    pixels: Image = developed(turned) if suffix in OF_16_BITS else turned.rgb
    if suffix in LIGHT and turned.radiance is not None:
        pixels = turned.radiance
    for picture, path in zip(_laid_out(cube_faces(pixels, _side(args, turned.width)), args), targets, strict=True):
        with atomic_file(path) as stream:
            write_pixels(np.nan_to_num(picture), suffix.replace("jpeg", "jpg").replace("tiff", "tif"), stream)
    return targets


def _convert_labels(args: argparse.Namespace, console: Console) -> list[Path]:  # noqa: ARG001
    ending = next(end for end in LABELS if args.file.name.lower().endswith(end))
    if not args.output.name.lower().endswith(ending):
        raise UsageError(f"Expected a name that ends in {ending}, as that of the input does: {args.output}")
    if args.horizon is not None or args.vertical is not None or args.level == STATED:
        raise UsageError("What is level is not known of a picture of numbers; say --level PITCH,ROLL.")
    targets = _targets(args, ending)
    found = read_labels(args.file)
    turn = _turn(args, np.eye(3) if args.level is None else _pose(args.level))
    numbers = turned_labels(found.numbers, turn, args.width if args.to == "erp" else None)
    pictures = [numbers]
    if args.to == "cube":
        pictures = _laid_out(label_faces(numbers, _side(args, numbers.shape[1])), args)
    for picture, path in zip(pictures, targets, strict=True):
        with atomic_file(path) as stream:
            write_labels(picture, found, stream)
    return targets


def _convert_map(args: argparse.Namespace, console: Console) -> list[Path]:  # noqa: ARG001
    ending = next((end for end in MAPS if args.output.name.lower().endswith(end)), None)
    if ending is None or (".depth." in ending) != (".depth." in args.file.name.lower()):
        raise UsageError(f"Expected a name that ends in {', '.join(MAPS)} and in the kind of the input: {args.output}")
    if args.horizon is not None or args.vertical is not None:
        raise UsageError("Points of a horizon or a vertical are for pictures; say --level PITCH,ROLL for a map.")
    targets = _targets(args, ending)
    found = read_map(args.file)
    if args.level == STATED and found.level_from_world is None:
        raise UsageError("The map's pose is not known, because no STEM.json lies beside it; say --level PITCH,ROLL.")
    level = np.eye(3) if found.level_from_world is None else found.level_from_world
    turn = _turn(args, level if args.level in (None, STATED) else _pose(args.level))
    values = turned_map(found.values, turn, args.width if args.to == "erp" else None)
    maps: list[Image] = [values]
    if args.to == "cube":
        maps = _laid_out([unit_normals(face) for face in cube_faces(values, _side(args, values.shape[1]))], args)
    for part, path in zip(maps, targets, strict=True):
        with atomic_file(path) as stream:
            write_map(part, path, stream, is_metric=found.is_metric)
    return targets


def _turn(args: argparse.Namespace, level_from_world: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3) the rotation that is asked for: levelled first, then with what lies at the given angles in the middle."""
    level = np.eye(3) if args.level is None else level_from_world
    if args.rotate is None:
        return level
    turn: NDArray[np.float64] = rotation_from_angles(*np.radians(args.rotate)).T @ level
    return turn


def _levelled(args: argparse.Namespace, level_from_world: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pose by the points that are given."""
    if args.level is not None or (args.horizon is not None and args.vertical is not None):
        raise UsageError("Expected one of --level, --horizon and --vertical, got several; leave the others out.")
    kind = Kind.VERTICAL if args.horizon is None else Kind.HORIZON
    lines = [
        Line(kind, *(lonlat_to_directions(*np.radians(point)) for point in (points[:2], points[2:])))
        for points in (args.vertical if args.horizon is None else [args.horizon])
    ]
    try:
        return level_by_lines(lines, level_from_world)
    except ValueError as error:
        raise UsageError(f"The points give no pose: {error}; choose others.") from error


def _pose(angles: tuple[float, float]) -> NDArray[np.float64]:
    """Of GPano's pitch and roll in degrees."""
    pitch, roll = np.radians(angles)
    _, pitch, roll = angles_from_rotation(GPano(pose_pitch=float(pitch), pose_roll=float(roll)).level_from_world)
    return rotation_from_angles(0.0, pitch, roll)


def _side(args: argparse.Namespace, width: int) -> int:
    side = max(round(width / 4), 1) if args.width is None else int(args.width)
    if side > LARGEST_FACE:
        raise UsageError(f"Expected faces of up to {LARGEST_FACE} pixels along each side, got {side}; say --width.")
    return side


def _targets(args: argparse.Namespace, ending: str) -> list[Path]:
    """The files to write, whose folder is there from here on."""
    output: Path = args.output
    targets = [output]
    if args.to == "cube" and args.layout == "six":
        cut = len(output.name) - len(ending or output.suffix)
        targets = [output.with_name(f"{output.name[:cut]}_{face}{output.name[cut:]}") for face in FACES]
    is_map = args.file.name.lower().endswith(MAPS)
    faces = cube_files(args.file, ending_of(args.file) if is_map else None)
    given = (args.file,) if faces is None else faces.paths
    for target in targets:
        refuse_inputs(target, given)
        prepare_file(target)
    return targets


def _laid_out(faces: list[Image], args: argparse.Namespace) -> list[Image]:
    if args.layout == "six":
        return faces
    return [(CROSS if args.layout == "cross" else STRIP).join(faces)]
