"""The commands that give annotations out and take them in."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from core.cloud import CloudOptions, PointCloud
from core.errors import ModelUnavailable, ProjectError
from core.export import export, find_exporter
from core.export.annotated import DatasetOptions, file_name
from core.export.datasets import export_project
from core.io import importing
from core.io.atomic import check_folder, make_folder, prepare_file
from core.io.images import read_panorama
from core.io.project import Entry, Project, read_project
from core.models import load_model
from core.models.base import PanoramaModel
from core.models.levelled import predict_panorama
from core.object_clouds import cloud_with_segments, object_clouds
from panoviewer.annotation_arguments import export_parser, import_parser
from panoviewer.arguments import BAD, DONE, FAILED, UsageError, exit_code
from panoviewer.console import Console

CLOUD_SUFFIX = ".ply"


def export_annotations(argv: Sequence[str]) -> int:
    """``panoviewer export``; returns the exit code."""
    args = export_parser().parse_args(argv)
    options = DatasetOptions(args.labels, args.with_rejected, args.assume, args.layout, args.view_size)
    project = read_project(args.project)
    make_folder(args.output)
    check_folder(args.output)
    with Console() as console:
        report = export_project(project, args.form, args.output, options, progress=console.progress(args.project))
        for sentence in report.dropped:
            console.say(f"Dropped: {sentence}")
        for sentence in report.failed:
            console.complain(sentence)
        console.finished(
            f"{args.output}: {_count(report.panoramas, 'panorama')}, {_count(report.segments, 'segment')}, "
            f"{_count(report.files, 'file')}"
        )
    return _exit_code(report.panoramas, report.failed)


def import_annotations(argv: Sequence[str]) -> int:
    """``panoviewer import``; returns the exit code."""
    args = import_parser().parse_args(argv)
    with Console() as console:
        report = importing.import_annotations(
            args.file,
            args.form,
            args.output,
            pictures=args.pictures,
            replace_existing=args.replace,
            assume=args.assume,
            progress=console.progress(args.file),
        )
        for sentence in report.dropped:
            console.say(f"Note: {sentence}")
        for sentence in report.failed:
            console.complain(sentence)
        console.finished(f"{args.output}: {_count(report.panoramas, 'panorama')}, {_count(report.segments, 'segment')}")
    return _exit_code(report.panoramas, report.failed)


def write_clouds(args: argparse.Namespace, options: CloudOptions, *, describe: Callable[[Exception], str]) -> int:
    """``panoviewer cloud PROJECT``; returns the exit code.

    Args:
        args: As parsed.
        options: Which pixels become points.
        describe: Makes a sentence of an error of any kind.
    """
    project = read_project(args.file)
    entries = [entry for entry in project.entries if entry.outline is not None or entry.problem]
    if not entries:
        raise ProjectError(f"Expected annotated panoramas, found none; annotate some first: {args.file}")
    targets = _targets(project, entries, args.output)
    model: PanoramaModel | None = None
    failed, refused = 0, 0
    with Console() as console:
        console.expect(len(entries))
        for entry, target in zip(entries, targets, strict=True):
            try:
                if model is None:
                    model = load_model(args.model, device=args.device)
                names = _write_entry(project, entry, target, model, args, options, console)
            except ModelUnavailable:
                raise
            except Exception as error:  # one bad panorama must not stop the rest; it is told and counted
                failed += 1
                refused += exit_code(error) == BAD
                console.complain(describe(error))
                console.finished(f"{entry.photo or entry.annotation}: failed")
                continue
            console.finished(f"{entry.photo}: {_count(len(names), 'file')}")
    if not failed:
        return DONE
    return BAD if refused == len(entries) else FAILED


def _write_entry(
    project: Project,
    entry: Entry,
    target: Path,
    model: PanoramaModel,
    args: argparse.Namespace,
    options: CloudOptions,
    console: Console,
) -> list[Path]:
    annotation = None if entry.photo is None else project.annotation(entry)
    if entry.photo is None or annotation is None:
        raise ProjectError(entry.problem or f"Expected an annotation file, found none: {entry.annotation}")
    panorama = read_panorama(entry.photo, assume=args.assume)
    console.notes(entry.photo, panorama.notes)
    scene = annotation.scene(replace(panorama, path=entry.photo))
    prediction = predict_panorama(
        model, panorama, camera_height=args.camera_height, progress=console.progress(entry.photo)
    )
    make_folder(target.parent)
    if not args.per_object:
        cloud = cloud_with_segments(scene, prediction, options)
        if len(cloud) == 0:
            raise ProjectError(f"No pixel lies within the range and passes the filters; widen them: {entry.photo}")
        return [export(cloud, target, frame=args.frame)]
    written = []
    for segment, cloud in object_clouds(scene, prediction, options):
        name = f"{target.stem}.{segment.number:04d}_{file_name(segment.label)}{target.suffix}"
        if len(cloud) == 0:
            console.say(f"Without a point and left out: segment {segment.number} of {entry.photo}")
            continue
        written.append(export(cloud, target.with_name(name), frame=args.frame))
    return written


def _targets(project: Project, entries: Sequence[Entry], output: Path) -> list[Path]:
    """The file of each panorama: the output itself when it names a file, else one of its name below the output."""
    if output.suffix and not output.is_dir():
        find_exporter(PointCloud, output)
        if len(entries) > 1:
            raise UsageError(f"Expected a folder for {len(entries)} panoramas, got the name of a file: {output}")
        prepare_file(output)
        return [output]
    make_folder(output)
    check_folder(output)
    pictures = [entry.photo or entry.annotation for entry in entries]
    inside = [path.absolute() for path in pictures]
    root = project.folder.absolute()
    names = [path.relative_to(root) if path.is_relative_to(root) else Path(path.name) for path in inside]
    return [output / name.with_name(name.name + CLOUD_SUFFIX) for name in names]


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}" + ("" if number == 1 else "s")


def _exit_code(done: int, failed: Sequence[str]) -> int:
    if not failed:
        return DONE
    return FAILED if done else BAD
