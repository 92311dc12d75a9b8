"""Perspective networks by their names in the hub: what one is and may be used for, told before it is fetched.

Only the files that `perspective_folder` reads are asked for, in one version, each taken up where it broke off. They lie
under the folder of added weights as the hub's own tools would lay them out, and stay what they were: their hashes are
written down and compared by `verify_folder`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from core.errors import ModelUnavailable
from core.io.atomic import atomic_file, export_errors, make_folder
from core.io.digest import content_sha256
from core.models import HubFile, models_folder
from core.models.base import Task
from core.models.expected import seconds_for
from core.models.hub import alone, check_space
from core.models.hub_server import Answer, HubServer, NoSuchFile
from core.models.perspective_folder import (
    CONFIG,
    INDEX,
    PREPROCESSING,
    README,
    WEIGHTS,
    PerspectiveFolder,
    cached_folder,
    described,
    is_hub_name,
    own_folder,
    weight_files,
)
from core.models.store import Card, FileFacts, Origin
from core.progress import Progress, silent, stage

FREE = frozenset(("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "unlicense"))
"""Licences that forbid no use; about any other one is asked."""
_CARD = "panoviewer.json"
_FOLDER = ".fetched"
_LARGEST_TEXT = 32 << 20
_TOLD = 0.95
"""Share of the work at which everything has arrived."""


@dataclass(frozen=True)
class FolderOffer:
    """A published network that can be had; of its files only those that describe it have been fetched.

    Attributes:
        folder: What it is. Its weights are not there yet.
        files: What the server says about each file of weights, by name.
        commit: The version.
        is_here: This version has been fetched before.
        arrived: Bytes of the weights that lie here from a transfer that broke off.
        expected_seconds: For one prediction on this processor, as `core.models.expected` estimates it; None where that
            cannot be known.
    """

    folder: PerspectiveFolder
    files: dict[str, Answer]
    commit: str
    is_here: bool
    arrived: int
    expected_seconds: float | None

    @property
    def name(self) -> str:
        """In the hub."""
        return self.folder.name

    @property
    def task(self) -> Task:
        """What it says."""
        return self.folder.task

    @property
    def licence(self) -> str:
        """As its publisher states it."""
        return self.folder.licence

    @property
    def asks(self) -> bool:
        """True when the licence may forbid some uses, or is not stated."""
        return self.licence.lower() not in FREE

    @property
    def bytes(self) -> int:
        """Size of the weights."""
        return sum(answer.bytes for answer in self.files.values())


def look_folder(name: str, *, progress: Progress = silent) -> FolderOffer:
    """Ask the server about a network; fetches the few kilobytes that describe it.

    Args:
        name: "owner/name".
        progress: Called while the server is silent; may raise `Cancelled`.

    Raises:
        ModelUnavailable: There is no such network, it is of a kind that is not understood, `huggingface_hub` is not
            installed, or there is no network.
        ExportError: What describes it cannot be written.
    """
    if not is_hub_name(name):
        raise ModelUnavailable(f"Expected the name of a network in the hub, such as owner/name, got {name[:80]!r}.")
    first = _server(name, CONFIG).ask(progress)
    part = _arriving(name, first.commit)
    make_folder(part)
    with alone(part.parent):
        _fetch_text(name, CONFIG, first, part, progress)
        for file in (PREPROCESSING, README):
            try:
                _fetch_text(name, file, _server(name, file, first.commit).ask(progress), part, progress)
            except NoSuchFile:
                (part / file).unlink(missing_ok=True)  # of README the licence is then not stated; the other is told
        files = _weights(name, first.commit, part, progress)
        folder = replace(described(part, part / _main(files), tuple(part / file for file in files)), name=name)
    arrived = sum((part / file).stat().st_size for file in files if (part / file).is_file())
    here = cached_folder(name)
    return FolderOffer(
        folder=folder,
        files=files,
        commit=first.commit,
        is_here=here is not None and here.name == first.commit and all((here / file).is_file() for file in files),
        arrived=arrived,
        expected_seconds=_expected_seconds(folder),
    )


def pull_folder(offer: FolderOffer, *, progress: Progress = silent) -> Path:
    """Fetch the weights of a network; afterwards it is a model by its name.

    Args:
        offer: Of `look_folder`.
        progress: Called as it goes on, about ten times a second while the server is silent; may raise `Cancelled`.
            What has arrived then is kept for the next time.

    Returns:
        Its folder.

    Raises:
        ModelUnavailable: The server cannot be reached or breaks off, or what has arrived is not what it had announced.
        OutOfSpace: There is too little space.
        ExportError: It cannot be written.
    """
    part, done = _arriving(offer.name, offer.commit), 0
    make_folder(part)
    card: dict[str, FileFacts] = {}
    with alone(part.parent):
        check_space(offer.bytes - offer.arrived, part)
        for file, answer in offer.files.items():
            share = partial(_share, done, answer.bytes, offer.bytes)
            server = _server(offer.name, file, offer.commit)
            server.fetch(answer, part / file, stage(progress, *share(0.0, _TOLD)))
            card[file] = FileFacts(file, answer.bytes, content_sha256(part / file))
            if answer.sha256 and card[file].sha256 != answer.sha256:
                (part / file).unlink()
                raise ModelUnavailable(
                    f"Expected a file with SHA-256 {answer.sha256[:16]}…, as the server announces, got "
                    f"{card[file].sha256[:16]}…; nothing was added: pull {offer.name} again."
                )
            done += answer.bytes
        with atomic_file(part / _CARD) as stream:
            stream.write(json.dumps({"files": [asdict(facts) for facts in card.values()]}, indent=1).encode() + b"\n")
        repo = own_folder(offer.name)
        target = repo / "snapshots" / offer.commit
        make_folder(target.parent)
        make_folder(repo / "refs")
        with export_errors(target):
            if target.exists():
                shutil.rmtree(target)
            os.replace(part, target)
        # Only now it is found; whoever is killed before has a folder that the next time replaces.
        with atomic_file(repo / "refs" / "main") as stream:
            stream.write(offer.commit.encode())
    progress(1, 1)
    return target


def verify_folder(name: str, *, progress: Progress = silent) -> Card:
    """Compare the weights of a fetched network with what they were when they arrived.

    Raises:
        ModelUnavailable: They differ, or the network was not fetched by this program.
    """
    folder = _own(name)
    try:
        listed = json.loads((folder / _CARD).read_bytes())["files"]
        files = [FileFacts(str(one["name"]), int(one["bytes"]), str(one["sha256"])) for one in listed]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelUnavailable(
            f"Expected a card that says what the files were, got none; pull {name} again: {folder / _CARD}"
        ) from error
    for number, facts in enumerate(files):
        path = folder / Path(facts.name).name
        part = stage(progress, number / len(files), (number + 1) / len(files))
        if not path.is_file() or content_sha256(path, progress=part) != facts.sha256:
            raise ModelUnavailable(
                f"Expected the weights of {name} as they arrived (SHA-256 {facts.sha256[:16]}…), got a file that has "
                f"changed since; remove it and pull it again: {path}"
            )
    return Card(name, files[0], files[0], Origin(name, files[0].name, folder.name))


def remove_folder(name: str) -> int:
    """Delete a fetched network.

    Returns:
        The bytes that became free.

    Raises:
        ModelUnavailable: It was not fetched by this program.
        ExportError: It cannot be deleted.
    """
    folder = _own(name)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    with export_errors(folder):
        (own_folder(name) / "refs" / "main").unlink(missing_ok=True)
        shutil.rmtree(own_folder(name))
    return size


def _own(name: str) -> Path:
    folder = cached_folder(name)
    if folder is None or not folder.is_relative_to(own_folder(name)):
        raise ModelUnavailable(
            f"Expected a network that was fetched with 'panoviewer models pull {name}', got none in: {models_folder()}"
        )
    return folder


def _server(name: str, file: str, revision: str = "main") -> HubServer:
    by_hand = f"run 'hf download {name}' where there is a network and choose the folder that it makes."
    return HubServer(HubFile(name, file, revision), name, by_hand=by_hand)


def _arriving(name: str, commit: str) -> Path:
    """Where the files of a version arrive."""
    content = hashlib.sha256(f"{name} {commit}".encode()).hexdigest()[:16]
    return models_folder() / _FOLDER / f"{name.replace('/', '--')}.{content}"


def _fetch_text(name: str, file: str, answer: Answer, part: Path, progress: Progress) -> None:
    if answer.bytes > _LARGEST_TEXT:
        raise ModelUnavailable(
            f"Expected a description of at most {_LARGEST_TEXT >> 20} MB, got {answer.bytes >> 20} MB; choose another "
            f"network than {name}."
        )
    (part / file).unlink(missing_ok=True)  # a few kilobytes are not worth taking up
    _server(name, file, answer.commit).fetch(answer, part / file, progress)


def _weights(name: str, commit: str, part: Path, progress: Progress) -> dict[str, Answer]:
    """What the server says about the files of weights."""
    try:
        return {WEIGHTS: _server(name, WEIGHTS, commit).ask(progress)}
    except NoSuchFile as error:
        try:
            _fetch_text(name, INDEX, _server(name, INDEX, commit).ask(progress), part, progress)
        except NoSuchFile:
            raise ModelUnavailable(
                f"Expected {WEIGHTS} in {name}, got none; other kinds of files may run code when they are read and are "
                "left alone, so choose a network with safetensors."
            ) from error
    return {file: _server(name, file, commit).ask(progress) for file in weight_files(part / INDEX)}


def _main(files: Sequence[str] | dict[str, Answer]) -> str:
    return WEIGHTS if WEIGHTS in files else INDEX


def _share(done: int, size: int, total: int, begin: float, end: float) -> tuple[float, float]:
    """The part of the work from `begin` to `end` that `size` of `total` bytes are, after `done` of them."""
    return begin + (end - begin) * done / total, begin + (end - begin) * (done + size) / total


def _expected_seconds(folder: PerspectiveFolder) -> float | None:
    from core.models.perspective import operations

    count = operations(folder)
    return seconds_for(count) if count else None
