"""The commands that give annotations out and take them in."""

from __future__ import annotations

from collections.abc import Sequence

from core.export.annotated import DatasetOptions
from core.export.datasets import export_project
from core.io import importing
from core.io.atomic import check_folder, make_folder
from core.io.project import read_project
from panoviewer.annotation_arguments import export_parser, import_parser
from panoviewer.arguments import BAD, DONE, FAILED
from panoviewer.console import Console


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
        if report.panoramas or not report.failed:
            console.finished(
                f"{args.output}: {_count(report.panoramas, 'panorama')}, {_count(report.segments, 'segment')}"
            )
    return _exit_code(report.panoramas, report.failed)


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}" + ("" if number == 1 else "s")


def _exit_code(done: int, failed: Sequence[str]) -> int:
    if not failed:
        return DONE
    return FAILED if done else BAD
