"""Published weights fetched from the Hugging Face Hub, or a mirror of it, and taken over like a file that was brought.

Nothing here happens unless the user asks for it. What has arrived lies under a temporary name until it is complete and
its hash is known; a transfer that broke off, whatever broke it, goes on where it was when it is asked for again. A hash
that nobody has published is recorded when the file is first used and compared ever after.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ModelUnavailable, OutOfSpace
from core.io.atomic import atomic_file, export_errors, make_folder
from core.io.digest import content_sha256
from core.io.lock import ProjectLocked, lock_project
from core.models import HubFile, ModelSpec, models_folder, weights_file
from core.models.expected import expected
from core.models.hub_server import Answer, HubServer
from core.models.store import Card, Origin, add_model, find_addable, read_card
from core.progress import Progress, silent, stage

_FOLDER = ".fetched"
_FIRST = "first.json"
_MAX_FIRST_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FETCHED, _HASHED = 0.9, 0.92
"""Shares of the work at which the file has arrived, and its hash is known."""


@dataclass(frozen=True)
class Offer:
    """A published file that can be had, before anything of it is fetched.

    Attributes:
        spec: The model it belongs to.
        answer: What the server says about it.
        arrived: Bytes of it that lie here from a transfer that broke off.
        is_added: The weights that were added are those of this file.
        is_changed: The publisher has another file there now than when it was first used here.
        expected_seconds: For one prediction on this processor, as `core.models.expected` estimates it; None where that
            cannot be known.
    """

    spec: ModelSpec
    answer: Answer
    arrived: int
    is_added: bool
    is_changed: bool
    expected_seconds: float | None

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return self.answer.bytes

    @property
    def sha256(self) -> str:
        """Of the content, in hexadecimal; empty where the server does not say."""
        return self.answer.sha256

    @property
    def needed_bytes(self) -> int:
        """Space that is still needed: for the rest of the file, and for the weights that are made of it."""
        return self.bytes - self.arrived + (4 * self.spec.parameters or self.bytes)


def look(name: str, *, progress: Progress = silent) -> Offer:
    """Ask the server about the published file of a model; one request.

    Args:
        name: Of the catalogue.
        progress: Called while the server is silent; may raise `Cancelled`.

    Raises:
        ModelUnavailable: There is no such model, it is not known where its file lies, `huggingface_hub` is not
            installed, there is no network, or the server does not have or does not give the file.
    """
    spec = find_addable(name)
    place = _place(spec)
    answer = HubServer(place, spec.name).ask(progress)
    part = _part(spec, answer)
    card = read_card(spec) if weights_file(spec).is_file() else None
    first = _first_used().get(_key(place), {"sha256": answer.tag})
    return Offer(
        spec=spec,
        answer=answer,
        arrived=min(part.stat().st_size, answer.bytes) if part.is_file() else 0,
        is_added=card is not None and card.source.sha256 == answer.tag,
        is_changed=bool(answer.sha256) and first["sha256"] != answer.tag,
        expected_seconds=expected(spec).seconds,
    )


def pull(offer: Offer, *, progress: Progress = silent) -> Card:
    """Fetch a published file and take it over; see `core.models.store.add_model`. The file itself is not kept.

    Args:
        offer: Of `look`.
        progress: Called as it goes on, about ten times a second while the server is silent; may raise `Cancelled`.
            What has arrived then is kept for the next time.

    Raises:
        ModelUnavailable: The server cannot be reached or breaks off, what has arrived is not what it had announced, or
            not what was first used here, or it does not hold this model's weights; or another PanoViewer is at it.
        OutOfSpace: There is too little space for the file and the weights made of it.
        ExportError: It cannot be written.
    """
    spec, place = offer.spec, _place(offer.spec)
    server = HubServer(place, spec.name)
    part = _part(spec, offer.answer)
    make_folder(part.parent)
    with alone(part.parent):
        _forget_others(spec, part)
        check_space(offer.needed_bytes, part)
        server.fetch(offer.answer, part, stage(progress, 0.0, _FETCHED))
        sha256 = content_sha256(part, progress=stage(progress, _FETCHED, _HASHED))
        _check_content(offer, part, sha256, server)
        try:
            origin = Origin(place.repo, place.file, offer.answer.commit)
            card = add_model(part, name=spec.name, origin=origin, progress=stage(progress, _HASHED, 1.0))
        except ModelUnavailable:
            part.unlink()  # it is complete, and of no use to this version
            raise
        part.unlink()
        _remember(place, offer.answer.commit, sha256)
        return card


def _place(spec: ModelSpec) -> HubFile:
    if spec.hub is None:
        raise ModelUnavailable(
            f"It is not known where the weights of {spec.name} are published; get them from their authors and add them "
            f"with 'panoviewer models add FILE --as {spec.name}'."
        )
    return spec.hub


def _key(place: HubFile) -> str:
    return f"{place.repo}/{place.file}"


def _part(spec: ModelSpec, answer: Answer) -> Path:
    """Where a file of this content arrives; another content never mixes with it."""
    place = _place(spec)
    content = hashlib.sha256(f"{_key(place)} {answer.tag}".encode()).hexdigest()[:16]
    return models_folder() / _FOLDER / f"{spec.name}.{content}.part{Path(place.file).suffix}"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within, nobody else fetches into a folder.

    Raises:
        ModelUnavailable: Another PanoViewer does.
    """
    try:
        lock = lock_project(folder)
    except ProjectLocked as error:
        who = f" (process {error.owner.pid} on {error.owner.host})" if error.owner else ""
        raise ModelUnavailable(
            f"Another PanoViewer{who} is fetching weights into this folder; wait until it is done: {folder}"
        ) from error
    with lock:
        yield


