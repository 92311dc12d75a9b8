"""The command line. Qt is imported only when a window is asked for, torch only when a model runs."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core.errors import PanoError
from core.models import find_model
from core.models.base import Task
from panoviewer import arguments
from panoviewer.arguments import BAD, DONE, FAILED, UsageError, exit_code
from panoviewer.console import Console, discard, write_line
from panoviewer.diagnostics import (
    installation_facts,
    missing_window_packages,
    picture_facts,
    program_version,
    report,
)
from panoviewer.interrupts import INTERRUPTED, interruptible, was_interrupted

if TYPE_CHECKING:
    from panoviewer.batch import Outcome

INSTALL_WINDOW = "pip install 'panoviewer[window]'"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments without the program's name; those of the process when None.

    Returns:
        0 all done, 1 some of several pictures failed or something that is not the input's fault, 2 bad input or usage,
        130 interrupted; `panoviewer.arguments.EXIT_CODES` tells the user.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file may have a name that no alphabet can spell; it must not stop the work.
        sys.stdout.reconfigure(errors="backslashreplace")
    # What Pillow has to say of damaged metadata is no sentence for a user. Filters belong to the whole process: a block
    # that changes them for itself would change them for other threads.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    command, rest = (_COMMANDS[args[0]], args[1:]) if args and args[0] in _COMMANDS else (_window, args)
    try:
        with interruptible():
            return _told(command, rest, debug="--debug" in args)
    except KeyboardInterrupt:
        _complain("Interrupted.")
        return INTERRUPTED


def _told(command: Callable[[Sequence[str]], int], args: Sequence[str], *, debug: bool) -> int:
    """Run a command; an error of any kind becomes a sentence."""
    try:
        return command(args)
    except BrokenPipeError:
        # Only the commands whose output is all that they make get here: whoever read it has enough of it.
        discard(sys.stdout)
        return DONE
    except Exception as error:  # the last resort of the program: a sentence instead of a traceback
        _complain(_describe(debug=debug)(error))
        return exit_code(error)


def _complain(sentence: str) -> None:
    write_line(sys.stderr, f"panoviewer: {sentence}")


def _window(argv: Sequence[str]) -> int:
    if argv and re.fullmatch(r"\w[\w-]*", argv[0]) and not os.path.lexists(argv[0]):
        raise UsageError(f"Expected a command ({', '.join(_COMMANDS)}) or a file, got neither; check it: {argv[0]}")
    args = arguments.window_parser(program_version()).parse_args(argv)
    missing = missing_window_packages()
    if missing:
        raise UsageError(
            f"The window needs {', '.join(missing)}, which is not installed. Install it with: {INSTALL_WINDOW}"
        )
    try:
        from panoviewer.window import open_window

        return open_window(args.file, run=args.run, screenshot=args.screenshot, assume=args.assume)
    except ImportError as error:
        raise UsageError(
            f"The window's libraries cannot be loaded ({error}). On Debian install the packages that the README names."
        ) from error


def _info(argv: Sequence[str]) -> int:
    args = arguments.info_parser().parse_args(argv)
    facts = installation_facts() if args.file is None else picture_facts(args.file)
    sys.stdout.write((json.dumps(facts, indent=1) if args.json else report(facts)) + "\n")
    sys.stdout.flush()
    return DONE


def _predict(argv: Sequence[str]) -> int:
    args = arguments.predict_parser().parse_args(argv)
    from panoviewer.batch import Outcome

    describe = _describe(debug=args.debug)
    outcome = Outcome()
    with Console(json_log=args.json_log) as console:
        try:
            try:
                _predict_all(args, outcome, console, describe)
            except Exception as error:  # the log ends with the reason, whatever it is
                sentence = describe(error)
                console.event("aborted", error=sentence, **vars(outcome))
                console.complain(sentence)
                return exit_code(error)
        except KeyboardInterrupt:
            console.event("interrupted", **vars(outcome))
            raise
    if not outcome.failed:
        return DONE
    return FAILED if outcome.done or outcome.resumed or outcome.refused < outcome.failed else BAD


def _predict_all(
    args: argparse.Namespace, outcome: Outcome, console: Console, describe: Callable[[Exception], str]
) -> None:
    spec = find_model(args.model)
    tasks = spec.tasks if args.tasks is None else args.tasks
    impossible = [str(task) for task in tasks if task not in spec.tasks]
    if impossible:
        raise UsageError(f"The model {spec.name} does not estimate {', '.join(impossible)}; choose other --tasks.")

    detail = _detail(args, tasks)

    from core.export.results import ResultOptions
    from core.io.atomic import check_folder, make_folder
    from panoviewer.batch import plan_batch, run_batch

    batch = plan_batch(args.inputs, args.output, assume=args.assume)
    console.expect(len(batch.items))
    make_folder(args.output)
    if not args.resume:
        check_folder(args.output)  # with nothing left to do, nothing need be written
    options = ResultOptions(
        args.model, tasks, args.size, args.formats, args.assume, args.camera_height or None, args.normals_axes, detail
    )
    run_batch(
        batch,
        options,
        outcome,
        device=args.device,
        backend=args.backend,
        resume=args.resume,
        keeps_scale=args.camera_height is None,
        console=console,
        describe=describe,
    )


def _detail(args: argparse.Namespace, tasks: Sequence[Task]) -> str:
    """The choice of the network that refines depth on tiles; empty for none."""
    if args.detail != "tiles":
        if args.detail_model is not None:
            raise UsageError("--detail-model says which network sees the tiles; give --detail tiles with it.")
        return ""
    if args.size != "full" or Task.DEPTH not in tasks:
        raise UsageError("--detail tiles refines depth of the photograph's size; leave it out, or ask for that.")

    from core.models.detail import find_detail

    choice = str(args.model if args.detail_model is None else args.detail_model)
    find_detail(choice)
    return choice


def _cloud(argv: Sequence[str]) -> int:
    args = arguments.cloud_parser().parse_args(argv)
    from panoviewer.clouding import write_geometry

    return write_geometry(args, describe=_describe(debug=args.debug))


def _convert(argv: Sequence[str]) -> int:
    from panoviewer.converting import convert

    return convert(argv)


def _segment(argv: Sequence[str]) -> int:
    from panoviewer.segmenting import segment

    return segment(argv)


def _export(argv: Sequence[str]) -> int:
    from panoviewer.annotations import export_annotations

    return export_annotations(argv)


def _import(argv: Sequence[str]) -> int:
    from panoviewer.annotations import import_annotations

    return import_annotations(argv)


def _models(argv: Sequence[str]) -> int:
    from panoviewer.model_commands import models

    return models(argv)


def _bench(argv: Sequence[str]) -> int:
    from panoviewer.bench import bench

    return bench(argv)


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "info": _info,
    "predict": _predict,
    "cloud": _cloud,
    "convert": _convert,
    "segment": _segment,
    "export": _export,
    "import": _import,
    "models": _models,
    "bench": _bench,
}


def _describe(*, debug: bool) -> Callable[[Exception], str]:
    """Makes a sentence of an error of any kind; prints its traceback first when that is wanted."""

    def describe(error: Exception) -> str:
        if was_interrupted():
            raise KeyboardInterrupt from error
        if debug:
            traceback.print_exception(error)
        if isinstance(error, (PanoError, UsageError)):
            return str(error)
        if isinstance(error, MemoryError):
            return "There is not enough memory for this; close other programs or use a smaller picture."
        if isinstance(error, OSError) and error.strerror:
            where = f": {error.filename}" if error.filename else "."
            return (
                f"The system refused a file or folder ({error.strerror}); check its name, disk and permissions{where}"
            )
        summary = " ".join(str(error).split())[:200]
        return (
            f"Something went wrong inside the program ({type(error).__name__}: {summary}). "
            "Run it again with --debug to see where."
        )

    return describe
