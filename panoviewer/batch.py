"""Many pictures: which ones, where their results go, and the work on one after the other."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import ModelUnavailable, NotAFullSphere, UnsupportedImage
from core.export.results import (
    NOTHING_THERE,
    ResultOptions,
    is_of_another,
    refuse_foreign_report,
    result_path,
    why_unfinished,
    write_results,
)
from core.io.atomic import check_folder, identity, make_folder
from core.io.cube_sets import once_per_cube
from core.io.folder import foreign_kind, is_beside_a_photo, is_panorama, list_panoramas
from core.io.images import read_panorama
from core.io.kept_level import kept_level, unsaved
from core.io.kept_scale import read_scale, scale_settings
from core.io.placement import Assume
from core.known_scale import KnownScale
from core.models import Backend, load_model
from core.models.base import PanoramaModel
from core.models.detail import load_detail
from core.models.levelled import predict_panorama
from core.models.tiled import Tiled, TileNetwork
from panoviewer.arguments import BAD, exit_code
from panoviewer.console import Console

LABEL = "label picture"
EXPORT = "folder of an export"


@dataclass(frozen=True)
class Item:
    """One picture.

    Attributes:
        source: The picture.
        target: Folder and common name of its results.
        problem: Why it cannot be opened, in a sentence, where that is known already.
    """

    source: Path
    target: Path
    problem: str = ""


@dataclass(frozen=True)
class Batch:
    """What is to be done.

    Attributes:
        items: Pictures with their targets; no two share a target.
        skipped: What is left out: labels and results beside a photo, folders of exports, pictures that cannot be
            opened; each with the reason.
    """

    items: tuple[Item, ...]
    skipped: tuple[tuple[Path, str], ...]


def _has_another_report(target: Path, source: Path) -> bool:
    return is_of_another(result_path(target, ".json"), source)


def plan_batch(
    inputs: Sequence[Path],
    output: Path,
    *,
    assume: Assume | None = None,
    is_taken: Callable[[Path, Path], bool] = _has_another_report,
) -> Batch:
    """Which pictures are meant and where their results go.

    A picture of a folder keeps its sub-path below `output`. Its results bear its stem, or its full name where another
    picture would have the same, or has left results of that name earlier. A picture that is named twice counts once,
    and so do the six faces of a cube map.

    Args:
        inputs: Pictures and folders.
        output: Folder for the results; what lies in it is not taken for an input of a folder around it.
        assume: What is assumed of pictures that do not say what they show; then squares are no faces.
        is_taken: Whether results with this folder and common name are there, and of another picture than this one.

    Raises:
        UnsupportedImage: There is nothing to do, or two pictures would have the same results.
    """
    found: dict[Path, tuple[Path, Path]] = {}
    skipped: list[tuple[Path, str]] = []
    for given in inputs:
        if _is_folder(given):
            listing = list_panoramas(given)
            listed = [path for path in listing.panoramas if not _is_inside(path, output, given)]
            left_out = [(path, LABEL) for path in listing.skipped]
            left_out += [(path, EXPORT) for path in listing.exports]
            left_out += [(path, f"{foreign_kind(path.name)} picture") for path in listing.foreign]
            skipped += [(path, reason) for path, reason in left_out if not _is_inside(path, output, given)]
            places = [(path, path.relative_to(given).parent) for path in listed]
        elif is_beside_a_photo(given.name) and _has_photo(given):
            skipped.append((given, LABEL))
            continue
        else:
            places = [(given, Path())]
        for path, place in places:
            found.setdefault(identity(path), (path, place))
    if not found:
        kinds = ", ".join(sorted({reason for _, reason in skipped}))
        others = f" but skipped ones ({kinds})" if kinds else ""
        raise UnsupportedImage(f"Expected pictures to work on, found none{others} in: {', '.join(map(str, inputs))}")
    pictures = dict(found.values())
    chosen = once_per_cube([*pictures]) if assume is None else [(path, "") for path in pictures]
    problems = dict(chosen)
    # Of a cube map the front face is taken, which may not be the one that was given.
    places = [(path, pictures.get(path, Path())) for path in problems]
    items = [replace(item, problem=problems[item.source]) for item in _named(places, output, is_taken)]
    return Batch(tuple(items), tuple(skipped))


def _named(places: list[tuple[Path, Path]], output: Path, is_taken: Callable[[Path, Path], bool]) -> list[Item]:
    """Targets that differ, also on a disk that does not tell upper from lower case."""
    names = [path.name if is_taken(output / place / path.stem, path) else path.stem for path, place in places]
    while True:
        targets = [output / place / name for (_, place), name in zip(places, names, strict=True)]
        count = Counter(str(target).casefold() for target in targets)
        crowded = [number for number, target in enumerate(targets) if count[str(target).casefold()] > 1]
        if not crowded:
            return [Item(path, target) for (path, _), target in zip(places, targets, strict=True)]
        if all(names[number] == places[number][0].name for number in crowded):
            first, second = (str(places[number][0]) for number in crowded[:2])
            raise UnsupportedImage(
                "Expected pictures whose results have different names, got two of one name; give the folder that holds "
                f"both instead: {first} and {second}"
            )
        for number in crowded:
            names[number] = places[number][0].name


def _is_folder(path: Path) -> bool:
    """False also for what cannot be looked at; why, is told where it is read."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _is_inside(path: Path, output: Path, given: Path) -> bool:
    """True for what lies in the results' folder when that is a part of the folder of pictures."""
    results = output.resolve()
    return (
        results != given.resolve()
        and results.is_relative_to(given.resolve())
        and path.resolve().is_relative_to(results)
    )