def _forget_others(spec: ModelSpec, part: Path) -> None:
    """Remove what has arrived of versions of the file that the publisher has replaced since."""
    for other in part.parent.glob(f"{spec.name}.{'?' * 16}.part*"):
        if other != part:
            other.unlink(missing_ok=True)


def check_space(needed: int, part: Path) -> None:
    """Refuse to begin what will not fit.

    Args:
        needed: Bytes.
        part: Where they will arrive.

    Raises:
        OutOfSpace: There is less.
    """
    with export_errors(part):
        free = shutil.disk_usage(part.parent).free
    if free < needed:
        raise OutOfSpace(
            f"Expected {needed / 1e6:.0f} MB of free space for the file and the weights made of it, got "
            f"{free / 1e6:.0f} MB; free some, or choose another folder with 'panoviewer models settings --folder DIR': "
            f"{models_folder()}"
        )


def _check_content(offer: Offer, part: Path, sha256: str, server: HubServer) -> None:
    """Refuse what has arrived when it is not what it should be, and remove it."""
    first = _first_used().get(_key(_place(offer.spec)), {})
    if offer.sha256 and sha256 != offer.sha256:
        expected, why = offer.sha256, "as the server announces"
    elif first.get("commit") == offer.answer.commit and first["sha256"] != sha256:
        expected, why = first["sha256"], "as when this version was first used here"
    else:
        return
    part.unlink()
    raise ModelUnavailable(
        f"Expected a file with SHA-256 {expected[:16]}…, {why}, got {sha256[:16]}…; nothing was added: pull it again, "
        f"or {server.by_hand}"
    )


def _first_used() -> dict[str, dict[str, Any]]:
    """What published files were when they were first used here, by repository and name."""
    path = models_folder() / _FOLDER / _FIRST
    try:
        if path.stat().st_size > _MAX_FIRST_BYTES:
            return {}
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(facts, dict):
        return {}
    return {
        key: entry
        for key, entry in facts.items()
        if isinstance(entry, dict) and {"commit", "sha256"} <= entry.keys() and _SHA256.fullmatch(str(entry["sha256"]))
    }


def _remember(place: HubFile, commit: str, sha256: str) -> None:
    facts = _first_used() | {_key(place): {"commit": commit, "sha256": sha256}}
    with atomic_file(models_folder() / _FOLDER / _FIRST) as stream:
        stream.write(json.dumps(facts, indent=1).encode() + b"\n")
