"""The server that published weights are fetched from, as `huggingface_hub` speaks with it.

That package knows addresses, mirrors, logins and what refusals mean. Since its version 2 it no longer takes up a
transfer that another process had begun, so that the bytes themselves are fetched here, over its connection.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from io import FileIO
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any, Protocol

from core.errors import ModelUnavailable
from core.io.atomic import export_errors
from core.models import HubFile
from core.models.places import read_places
from core.progress import Progress, silent

_log = logging.getLogger(__name__)

SECONDS = 10.0
"""After which a server that says nothing is taken for gone."""
RETRIES = 5
"""Attempts without a byte of news before a transfer is given up."""
PAUSE = 1.0
"""Seconds before the first of them; each further one waits so much longer."""

_AHEAD = 8
"""Pieces that are read before they are written."""
_LISTEN = 0.1
"""Seconds between two looks whether the user has enough of waiting."""
_INSTALL = "pip install 'panoviewer[published]'"
_OWN_NAME = "panoviewer"
_EXTENT = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BEYOND = 416
_BUSY = (408, 429, 500, 502, 503, 504)
"""Answers after which one asks again."""


@dataclass(frozen=True)
class Answer:
    """What a server says about a file.

    Attributes:
        address: Of the file in exactly this version.
        commit: That version.
        tag: The server's name for the content; its SHA-256 in hexadecimal for all large files.
        bytes: Size of the file.
    """

    address: str
    commit: str
    tag: str
    bytes: int

    @property
    def sha256(self) -> str:
        """Of the content, in hexadecimal; empty where the server does not say."""
        return self.tag if _SHA256.fullmatch(self.tag) else ""


class NoSuchFile(ModelUnavailable):
    """The server has the repository, and no such file in it."""


class _Response(Protocol):
    """The part of an answer that is used here."""

    headers: Mapping[str, str]


class HubServer:
    """The Hugging Face Hub or what stands in for it: HF_ENDPOINT, or else the mirror that the user has chosen.

    Args:
        place: The file that is wanted.
        name: Of the model, for the sentences.
        by_hand: How to do without the server, as the end of a sentence; to add the file when left out.

    Raises:
        ModelUnavailable: `huggingface_hub` is not installed.
    """

    def __init__(self, place: HubFile, name: str, *, by_hand: str = "") -> None:
        self._place, self._name = place, name
        file = Path(place.file).name
        self.by_hand = by_hand or (
            f"get {place.file} of {place.repo} in another way and add it with 'panoviewer models add {file} "
            f"--as {name}'."
        )
        """How to do without this server: the end of a sentence."""
        try:
            self._hub = import_module("huggingface_hub")
            self._errors = import_module("huggingface_hub.errors")
            self._utils = import_module("huggingface_hub.utils")
            # It would ask the server for more than the file, and tell it what else is installed.
            constants: Any = import_module("huggingface_hub.constants")
            constants.HF_HUB_DISABLE_TELEMETRY = True
        except ImportError as error:
            raise ModelUnavailable(
                f"Downloading needs the package huggingface_hub, which is not installed; install it with {_INSTALL}, "
                f"or {self.by_hand}"
            ) from error
        # Which library is under it differs by version.
        library = type(self._utils.get_session()).__module__.partition(".")[0]
        self._broken: type[Exception] = import_module(library).TransportError

    def ask(self, progress: Progress = silent) -> Answer:
        """What the server says about the file; one request.

        Args:
            progress: Called while the server is silent; may raise `Cancelled`.

        Raises:
            ModelUnavailable: It cannot be reached, or does not have or does not give the file.
        """
        mirror = os.environ.get("HF_ENDPOINT") or read_places().mirror or None
        address = partial(self._hub.hf_hub_url, self._place.repo, self._place.file, endpoint=mirror)
        metadata = partial(
            self._hub.get_hf_file_metadata,
            address(revision=self._place.revision),
            timeout=SECONDS,
            library_name=_OWN_NAME,
            endpoint=mirror,
        )
        try:
            with self._refusals():
                (facts,) = _heard(lambda hand: hand(metadata()), lambda: progress(0, 1))
        except self._broken as error:
            raise ModelUnavailable(
                f"The server cannot be reached ({_reason(error)}); check the network, or {self.by_hand}"
            ) from error
        if not facts.commit_hash or not facts.etag or not facts.size:
            raise ModelUnavailable(
                f"Expected a server that says which file it has and how large it is, got one that does not; choose "
                f"another mirror, or {self.by_hand}"
            )
        return Answer(address(revision=facts.commit_hash), facts.commit_hash, facts.etag, facts.size)

    def fetch(self, answer: Answer, part: Path, progress: Progress) -> None:
        """Fetch what a file on the disk lacks; a connection that breaks is taken up again.

        Args:
            answer: Of `ask`.
            part: What has arrived before, if anything has; is made longer.
            progress: Hears bytes, also while the server is silent; may raise `Cancelled`.

        Raises:
            ModelUnavailable: The server cannot be reached, refuses, or gives more than it has announced.
            ExportError: The file cannot be written; `OutOfSpace` where that is the reason.
        """
        with export_errors(part), part.open("ab", buffering=0) as stream:
            if _size(stream) > answer.bytes:
                stream.truncate(0)
            attempts = 0
            while (arrived := _size(stream)) < answer.bytes:
                progress(arrived, answer.bytes)
                reason = self._fetch(answer, part, stream, progress)
                attempts = 0 if _size(stream) > arrived else attempts + 1
                if attempts > RETRIES:
                    raise ModelUnavailable(
                        f"The transfer broke off after {arrived / 1e6:.1f} of {answer.bytes / 1e6:.1f} MB ({reason}); "
                        f"'panoviewer models pull {self._name}' goes on from there, or {self.by_hand}"
                    )
                _wait(attempts * PAUSE, partial(progress, arrived, answer.bytes))
            os.fsync(stream.fileno())

    def _fetch(self, answer: Answer, part: Path, stream: FileIO, progress: Progress) -> str:
        """One request for the rest of a file; why it ended, for the case that it ended before the file did."""
        headers = self._utils.build_hf_headers(library_name=_OWN_NAME) | {"Accept-Encoding": "identity"}
        if arrived := _size(stream):
            headers["Range"] = f"bytes={arrived}-"
        session = self._utils.get_session()

        def transfer(hand: Callable[[Any], None]) -> None:
            """The head of the answer, then its body in pieces."""
            with session.stream("GET", answer.address, headers=headers, timeout=SECONDS) as response:
                if response.status_code not in (*_BUSY, _BEYOND):
                    self._utils.hf_raise_for_status(response)
                hand(response)
                if response.status_code not in (*_BUSY, _BEYOND):
                    for piece in response.iter_raw():
                        hand(piece)

        try:
            with self._refusals(), closing(_heard(transfer, lambda: progress(_size(stream), answer.bytes))) as pieces:
                response = next(pieces)
                if response.status_code in _BUSY:
                    return f"status {response.status_code}"
                begin, size = _extent(response)
                if size != answer.bytes or response.status_code == _BEYOND:
                    stream.truncate(0)
                    raise ModelUnavailable(
                        f"Expected {answer.bytes} bytes, as the server had announced, got {size}; pull it again, or "
                        f"{self.by_hand}"
                    )
                if begin != arrived:
                    stream.truncate(0)  # the server gives the whole file
                for piece in pieces:
                    with export_errors(part):
                        _write(stream, piece)
                    progress(_size(stream), answer.bytes)
        except self._broken as error:
            _log.info("the transfer of %s broke off: %s", answer.address, error)
            return _reason(error)
        return "the server ended it"

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """What a server says against giving a file becomes a sentence that ends with how to do without it."""
        place, errors = self._place, self._errors
        try:
            yield
        except errors.GatedRepoError as error:
            raise ModelUnavailable(
                f"The publisher of {place.repo} gives it only to those who have asked for it and are logged in; do so "
                f"at https://huggingface.co/{place.repo} and with 'hf auth login', or {self.by_hand}"
            ) from error
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
            kind = NoSuchFile if isinstance(error, errors.EntryNotFoundError) else ModelUnavailable
            raise kind(
                f"Expected {place.file} of {place.repo} in version {place.revision}, got the answer that there is no "
                f"such file, or none that may be seen without logging in; {self.by_hand}"
            ) from error
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            raise ModelUnavailable(f"The server refuses to give the file (status {status}); {self.by_hand}") from error
        except errors.OfflineModeIsEnabled as error:
            raise ModelUnavailable(
                f"HF_HUB_OFFLINE is set, which forbids to ask the server; unset it, or {self.by_hand}"
            ) from error


def _extent(response: _Response) -> tuple[int, int]:
    """Where in the file an answer begins, and how large it says the file is."""
    told = _EXTENT.fullmatch(response.headers.get("Content-Range", ""))
    if told is not None:
        return int(told[1] or 0), int(told[2])
    return 0, int(response.headers.get("Content-Length", 0))


def _heard(work: Callable[[Callable[[Any], None]], None], waiting: Callable[[], None]) -> Generator[Any]:
    """What some work on the network hands over, while whoever waits for it stays free to leave.

    The work is done in a thread of its own: asking for a name, connecting and reading may each be silent for
    `SECONDS`, and there is no way to be heard in between.

    Args:
        work: Is given a function that takes what is to be handed over, one after another.
        waiting: Called ten times a second until there is something; may raise. Then the thread is left to its own end,
            which is at its next piece or when the server has been silent for too long.
    """
    pieces: Queue[tuple[Any, BaseException | None, bool]] = Queue(_AHEAD)
    left = threading.Event()

    def put(value: Any, error: BaseException | None, *, is_last: bool) -> None:  # noqa: ANN401 - whatever is handed over
        while not left.is_set():
            try:
                return pieces.put((value, error, is_last), timeout=_LISTEN)
            except Full:
                continue
        raise _Left

    def run() -> None:
        with suppress(_Left):
            try:
                work(lambda value: put(value, None, is_last=False))
            except Exception as error:
                put(None, error, is_last=True)
            else:
                put(None, None, is_last=True)

    # A process that ends does not wait for it.
    threading.Thread(target=run, name="hub", daemon=True).start()
    try:
        while True:
            try:
                value, error, is_last = pieces.get(timeout=_LISTEN)
            except Empty:
                waiting()
                continue
            if error is not None:
                raise error
            if is_last:
                return
            yield value
    finally:
        left.set()


class _Left(BaseException):
    """Nobody waits any more for what is handed over."""


def _wait(seconds: float, waiting: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        waiting()
        time.sleep(_LISTEN)


def _write(stream: FileIO, chunk: bytes) -> None:
    """All of it: a disk that is nearly full takes a part without a word."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[stream.write(rest) :]


def _size(stream: FileIO) -> int:
    return os.fstat(stream.fileno()).st_size


def _reason(error: Exception) -> str:
    """Without addresses, which may be long."""
    text = " ".join(str(error).split()).partition("http")[0].strip(" :.")
    return text[:100] or type(error).__name__