def _has_photo(label: Path) -> bool:
    """True when a picture lies beside it whose stem the label's name begins with."""
    return any(label.name.startswith(f"{path.stem}.") for path in label.parent.iterdir() if is_panorama(path.name))


@dataclass
class Outcome:
    """How many pictures of a batch were done, had been done before, and failed; of these by their own fault."""

    done: int = 0
    resumed: int = 0
    failed: int = 0
    refused: int = 0


def run_batch(
    batch: Batch,
    options: ResultOptions,
    outcome: Outcome,
    *,
    device: str,
    backend: Backend,
    resume: bool,
    keeps_scale: bool = True,
    console: Console,
    describe: Callable[[Exception], str],
) -> None:
    """Predict each picture of a batch and write its results; one that fails does not stop the rest.

    Args:
        batch: The pictures.
        options: What is wanted of each.
        outcome: Counts what becomes of them.
        device: Where the model runs; see `core.models.load_model`.
        backend: What computes; likewise.
        resume: Leave out pictures whose results are complete.
        keeps_scale: Whether depth goes by the sizes that are known of a folder.
        console: Hears of every event.
        describe: Makes a sentence of an error of any kind.

    Raises:
        ModelUnavailable: No picture can be predicted.
    """
    model: PanoramaModel | None = None
    detail: TileNetwork | None = None
    for path, reason in batch.skipped:
        can_be_opened = reason in (LABEL, EXPORT)
        hint = "" if can_be_opened else ", which cannot be opened; convert it to JPEG, PNG or TIFF first"
        console.say(f"Skipped a {reason}{hint}: {path}")
        console.event("skipped", file=str(path), reason=reason)
    for item in batch.items:
        try:
            scale = read_scale(item.source) if keeps_scale else KnownScale()
            wanted = replace(options, scale=scale_settings(scale), level=kept_level(item.source))
            if resume:
                flaw = why_unfinished(item.source, item.target, wanted)
                if flaw is None:
                    outcome.resumed += 1
                    console.event("skipped", file=str(item.source), reason="complete")
                    console.finished(f"{item.source}: complete, skipped")
                    continue
                if flaw != NOTHING_THERE:
                    console.event("redone", file=str(item.source), reason=flaw)
                    console.say(f"{item.source}: done again, because {flaw}")
            console.event("started", file=str(item.source))
            if item.problem:
                raise NotAFullSphere(item.problem)
            refuse_foreign_report(result_path(item.target, ".json"), item.source)
            panorama = read_panorama(item.source, assume=options.assume).with_level(wanted.level)
            console.notes(item.source, (*panorama.notes, *unsaved(item.source)))
            make_folder(item.target.parent)
            check_folder(item.target.parent)
            if model is None:
                model = load_model(options.model, device=device, backend=backend)
                if options.detail == options.model and isinstance(model, Tiled):
                    detail = model.network
                elif options.detail:
                    detail = load_detail(options.detail, device=device)
            started = time.perf_counter()
            prediction = predict_panorama(
                model,
                panorama,
                tasks=options.tasks,
                size=options.size,
                camera_height=options.camera_height,
                detail=detail,
                progress=console.progress(item.source),
            )
            prediction = scale.apply(prediction)
            console.notes(item.source, prediction.notes)
            paths = write_results(panorama, prediction, item.target, wanted)
        except ModelUnavailable:
            raise
        except Exception as error:  # one bad picture must not stop the rest; nothing is hidden, it is told and counted
            sentence = describe(error)
            outcome.failed += 1
            outcome.refused += exit_code(error) == BAD
            console.event("failed", file=str(item.source), error=sentence)
            console.complain(sentence)
            console.finished(f"{item.source}: failed")
            continue
        outcome.done += 1
        height, width = prediction.size
        seconds = time.perf_counter() - started
        console.event(
            "done",
            file=str(item.source),
            outputs=[str(path) for path in paths],
            size=[height, width],
            device=prediction.device,
            seconds=round(seconds, 3),
        )
        console.finished(f"{item.source}: {width} x {height}, {prediction.device}, {seconds:.1f} s")
    console.event("finished", **vars(outcome))
