"""The commands that keep the catalogue's weights: list, pull, add, verify, convert, remove, settings, run, export."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import get_terminal_size
from textwrap import TextWrapper

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnavailable
from core.io.atomic import atomic_file, prepare_file
from core.io.images import read_panorama, read_picture
from core.io.memory import format_bytes
from core.models import DEVICES, find_any, load_model, load_segmenter, models_folder, weights_file
from core.models.base import RawClickModel, RawModel
from core.models.facts import catalogue_facts
from core.models.onnx_export import export_onnx
from core.models.perspective_folder import is_hub_name, own_names
from core.models.places import read_places, write_places
from core.models.store import (
    add_folder,
    add_model,
    addable_models,
    convert_model,
    find_addable,
    own_added,
    remove_model,
    verify_model,
)
from panoviewer.annotation_arguments import numbers
from panoviewer.arguments import DONE, Parser, UsageError, add_assume, add_debug
from panoviewer.console import Console, write_line

_DEFAULT = "default"
_NAMES = 16
"""Columns for the names of models."""
_EPILOG = """commands:
  panoviewer models list                       what there is, and where its weights lie
  panoviewer models pull NAME                  fetch published weights, or a perspective network by its name in the
                                               hub, owner/name; nothing else here uses the network
  panoviewer models add FILE [--as NAME]       take over the weights of a published file
  panoviewer models add DIR                    the same for what panoviewer-train exported; DIR's name is the model's
  panoviewer models verify [NAME]              compare added weights with what they were
  panoviewer models convert FILE -o OUT.safetensors
                                               the same, as a file of your own
  panoviewer models remove NAME                delete added weights
  panoviewer models settings [--folder DIR]    where added weights lie, and from where they are fetched
  panoviewer models run NAME IMAGE --raw -o OUT.npz
                                               the network's own outputs, for comparisons; a network of clicks also
                                               takes --point X,Y, --negative-point X,Y and --box X0,Y0,X1,Y1
  panoviewer models export NAME --to onnx [-o DIR|FILE]
                                               the network for onnxruntime and other programs"""

_NOT_PUBLISHED = "The model {} has no published outputs to compare with; use 'panoviewer {}'."

Outputs = dict[str, NDArray[np.float32]]


def models(argv: Sequence[str]) -> int:
    """``panoviewer models``; returns the exit code."""
    commands: dict[str, tuple[Callable[[], Parser], Callable[[argparse.Namespace], int]]] = {
        "list": (_list_parser, _list),
        "pull": (_pull_parser, _pull),
        "add": (_add_parser, _add),
        "verify": (_verify_parser, _verify),
        "convert": (_convert_parser, _convert),
        "remove": (_remove_parser, _remove),
        "settings": (_settings_parser, _settings),
        "run": (_run_parser, _run),
        "export": (_export_parser, _export),
    }
    if argv and argv[0] in commands:
        grammar, command = commands[argv[0]]
        return command(grammar().parse_args(argv[1:]))
    parser = Parser("panoviewer models", description="Models and their weights.", epilog=_EPILOG)
    parser.add_argument("command", choices=tuple(commands), metavar="COMMAND", help=", ".join(commands))
    add_debug(parser)
    parser.parse_args(argv[:1])
    raise UsageError("Expected one of the commands of 'panoviewer models', got none.")


def _list_parser() -> Parser:
    parser = Parser("panoviewer models list", description="Every model, its licence, and where its weights lie.")
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_debug(parser)
    return parser


def _pull_parser() -> Parser:
    parser = Parser(
        "panoviewer models pull",
        description="Fetch published weights from the Hugging Face Hub and add them. Size and licence are told first. "
        "What a transfer that breaks off has brought is kept: the next one goes on from there.",
    )
    parser.add_argument("name", metavar="NAME", help="the model; or owner/name of a perspective network of the hub")
    parser.add_argument("--yes", action="store_true", help="the answer to every question, also about the licence")
    add_debug(parser)
    return parser


def _add_parser() -> Parser:
    parser = Parser(
        "panoviewer models add",
        description="Take over the weights of a published file. Nothing in it is run; every entry is checked.",
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a .pth, .pt, .tar or .safetensors file; or a folder that panoviewer-train exported",
    )
    parser.add_argument("--as", dest="name", metavar="NAME", help="the model it belongs to; found out when left out")
    add_debug(parser)
    return parser


def _verify_parser() -> Parser:
    parser = Parser("panoviewer models verify", description="Compare added weights with what they were when added.")
    parser.add_argument("name", nargs="?", metavar="NAME", help="all that were added when left out")
    add_debug(parser)
    return parser


def _convert_parser() -> Parser:
    parser = Parser(
        "panoviewer models convert",
        description="Write the weights of a published file as safetensors, with a card beside them that says what they "
        "are. Nothing in the file is run, every entry is checked, nothing is added.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a .pth, .pt, .tar or .safetensors file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.safetensors", help="file to write")
    parser.add_argument("--as", dest="name", metavar="NAME", help="the model it belongs to; found out when left out")
    add_debug(parser)
    return parser


def _settings_parser() -> Parser:
    parser = Parser(
        "panoviewer models settings",
        description="Show or change where added weights lie and from where they are fetched. The window follows it. "
        "The environment variable HF_ENDPOINT goes before the mirror.",
    )
    parser.add_argument("--folder", metavar="DIR", help="for added weights; 'default' for the usual one")
    parser.add_argument("--mirror", metavar="URL", help="stands in for the Hugging Face Hub; 'default' for the Hub")
    add_debug(parser)
    return parser


def _remove_parser() -> Parser:
    parser = Parser("panoviewer models remove", description="Delete weights that were added.")
    parser.add_argument("name", metavar="NAME", help="the model whose weights are to go")
    add_debug(parser)
    return parser


def _run_parser() -> Parser:
    parser = Parser(
        "panoviewer models run",
        description="Write what a network itself says about a picture at its own size: nothing resampled, float32. "
        "For depth in metres at the photograph's size use 'panoviewer predict'.",
    )
    parser.add_argument("name", metavar="NAME", help="the model")
    parser.add_argument("image", type=Path, metavar="IMAGE", help="a picture of a size that the network can read")
    parser.add_argument("--raw", action="store_true", required=True, help="the network's own outputs by their names")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.npz", help="the file to write")
    clicks = parser.add_argument_group(
        "for networks of clicks", "pixels of the picture, 0,0 in the middle of the first"
    )
    for flag, kind, what in (
        ("--point", _point, "belongs to the object"),
        ("--negative-point", _negative_point, "does not belong to it"),
    ):
        clicks.add_argument(flag, dest="points", action="append", type=kind, metavar="X,Y", help=f"{what}; repeats")
    clicks.add_argument("--box", type=_pixel_box, metavar="X0,Y0,X1,Y1", help="around the object")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto takes a GPU when there is one")
    add_assume(parser)
    add_debug(parser)
    return parser


def _point(text: str) -> tuple[float, float, bool]:
    x, y = numbers(text, 2, "X,Y", "pixels")
    return x, y, True


def _negative_point(text: str) -> tuple[float, float, bool]:
    x, y = numbers(text, 2, "X,Y", "pixels")
    return x, y, False


def _pixel_box(text: str) -> list[float]:
    x0, y0, x1, y1 = numbers(text, 4, "X0,Y0,X1,Y1", "pixels")
    if not (x0 < x1 and y0 < y1):
        raise argparse.ArgumentTypeError(f"expected a box with X0 < X1 and Y0 < Y1, got '{text}'")
    return [x0, y0, x1, y1]


def _export_parser() -> Parser:
    parser = Parser(
        "panoviewer models export",
        description="Write a network as ONNX graphs, with the file of weights that they read their numbers from beside "
        "them. Left beside added weights, a graph is what '--backend onnxruntime' runs.",
    )
    parser.add_argument("name", metavar="NAME", help="the model; or a folder or .safetensors file")
    parser.add_argument("--to", choices=("onnx",), required=True, help="the format")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR|FILE", help="a folder or a .onnx file; default: beside added weights"
    )
    add_debug(parser)
    return parser


def _list(args: argparse.Namespace) -> int:
    rows = [facts.to_json() for facts in catalogue_facts(estimate=True)]
    if args.json:
        text = json.dumps({"folder": str(models_folder()), "models": rows}, indent=1)
    else:
        lines = [f"Added weights lie in {models_folder()}"]
        for row in rows:
            about = "about " if row["bytes"] is None else ""
            size = "" if row["likely_bytes"] is None else f", {about}{row['likely_bytes'] / 1e6:.1f} MB"
            size += "" if row["parameters"] is None else f", {row['parameters'] / 1e6:.1f} million parameters"
            told = [f"{row['title']}: {', '.join(row['tasks'])}"]
            if row["expected_seconds"] is not None:
                told.append(
                    _estimate(row["expected_seconds"], row["peak_bytes"], is_clicked=row["tasks"] == ["clicks"])
                )
            free = "; commercial use: no, or not stated" if row["non_commercial"] else ""
            place = (
                "" if row["state"] == "bundled" else f"{'to be ' if row['state'] == 'missing' else ''}at {row['file']}"
            )
            told += [f"licence of the weights: {row['licence']}{free}", row["source"], *([place] if place else [])]
            lines += [f"{row['name']:{_NAMES}} {row['state']}{size}", *(f"{'':{_NAMES}} {line}" for line in told)]
        text = "\n".join(_folded(lines) if sys.stdout.isatty() else lines)
    return _say(text)


def _estimate(seconds: float, peak_bytes: int | None, *, is_clicked: bool = False) -> str:
    memory = f"{peak_bytes / 1e9:.1f} GB of memory" if peak_bytes else "memory not known"
    each = " for each view" if is_clicked else ""
    return f"estimate for this processor: {seconds:.{0 if seconds > 10 else 1}f} s{each}, {memory}"


def _folded(lines: Sequence[str]) -> list[str]:
    """The same within the terminal's width; what is read by programs is left as it is."""
    width, indent = get_terminal_size().columns, " " * (_NAMES + 3)
    fold = TextWrapper(width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
    return [part for line in lines for part in fold.wrap(line)]


def _add(args: argparse.Namespace) -> int:
    if args.file.is_dir() and args.name is None:
        spec = add_folder(args.file)
        return _say(f"{spec.name}: added, {weights_file(spec).stat().st_size / 1e6:.1f} MB of your own")
    card = add_model(args.file, name=args.name)
    source, size = card.source, card.weights.bytes / 1e6
    _say(f"{card.model}: added, {size:.1f} MB from {source.name} with SHA-256 {source.sha256}")
    return _say(f"licence of the weights: {find_addable(card.model).licence}")


def _pull(args: argparse.Namespace) -> int:
    if is_hub_name(args.name):
        return _pull_folder(args)
    from core.models.hub import look, pull

    offer = look(args.name)
    spec = offer.spec
    if offer.is_added:
        return _say(f"{spec.name}: is here already, SHA-256 {offer.sha256}")
    begun = f", {offer.arrived / 1e6:.1f} MB of it are here already" if offer.arrived else ""
    _say(f"{spec.name}: {spec.title}, {offer.bytes / 1e6:.1f} MB{begun}")
    if offer.expected_seconds is not None:
        _say(_estimate(offer.expected_seconds, spec.peak_bytes, is_clicked=not spec.tasks))
    _say(f"from: {offer.answer.address}\nsource: {spec.source}\nlicence of the weights: {spec.licence}")
    if offer.is_changed:
        _say("This is not the file that was fetched the first time: its publisher has replaced it.")
    if (spec.asks or offer.is_changed) and not args.yes:
        _ask("Do you accept this and want to fetch the file?")
    with Console() as console:
        card = pull(offer, progress=console.progress(Path(spec.name)))
        console.finished(f"{spec.name}: added, SHA-256 of the file {card.source.sha256}")
    return DONE


def _pull_folder(args: argparse.Namespace) -> int:
    from core.models.perspective_hub import look_folder, pull_folder

    offer = look_folder(args.name)
    if offer.is_here:
        return _say(f"{offer.name}: is here already, version {offer.commit}")
    begun = f", {offer.arrived / 1e6:.1f} MB of it are here already" if offer.arrived else ""
    _say(f"{offer.name}: {offer.task} by {offer.folder.architecture}, {offer.bytes / 1e6:.1f} MB{begun}")
    if offer.expected_seconds is not None:
        _say(_estimate(offer.expected_seconds, None))
    _say(f"licence of the weights: {offer.licence}")
    if offer.asks and not args.yes:
        _ask("Do you accept this and want to fetch the files?")
    with Console() as console:
        folder = pull_folder(offer, progress=console.progress(Path(offer.name)))
        console.finished(f"{offer.name}: added; 'panoviewer predict --model {offer.name}' uses it: {folder}")
    return DONE


def _ask(question: str) -> None:
    """Go on only if the user says yes."""
    if not sys.stdin.isatty():
        raise UsageError(
            "Expected an answer about the licence, got no terminal to ask on; if you accept it, add --yes."
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("Nothing was fetched.")


def _convert(args: argparse.Namespace) -> int:
    prepare_file(args.output)
    card = convert_model(args.file, args.output, name=args.name)
    size = card.weights.bytes / 1e6
    return _say(f"{args.output}: weights of {card.model}, {size:.1f} MB with SHA-256 {card.weights.sha256}")


def _settings(args: argparse.Namespace) -> int:
    places = read_places()
    if args.folder is not None:
        folder = None if args.folder == _DEFAULT else Path(os.path.abspath(args.folder))
        places = replace(places, folder=folder)
    if args.mirror is not None:
        places = replace(places, mirror="" if args.mirror == _DEFAULT else args.mirror)
    if places != read_places():
        write_places(places)
    hub = os.environ.get("HF_ENDPOINT") or places.mirror or "the Hugging Face Hub"
    return _say(f"Added weights lie in {models_folder()}\nThey are fetched from {hub}")


def _verify(args: argparse.Namespace) -> int:
    names = [spec.name for spec in addable_models() if weights_file(spec).is_file()]
    names += [*own_added(), *own_names()]
    failed: list[ModelUnavailable] = []
    for name in names if args.name is None else [args.name]:
        try:
            _say(f"{name}: as it was added, SHA-256 {verify_model(name).weights.sha256}")
        except ModelUnavailable as error:
            failed.append(error)  # what is wrong with one says nothing about the others
    for earlier in failed[:-1]:
        write_line(sys.stderr, f"panoviewer: {earlier}")
    if failed:
        raise failed[-1]
    return DONE if names or args.name else _say("No weights have been added.")


def _remove(args: argparse.Namespace) -> int:
    return _say(f"{args.name}: removed, {remove_model(args.name) / 1e6:.1f} MB are free again")


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    return DONE


def _run(args: argparse.Namespace) -> int:
    if args.output.suffix.lower() != ".npz":
        raise UsageError(f"Expected a file name that ends in .npz: {args.output}")
    prepare_file(args.output)
    is_clicked = not find_any(args.name).tasks
    points: list[tuple[float, float, bool]] = args.points or []
    if not is_clicked and (points or args.box):
        raise UsageError(f"The model {args.name} is not clicked on; leave --point, --negative-point and --box out.")
    if is_clicked and not args.box and not any(positive for *_, positive in points):
        raise UsageError(f"Expected at least one --point X,Y or a --box for {args.name}, got none.")
    with Console() as console:
        outputs = _raw_clicked(args, points, console) if is_clicked else _raw(args, console)
        with atomic_file(args.output) as stream:
            np.savez_compressed(stream, **outputs)  # type: ignore[arg-type]  # of the stubs
        shapes = ", ".join(f"{name} {tuple(values.shape)}" for name, values in outputs.items())
        console.finished(f"{args.output}: {shapes}")
    return DONE


def _raw(args: argparse.Namespace, console: Console) -> Outputs:
    panorama = read_panorama(args.image, assume=args.assume)
    model = load_model(args.name, device=args.device)
    if not isinstance(model, RawModel):
        raise UsageError(_NOT_PUBLISHED.format(args.name, "predict"))
    return model.raw(panorama.rgb, progress=console.progress(args.image))


def _raw_clicked(args: argparse.Namespace, points: list[tuple[float, float, bool]], console: Console) -> Outputs:
    rgb = read_picture(args.image)
    network = load_segmenter(args.name, device=args.device)
    if not isinstance(network, RawClickModel):
        raise UsageError(_NOT_PUBLISHED.format(args.name, "segment"))
    return network.raw_clicked(
        rgb,
        np.array([point[:2] for point in points], np.float32).reshape(-1, 2),
        np.array([point[2] for point in points], np.bool_),
        None if args.box is None else np.array(args.box, np.float32),
        progress=console.progress(args.image),
    )


def _export(args: argparse.Namespace) -> int:
    with Console() as console:
        progress = console.progress(Path(args.name))
        written = export_onnx(args.name, args.output, progress=progress, tell=console.say)
    return _say("\n".join(f"{path} ({format_bytes(path.stat().st_size)})" for path in written))
