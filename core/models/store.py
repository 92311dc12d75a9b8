"""Weights that the user adds once: taken over from the published file, kept beside a card, checked, removed.

The card says which file they came from and what they were when they were added. No hash is known beforehand. It is
written under another name before the weights take their place and under its own after that, so that whoever is killed
in between leaves weights with a card all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from glob import escape
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast

import core.models
from core.errors import ModelUnavailable
from core.io.atomic import atomic_file, export_errors, make_folder
from core.io.digest import content_sha256
from core.models import ModelSpec, weights_file
from core.models.checkpoints import converted, open_checkpoint
from core.models.click_s import RANKING
from core.models.graph_runner import GRAPH_SUFFIX
from core.models.layouts import Layout
from core.models.own import CARD_SUFFIX, MAX_CARD_BYTES, WEIGHTS_SUFFIX, find_own_model
from core.models.perspective_folder import is_hub_name
from core.models.weights import check_size, write_tensors
from core.progress import Progress, silent, stage

_ENOUGH = 0.5
_BESIDE = (".md", GRAPH_SUFFIX, f"_*{GRAPH_SUFFIX}", RANKING.format(""))
"""What a model may have beside its weights and its card: how the names go on after theirs."""
_TAKEN_SUFFIX = ".added.json"
"""Of the card, beside an exported model's own one, that says what its weights were when they were added."""
_FILE = "file"
"""Of a card that is on its way: which file of weights it is about."""
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class FileFacts:
    """What a file was.

    Attributes:
        name: Without its folder.
        bytes: Its size.
        sha256: Of its content, in hexadecimal.
    """

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path, *, progress: Progress = silent) -> FileFacts:
        """Of a file as it is now; reads it."""
        return cls(path.name, path.stat().st_size, content_sha256(path, progress=progress))


@dataclass(frozen=True)
class Origin:
    """From where a file was fetched.

    Attributes:
        repo: A repository of the Hugging Face Hub.
        file: Its name there.
        commit: The version.
    """

    repo: str
    file: str
    commit: str


@dataclass(frozen=True)
class Card:
    """What is known of added weights.

    Attributes:
        model: Their name in the catalogue.
        weights: The file that was written when they were added.
        source: The file they were taken from.
        origin: From where that had been fetched; None when the user brought it.
    """

    model: str
    weights: FileFacts
    source: FileFacts
    origin: Origin | None = None


def add_model(
    path: Path, *, name: str | None = None, origin: Origin | None = None, progress: Progress = silent
) -> Card:
    """Take over the weights of a published file, which is not needed afterwards.

    The entries are checked one by one, written under our own names beside a card, and replace what was added before.

    Args:
        path: As for `core.models.checkpoints.open_checkpoint`.
        name: The model of the catalogue that they belong to; found out from the entries when left out.
        origin: From where the file was fetched, if it was; it may have another name here.
        progress: Called as the work goes on; may raise `Cancelled`, which leaves what was added before.

    Raises:
        ModelUnavailable: The file is broken, or not that of the model; or it is not clear which model it belongs to.
        ExportError: The weights cannot be written.
    """
    return _convert(path, None, name=name, origin=origin, progress=progress)


def convert_model(path: Path, target: Path, *, name: str | None = None, progress: Progress = silent) -> Card:
    """Write the weights of a published file as a file of their own, with its card beside it.

    Both together are a model by their place: see `core.models.own`. Nothing is added.

    Args:
        path: As for `core.models.checkpoints.open_checkpoint`.
        target: Ends in .safetensors; its folder must exist.
        name: As for `add_model`.
        progress: As for `add_model`.

    Raises:
        ModelUnavailable: As for `add_model`; or the target is no such file, or the place of its card is taken.
        ExportError: The weights cannot be written.
    """
    if target.suffix != WEIGHTS_SUFFIX:
        raise ModelUnavailable(f"Expected a file name that ends in {WEIGHTS_SUFFIX}, got another; change it: {target}")
    card = target.with_suffix(CARD_SUFFIX)
    if card.exists() and "weights" not in _content(card):
        raise ModelUnavailable(
            f"Expected a place for the card that says what the weights are, got another file; choose another name or "
            f"move it away: {card}"
        )
    return _convert(path, target, name=name, origin=None, progress=progress)


def _convert(path: Path, target: Path | None, *, name: str | None, origin: Origin | None, progress: Progress) -> Card:
    """Write weights and card, by default where the catalogue has its own."""
    given = None if name is None else find_addable(name)
    progress(0, 1)
    with open_checkpoint(path) as entries:
        if given is not None:
            _check_kind(given, entries, path)
        spec = given or _recognised(entries, path)
        state = converted(entries, _layout(spec), path)
        # What is written is hashed first, so that nothing is replaced any more once somebody has cancelled.
        source = FileFacts.of(path, progress=stage(progress, 0.3, 0.5))
        if origin is not None:
            source = replace(source, name=Path(origin.file).name)
        if target is None:
            target = weights_file(spec)
            make_folder(target.parent)
        with atomic_file(target) as stream:
            write_tensors(state, stream, progress=stage(progress, 0.5, 0.7))
            size, sha256 = _written(stream, stage(progress, 0.7, 0.8))
            card = Card(spec.name, FileFacts(target.name, size, sha256), source, origin)
            _write_card(_coming(target), asdict(card) | {_FILE: _identity(os.fstat(stream.fileno()))})
    _write_card(target.with_suffix(CARD_SUFFIX), asdict(card))
    _coming(target).unlink(missing_ok=True)
    return card


