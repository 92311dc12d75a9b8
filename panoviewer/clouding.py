"""``panoviewer cloud``: points and meshes of a photograph, of a folder of them, or of a project with its segments."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.cloud import DEFAULT_EDGES, CloudOptions, PointCloud
from core.errors import ModelUnavailable, NotAFullSphere, ProjectError
from core.export import Exporter, export, files_of
from core.export.annotated import file_name
from core.export.geometry import build, chosen_frame, find_geometry
from core.export.told_source import is_of_another
from core.io.atomic import check_folder, is_same_file, make_folder, prepare_file
from core.io.images import read_panorama
from core.io.kept_level import as_kept
from core.io.kept_scale import read_scale
from core.io.project import Entry, Project, is_project, read_project
from core.mesh import DEFAULT_MESH, MeshOptions
from core.models import find_model, load_model
from core.models.base import PanoramaModel, Task
from core.models.levelled import predict_panorama
from core.object_clouds import object_clouds
from core.progress import stage
from core.scene import Scene
from panoviewer.arguments import BAD, DONE, FAILED, UsageError, exit_code
from panoviewer.batch import plan_batch
from panoviewer.console import Console

SUFFIX = ".ply"
"""Of files in a folder for which no format was chosen."""
NOTHING_LEFT = "No pixel lies within the range and passes the filters; widen them"
PREDICTED, BUILT = 0.8, 0.85
"""Shares of the work after which the depth is there, and what is made of it."""


@dataclass(frozen=True)
class _Wanted:
    """What is asked for of every photograph."""

    args: argparse.Namespace
    exporter: Exporter
    options: CloudOptions
    mesh: MeshOptions


@dataclass(frozen=True)
class _Item:
    """One photograph: where it lies, what is annotated of it, the file to write, and what is known to be wrong."""

    photo: Path
    target: Path
    entry: Entry | None = None
    problem: str = ""


def write_geometry(args: argparse.Namespace, *, describe: Callable[[Exception], str]) -> int:
    """Do it; returns the exit code.

    Args:
        args: As parsed by `panoviewer.arguments.cloud_parser`.
        describe: Makes a sentence of an error of any kind.
    """
    wanted = _wanted(args)
    if not (args.per_object or is_project(args.file)):
        target = args.output if args.format is None else _named_target(args.file, wanted)
        for path in _files(_Item(args.file, target), wanted.exporter):
            prepare_file(path)  # refuses before the work, not after it
        with Console() as console:
            _write(_Item(args.file, target), None, wanted, _Model(args), console)
        return DONE
    project = read_project(args.file)
    annotated = [entry for entry in project.entries if entry.outline is not None or entry.problem]
    if annotated or args.per_object or not args.file.is_dir():
        items = _annotated(project, annotated, wanted)
    else:
        batch = plan_batch(
            [args.file],
            args.output,
            assume=args.assume,
            is_taken=lambda target, source: is_of_another(_with(target, wanted), source),
        )
        items = [_Item(item.source, _with(item.target, wanted), problem=item.problem) for item in batch.items]
        _check_output(args, len(items))
    return _write_all(items, project, wanted, describe)


def _wanted(args: argparse.Namespace) -> _Wanted:
    """What was asked for, as far as it makes sense."""
    if args.max_range == 0:
        raise UsageError("Expected --max-range above 0 metres, got 0; leave it out to keep points at any distance.")
    if args.min_range >= args.max_range:
        raise UsageError(f"Expected --min-range below --max-range, got {args.min_range:g} and {args.max_range:g}.")
    if Task.DEPTH not in find_model(args.model).tasks:
        raise UsageError(f"The model {args.model} does not estimate depth; choose another --model.")
    is_folder = args.format is not None or _names_a_folder(args)
    named = Path(f"any.{args.format}") if args.format else Path(f"any{SUFFIX}") if is_folder else args.output
    exporter = find_geometry(named)
    is_cloud = exporter.kind is PointCloud
    if not is_cloud and (args.voxel is not None or args.per_object):
        option = "--per-object" if args.per_object else "--voxel"
        raise UsageError(f"{option} is about points, and {exporter.suffix} is a mesh; choose another format.")
    if is_cloud and (args.triangles is not None or args.texture is not None):
        option = "--triangles" if args.triangles is not None else "--texture"
        raise UsageError(f"{option} is about meshes, and {exporter.suffix} holds points; choose .glb or .obj.")
    chosen_frame(exporter, args.frame, None)
    options = CloudOptions(
        min_range=args.min_range,
        max_range=args.max_range,
        edges=None if args.keep_edges else DEFAULT_EDGES,
        stride=args.stride,
        voxel=args.voxel,
        raw_pose=args.raw_pose,
    )
    mesh = MeshOptions(args.triangles or DEFAULT_MESH.triangles, args.texture or DEFAULT_MESH.texture_width)
    return _Wanted(args, exporter, options, mesh)


def _names_a_folder(args: argparse.Namespace) -> bool:
    """Whether several files are wanted, and the output is the name of no file."""
    is_several = args.per_object or is_project(args.file)
    return is_several and (not args.output.suffix or args.output.is_dir())


def _annotated(project: Project, entries: Sequence[Entry], wanted: _Wanted) -> list[_Item]:
    """The annotated panoramas with their files: the output itself, or one of their name for each below it."""
    args = wanted.args
    if not entries:
        raise ProjectError(f"Expected annotated panoramas, found none; annotate some first: {args.file}")
    pictures = [entry.photo or entry.annotation for entry in entries]
    if len(entries) == 1 and args.format is None and not _names_a_folder(args):
        item = _Item(pictures[0], args.output, entries[0])
        for path in _files(item, wanted.exporter):
            prepare_file(path)
        return [item]
    _check_output(args, len(entries))
    root = project.folder.absolute()
    inside = [path.absolute() for path in pictures]
    names = [path.relative_to(root) if path.is_relative_to(root) else Path(path.name) for path in inside]
    return [
        _Item(picture, _with(args.output / name, wanted), entry)
        for picture, name, entry in zip(pictures, names, entries, strict=True)
    ]


def _check_output(args: argparse.Namespace, count: int) -> None:
    """Refuse a file where a folder belongs, before the work."""
    if args.format is None and not _names_a_folder(args):
        raise UsageError(f"Expected a folder for {count} panoramas, got the name of a file: {args.output}")
    make_folder(args.output)
    check_folder(args.output)


def _files(item: _Item, exporter: Exporter) -> list[Path]:
    """Everything that is to be written; never the photograph itself."""
    files = files_of(exporter, item.target)
    for path in files:
        if is_same_file(path, item.photo):
            raise UsageError(f"Expected another file than the photograph to write, got itself; choose a name: {path}")
    return files


def _named_target(photo: Path, wanted: _Wanted) -> Path:
    """Its file in a folder: of its stem, or of its full name where a photograph with that stem has left one."""
    short, full = (_with(wanted.args.output / name, wanted) for name in (photo.stem, photo.name))
    return full if is_of_another(short, photo) else short


def _with(target: Path, wanted: _Wanted) -> Path:
    return target.with_name(target.name + wanted.exporter.suffix)


class _Model:
    """The network, read when the first photograph needs it."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._model: PanoramaModel | None = None

    def get(self) -> PanoramaModel:
        if self._model is None:
            self._model = load_model(self._args.model, device=self._args.device, backend=self._args.backend)
        return self._model


