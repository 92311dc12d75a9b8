"""Work on many files by Ray Data: on this machine or on many that see the same folders."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import socket
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.io.atomic import make_folder
from training.batch import ATTEMPTS, Outcome, Work, attempt, given_up

LOCAL = "local"
TOGETHER = 16
"""Files that are handed out at once, at most; one whose worker is killed is begun again with those beside it, which are
then found done."""
_BEGUN = ".begun"
_TOLD = 200
_REACHED_S = 10.0
_STORE_BYTES = 128 << 20
"""For what passes between processes, which is names and reasons."""


def outcomes_on_ray(
    work: Work, files: Sequence[Path], out: Path, address: str, *, workers: int, gpus: float = 0.0
) -> Generator[Outcome]:
    """What becomes of each file, in the order in which they are finished.

    A worker that is killed is replaced and its files are begun again by another one.

    Args:
        work: What to do.
        files: As every machine of the cluster sees them.
        out: Folder of the results, likewise.
        address: "local" for one that is started here and ended afterwards; "auto" or the address of one that runs.
        workers: Processes.
        gpus: Of each of them.

    Raises:
        PanoError: Ray is not installed, there is no such cluster, it breaks down, or no file can be worked on.
    """
    _check_reachable(address)
    ray = _ray()
    begun = out / _BEGUN
    make_folder(begun)
    for mark in begun.iterdir():  # of a run that was interrupted
        mark.unlink(missing_ok=True)
    is_ours = not ray.is_initialized()
    if is_ours:
        _connect(ray, address, workers)
    try:
        yield from _outcomes(ray, (work, begun), files, workers, gpus)
    except ray.exceptions.RayError as error:
        told = " ".join(str(error).split())[:_TOLD]
        raise PanoError(
            f"Expected a Ray cluster that finishes, got {type(error).__name__} ({told}); start again, what is done is "
            f"kept: {address}"
        ) from error
    finally:
        if is_ours:
            ray.shutdown()
        shutil.rmtree(begun, ignore_errors=True)


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_REACHED_S).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from error


def _no_cluster(address: str, why: str) -> PanoError:
    told = " ".join(why.split())[:_TOLD]
    return PanoError(
        f"Expected a Ray cluster, got none ({told}); start one with 'ray start --head', or choose --cluster local: "
        f"{address}"
    )


def _ray() -> Any:  # noqa: ANN401
    # Both are read when Ray is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise PanoError(
            "A cluster needs ray, which is not installed. Install it with: pip install 'panoviewer[cluster]', or leave "
            "out --cluster and choose --workers."
        ) from error
    return ray


def _connect(ray: Any, address: str, workers: int) -> None:  # noqa: ANN401
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address == LOCAL:
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _no_cluster(address, str(error)) from error


def _outcomes(
    ray: Any,  # noqa: ANN401
    made_of: tuple[Work, Path],
    files: Sequence[Path],
    workers: int,
    gpus: float,
) -> Generator[Outcome]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    together = max(1, min(TOGETHER, len(files) // (4 * workers)))
    # Elsewhere the current folder is another one.
    left = {str(path.absolute()): path for path in files}
    rows = (
        ray.data.from_items([{"file": name} for name in left], override_num_blocks=-(-len(left) // together))
        .map_batches(
            RayWorker,
            fn_constructor_args=made_of,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(left))),
            num_cpus=1,
            num_gpus=gpus or None,
        )
        .iter_rows()
    )
    for row in rows:
        if row["is_fatal"]:
            raise PanoError(row["reason"])
        path = left.pop(row["file"], None)
        if path is not None:  # a group that is begun again is told of again
            yield Outcome(path, bool(row["done"]), str(row["reason"]))


class RayWorker:
    """A process of the cluster.

    Args:
        work: What it does.
        begun: Folder in which it marks what it has begun. Ray tries without end what ends a worker; a mark that is left
            tells the next one.
    """

    def __init__(self, work: Work, begun: Path) -> None:
        self._begun = begun
        self._fatal = ""
        try:
            self._do = work.start()
        except PanoError as error:  # told by the first answer: an exception here would be tried again without end
            self._fatal = str(error)

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What becomes of some files."""
        outcomes = [self._outcome(Path(str(name))) for name in batch["file"]]
        return {
            "file": np.array([str(outcome.file) for outcome in outcomes]),
            "done": np.array([outcome.done for outcome in outcomes]),
            "reason": np.array([outcome.reason for outcome in outcomes]),
            "is_fatal": np.full(len(outcomes), bool(self._fatal)),
        }

    def _outcome(self, path: Path) -> Outcome:
        if self._fatal:
            return Outcome(path, False, self._fatal)
        mark = self._begun / hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()
        with mark.open("ab") as stream:
            if stream.tell() >= ATTEMPTS:
                return given_up(path)
            stream.write(b".")
        outcome = attempt(self._do, path)
        mark.unlink(missing_ok=True)
        return outcome