def _written(stream: BinaryIO, progress: Progress) -> tuple[int, str]:
    """Size and SHA-256 of what a stream holds."""
    size, digest = stream.tell(), hashlib.sha256()
    stream.seek(0)
    while block := stream.read(_BLOCK_BYTES):
        digest.update(block)
        progress(stream.tell(), size)
    return size, digest.hexdigest()


def _write_card(path: Path, facts: Mapping[str, object]) -> None:
    with atomic_file(path) as stream:
        stream.write(json.dumps(facts, indent=1).encode() + b"\n")


def _coming(target: Path) -> Path:
    """Where the card lies while its weights are on their way to their place."""
    return target.with_name(f".{target.stem}{CARD_SUFFIX}.coming")


def _identity(status: os.stat_result) -> list[int]:
    """What stays of a file when it is renamed, and is another in every other file beside it."""
    return [status.st_ino, status.st_size]


def add_folder(place: Path, *, progress: Progress = silent) -> ModelSpec:
    """Take over what `panoviewer-train export` wrote: it becomes a line of the catalogue by the folder's name.

    Args:
        place: The folder. What was added under its name before is replaced.
        progress: Called as the work goes on; may raise `Cancelled`.

    Returns:
        The line.

    Raises:
        ModelUnavailable: It is no such folder, or its name is that of another model.
        ExportError: The files cannot be written.
    """
    found = find_own_model(place, _catalogue())
    name = place.resolve().name
    if any(spec.name == name for spec in _catalogue()):
        raise ModelUnavailable(
            f"Expected a folder whose name is not that of another model, got {name}; rename it: {place}"
        )
    target = core.models.models_folder() / name
    make_folder(target)
    weights = place / found.weights
    # The card comes last: without it the folder is no model.
    files = [weights, *_beside(weights), weights.with_suffix(CARD_SUFFIX)]
    for number, path in enumerate(files):
        progress(number, len(files))
        with path.open("rb") as given, atomic_file(target / path.name) as taken:
            shutil.copyfileobj(given, taken)
    facts = FileFacts.of(target / found.weights)
    _write_card((target / found.weights).with_suffix(_TAKEN_SUFFIX), asdict(Card(name, facts, facts)))
    return replace(find_own_model(target, _catalogue()), name=name)


def remove_model(name: str) -> int:
    """Delete added weights, their card, what else lies beside them under their name, and a folder of their own.

    Returns:
        The bytes of the weights, which became free. "owner/name" means a perspective network that was fetched.

    Raises:
        ModelUnavailable: They were never added, or come with the program.
        ExportError: They cannot be deleted.
    """
    if is_hub_name(name):
        from core.models.perspective_hub import remove_folder

        return remove_folder(name)
    spec = _find_added(name)
    target = weights_file(spec)
    size = _size_of_added(spec)
    for path in (target, card_file(spec), target.with_suffix(_TAKEN_SUFFIX), _coming(target), *_beside(target)):
        with export_errors(path):
            path.unlink(missing_ok=True)
    if spec.folder is not None and not any(spec.folder.iterdir()):
        with export_errors(spec.folder):
            spec.folder.rmdir()
    return size


def _beside(weights: Path) -> list[Path]:
    """What else belongs to weights: a page about them, graphs, and which of the masks of a click network is meant."""
    return sorted(
        path
        for path in weights.parent.iterdir()
        if path.is_file() and any(fnmatchcase(path.name, escape(weights.stem) + end) for end in _BESIDE)
    )


def verify_model(name: str, *, progress: Progress = silent) -> Card:
    """Compare added weights with what they were when they were added; reads the whole file.

    Args:
        name: The model.
        progress: Called as the work goes on; may raise `Cancelled`.

    Raises:
        ModelUnavailable: They differ, are missing, or there is no card to compare with.
    """
    if is_hub_name(name):
        from core.models.perspective_hub import verify_folder

        return verify_folder(name, progress=progress)
    spec = _find_added(name)
    target = weights_file(spec)
    size = _size_of_added(spec)
    card = read_card(spec)
    if card is None:
        raise ModelUnavailable(
            f"Expected a card beside the weights of {name} that says what they were, got none; add them again: "
            f"{_adding_card(spec)}"
        )
    if size != card.weights.bytes or content_sha256(target, progress=progress) != card.weights.sha256:
        raise ModelUnavailable(
            f"Expected the weights of {name} as they were added (SHA-256 {card.weights.sha256[:16]}…), got a file that "
            f"has changed since; add them again: {target}"
        )
    return card