def _write_all(items: Sequence[_Item], project: Project, wanted: _Wanted, describe: Callable[[Exception], str]) -> int:
    model = _Model(wanted.args)
    failed, refused = 0, 0
    with Console() as console:
        console.expect(len(items))
        for item in items:
            try:
                _write(item, project, wanted, model, console)
            except ModelUnavailable:
                raise
            except Exception as error:  # one bad panorama must not stop the rest; it is told and counted
                failed += 1
                refused += exit_code(error) == BAD
                console.complain(describe(error))
                console.finished(f"{item.photo}: failed")
    if not failed:
        return DONE
    return BAD if refused == len(items) else FAILED


def _write(item: _Item, project: Project | None, wanted: _Wanted, model: _Model, console: Console) -> None:
    args, exporter = wanted.args, wanted.exporter
    if item.problem:
        raise NotAFullSphere(item.problem)
    annotation = None
    if item.entry is not None and project is not None:
        annotation = None if item.entry.photo is None else project.annotation(item.entry)
        if annotation is None:
            raise ProjectError(
                item.entry.problem or f"Expected an annotation file, found none: {item.entry.annotation}"
            )
    _files(item, exporter)
    panorama = as_kept(read_panorama(item.photo, assume=args.assume))
    frame = chosen_frame(exporter, args.frame, panorama, raw_pose=args.raw_pose)
    console.notes(item.photo, panorama.notes)
    progress = console.progress(item.photo)
    prediction = predict_panorama(
        model.get(), panorama, camera_height=args.camera_height or None, progress=stage(progress, 0, PREDICTED)
    )
    if args.camera_height is None:
        prediction = read_scale(item.photo).apply(prediction)
    console.notes(item.photo, prediction.notes)
    make_folder(item.target.parent)
    writing = stage(progress, BUILT, 1)
    scene = Scene(panorama) if annotation is None else annotation.scene(replace(panorama, path=item.photo))
    if args.per_object:
        written = 0
        for segment, cloud in object_clouds(scene, prediction, wanted.options):
            if len(cloud) == 0:
                console.say(f"Without a point and left out: segment {segment.number} of {item.photo}")
                continue
            name = f"{item.target.stem}.{segment.number:04d}_{file_name(segment.label)}{item.target.suffix}"
            export(cloud, item.target.with_name(name), frame=frame)
            written += 1
        console.finished(f"{item.photo}: {written:,} file{'' if written == 1 else 's'}")
        return
    value = build(
        exporter,
        panorama,
        prediction,
        wanted.options,
        wanted.mesh,
        scene.segments,
        progress=stage(progress, PREDICTED, BUILT),
    )
    if len(value) == 0:
        raise UsageError(f"{NOTHING_LEFT}: {item.photo}")
    export(value, item.target, frame=frame, progress=writing)
    unit = ("point" if exporter.kind is PointCloud else "triangle") + ("" if len(value) == 1 else "s")
    console.finished(f"{item.target}: {len(value):,} {unit}, {prediction.device}, {prediction.seconds:.1f} s")