def _size_of_added(spec: ModelSpec) -> int:
    path = weights_file(spec)
    if not path.exists():
        raise ModelUnavailable(
            f"Expected added weights of {spec.name}, got none; fetch them with 'panoviewer models pull {spec.name}' or "
            f"add a file with 'panoviewer models add FILE --as {spec.name}': {path}"
        )
    return check_size(path, max_bytes=1 << 62)


def own_added() -> list[str]:
    """The names of the user's own models that were added."""
    own = (*core.models.listed_models(), *core.models.listed_segmenters())
    return [spec.name for spec in own if spec.folder is not None]


def _find_added(name: str) -> ModelSpec:
    own = (*core.models.listed_models(), *core.models.listed_segmenters())
    return next((spec for spec in own if spec.name == name and spec.folder is not None), None) or find_addable(name)


def _adding_card(spec: ModelSpec) -> Path:
    """Where it stands what weights were when they were added."""
    return card_file(spec) if spec.folder is None else weights_file(spec).with_suffix(_TAKEN_SUFFIX)


def card_file(spec: ModelSpec) -> Path:
    """Where the card of added weights lies."""
    return weights_file(spec).with_suffix(CARD_SUFFIX)


def read_card(spec: ModelSpec) -> Card | None:
    """The card of added weights; None when there is none that can be read."""
    target = weights_file(spec)
    facts = _content(_coming(target))
    if not facts or not target.is_file() or facts.get(_FILE) != _identity(target.stat()):
        facts = _content(_adding_card(spec))
    try:
        weights, source = (FileFacts(**facts[key]) for key in ("weights", "source"))
        origin = Origin(**facts["origin"]) if facts.get("origin") else None
    except (TypeError, KeyError):
        return None
    return Card(spec.name, weights, source, origin) if facts.get("model") == spec.name else None


def _content(card: Path) -> dict[str, Any]:
    """What a card says; nothing when it cannot be read."""
    try:
        if not card.is_file() or card.stat().st_size > MAX_CARD_BYTES:
            return {}
        facts = json.loads(card.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def addable_models() -> tuple[ModelSpec, ...]:
    """Those of the catalogue whose weights the user adds."""
    return tuple(spec for spec in _catalogue() if not spec.is_bundled)


def _catalogue() -> tuple[ModelSpec, ...]:
    return (*core.models.MODELS, *core.models.SEGMENTERS)


def find_addable(name: str) -> ModelSpec:
    """The line of the catalogue with a name, of those whose weights the user adds.

    Raises:
        ModelUnavailable: There is none; names those that there are.
    """
    for spec in addable_models():
        if spec.name == name:
            return spec
    names = ", ".join(spec.name for spec in addable_models())
    got = f"{name}, which comes with the program" if any(spec.name == name for spec in _catalogue()) else name
    raise ModelUnavailable(f"Expected one of the models whose weights are added, {names}, got {got}.")


def _recognised(entries: Mapping[str, object], path: Path) -> ModelSpec:
    """The model to which most names and shapes of a checkpoint belong; the file's own name decides between equals."""
    best = _likeliest(entries)
    named = [spec for spec in best if spec.hub is not None and spec.hub.file == path.name]
    if len(named or best) != 1:
        names = ", ".join(spec.name for spec in best or addable_models())
        raise ModelUnavailable(
            f"Expected a file whose entries belong to one of the models {names}, got one that does not tell to which; "
            f"say it with --as NAME, or choose the published file: {path}"
        )
    return (named or best)[0]


def _check_kind(spec: ModelSpec, entries: Mapping[str, object], path: Path) -> None:
    """Refuse what rather belongs to another model, and name that."""
    best = _likeliest(entries)
    if best and spec not in best:
        raise ModelUnavailable(
            f"Expected the weights of {spec.name}, got those of {' or '.join(other.name for other in best)}; choose "
            f"another file, or add it as what it is: {path}"
        )


def _likeliest(entries: Mapping[str, object]) -> list[ModelSpec]:
    """The models to which most names and shapes of a checkpoint belong; none where half of the names are missing."""
    shares = {}
    for spec in addable_models():
        layout = _layout(spec)
        if len(layout.shapes.keys() & entries.keys()) >= _ENOUGH * len(layout.shapes):
            fitting = sum(_shape_of(entries.get(name)) == shape for name, shape in layout.shapes.items())
            shares[spec] = fitting / len(layout.shapes.keys() | (entries.keys() - layout.aliases.keys()))
    return [spec for spec, share in shares.items() if share == max(shares.values())]


def _shape_of(value: object) -> tuple[int, ...] | None:
    shape = getattr(value, "shape", None)
    return None if shape is None else tuple(shape)


def _layout(spec: ModelSpec) -> Layout:
    module, _, function = spec.layout.partition(":")
    return cast(Layout, getattr(import_module(module), function)())
