"""One piece of work on many files: here, by several processes, or on a cluster, with the same outcome.

Work writes files that are whole or not there, and leaves alone what is there already. So it does not matter how often
it is begun: interrupted, killed or cut off, it goes on where it was.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from core.errors import PanoError
from core.io.atomic import atomic_file, export_errors, make_folder
from core.io.digest import content_sha256
from core.io.folder import list_panoramas
from core.progress import Progress, silent
from training.worlds.shards import SUFFIX, in_shard, member_sha256, shard_keys

if TYPE_CHECKING:
    Line = connection.Connection[Any, Any]

REJECTED = "rejected.tsv"
ATTEMPTS = 3
"""Times that a file may take its worker with it before it is given up."""
_log = logging.getLogger(__name__)

Do = Callable[[Path], bool]
"""Work on one file; True when it was done, False when it had been done before. A `PanoError` says why it cannot be."""


class Work(Protocol):
    """What is to be done with each file; small, and pickled to whoever does it."""

    def start(self) -> Do:
        """Make ready, once in every process: load models.

        Raises:
            PanoError: No file can be worked on here.
        """
        ...


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes:
        file: The file.
        done: False when it had been done before.
        reason: Why it could not be done; empty when it could.
    """

    file: Path
    done: bool = True
    reason: str = ""


@dataclass
class Report:
    """What became of all files.

    Attributes:
        done: How many were worked on.
        kept: How many had been done before.
        bad: Those that could not be done, and why.
    """

    done: int = 0
    kept: int = 0
    bad: dict[Path, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        if outcome.reason:
            self.bad[outcome.file] = outcome.reason
        elif outcome.done:
            self.done += 1
        else:
            self.kept += 1


@dataclass(frozen=True)
class Where:
    """Where work is done."""

    workers: int = 1
    """Processes. With a GPU, as many as its memory holds models."""
    cluster: str = ""
    """Work on Ray: local starts it on this machine, auto uses the one that runs here, an address one elsewhere, whose
    machines must see the same folders. Needs the optional packages of panoviewer[cluster]."""
    gpus: float = 0.0
    """GPUs, or the share of one, that each worker takes on a cluster."""

    def __post_init__(self) -> None:
        if self.workers < 1 or self.gpus < 0:
            raise PanoError(
                f"Expected at least one worker and no less than 0 GPUs, got {self.workers} and {self.gpus}; choose "
                "others."
            )


def run_batch(
    work: Work, files: Sequence[Path], out: Path, where: Where | None = None, *, progress: Progress = silent
) -> Report:
    """Do the same with many files; those that cannot be done do not stop the rest.

    What could not be done is listed with its reason in `REJECTED` in the folder of results, also after an interruption;
    what earlier runs listed of files that this one did not reach stays there.

    Args:
        work: What to do; writes into `out`.
        files: Each once.
        out: Folder of the results.
        where: One process, when left out.
        progress: Called after each file, in this process; may raise `Cancelled`.

    Returns:
        What became of them.

    Raises:
        PanoError: No file can be worked on: there is no such model, Ray is not installed, workers do not survive.
    """
    where = where or Where()
    make_folder(out)
    report, reached = Report(), set[str]()
    progress(0, len(files))
    try:
        # Closed at once when `progress` ends it, so that no process is left behind.
        with closing(_outcomes(work, files, out, where)) as outcomes:
            for number, outcome in enumerate(outcomes, start=1):
                report.add(outcome)
                reached.add(str(outcome.file))
                progress(number, len(files))
    finally:
        _write_rejected(report, reached, out / REJECTED)
    return report


def named_by_content(path: Path) -> tuple[str, str]:
    """A name for what is made of a file, its stem and 12 digits of its content's SHA-256, and all the digits.

    Args:
        path: The file, or a world in a shard.

    Raises:
        PanoError: It cannot be read.
    """
    try:
        digest = member_sha256(path) if in_shard(path) else content_sha256(path)
    except OSError as error:
        raise PanoError(
            f"Expected a file that can be read, got an error ({error.strerror or error}): {path}"
        ) from error
    return f"{path.stem}-{digest[:12]}", digest


def gathered(inputs: Iterable[Path], out: Path, *, worlds: bool) -> list[Path]:
    """The files that are meant, sorted, each once.

    Args:
        inputs: Pictures, and folders of pictures.
        out: Folder of the results; what lies in it is not meant.
        worlds: Whether worlds and labelled panoramas are meant, too: *.npz, and those in shards (*.tar).

    Raises:
        PanoError: There is none.
    """
    inputs = list(inputs)
    found: list[Path] = []
    for given in inputs:
        if given.is_file():
            found += _unpacked(given) if worlds else [given]
            continue
        listing = list_panoramas(given)
        # Those of other kinds, too: it is to be told that they cannot be read.
        found += [*listing.panoramas, *listing.foreign]
        if worlds:
            there = [path for path in given.rglob("*") if path.suffix in (".npz", SUFFIX) and path.is_file()]
            found += (one for path in there if not _is_hidden(path, given) for one in _unpacked(path))
    results = out.resolve()
    files = {path.resolve(): path for path in found}
    meant = sorted(path for whole, path in files.items() if not whole.is_relative_to(results))
    if not meant:
        kinds = "photographs or worlds (*.npz, *.tar)" if worlds else "photographs"
        raise PanoError(f"Expected {kinds} to work on, got none; choose another folder: {', '.join(map(str, inputs))}")
    return meant


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether a file, or a folder that it lies in, is hidden: worlds of a shard that is not complete are."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _unpacked(path: Path) -> list[Path]:
    """The worlds in a shard as paths into it; any other file, also a broken shard, by itself."""
    if path.suffix != SUFFIX:
        return [path]
    try:
        return [path / f"{key}.npz" for key in shard_keys(path)]
    except PanoError:
        return [path]


def attempt(do: Do, path: Path) -> Outcome:
    """Work on one file, whatever comes of it."""
    try:
        return Outcome(path, do(path))
    except (PanoError, OSError, MemoryError) as error:
        return Outcome(path, False, " ".join(str(error).split()) or type(error).__name__)
    except Exception as error:  # one file must not stop a million others; the log has the traceback
        _log.exception("Unexpected error: %s", path)
        return Outcome(path, False, f"unexpected {type(error).__name__}: {' '.join(str(error).split())}")


def _outcomes(work: Work, files: Sequence[Path], out: Path, where: Where) -> Generator[Outcome]:
    if where.cluster:
        from training.cluster import outcomes_on_ray

        return outcomes_on_ray(work, files, out, where.cluster, workers=where.workers, gpus=where.gpus)
    if where.workers == 1:
        return _outcomes_here(work, files)
    return _outcomes_of_processes(work, files, where.workers)


def _outcomes_here(work: Work, files: Sequence[Path]) -> Generator[Outcome]:
    do = work.start()
    for path in files:
        yield attempt(do, path)


def _write_rejected(report: Report, reached: set[str], path: Path) -> None:
    """The list of what could not be done, also by earlier runs on other files; no file when everything could."""
    bad = {name: reason for name, reason in _read_rejected(path).items() if name not in reached}
    bad |= {str(file): " ".join(reason.split()) for file, reason in report.bad.items()}
    if not bad:
        with export_errors(path):
            path.unlink(missing_ok=True)
        return
    rows = [f"{file}\t{reason}\n" for file, reason in sorted(bad.items())]
    with atomic_file(path) as stream:
        stream.write("".join(["file\treason\n", *rows]).encode(errors="surrogateescape"))


def _read_rejected(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with export_errors(path):
        lines = path.read_bytes().decode(errors="surrogateescape").split("\n")
    return {name: reason for name, tab, reason in (line.partition("\t") for line in lines[1:]) if tab}


@dataclass(eq=False)
class _Worker:
    """A process of its own, our end of the line to it, and what it works on."""

    process: Any
    line: Line
    file: Path | None = None


def _outcomes_of_processes(work: Work, files: Sequence[Path], count: int) -> Generator[Outcome]:
    """One file at a time to each process, so that it is known which file a process was ended at."""
    context = multiprocessing.get_context("spawn")
    waiting, ended, in_a_row = deque(files), Counter[Path](), 0
    workers: list[_Worker] = []

    def hire() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(work, theirs, count), daemon=True)
        process.start()
        theirs.close()
        workers.append(_Worker(process, ours))

    try:
        while waiting or any(worker.file for worker in workers):
            idle = [worker for worker in workers if worker.file is None]
            while len(idle) < len(waiting) and len(workers) < count:
                hire()
                idle.append(workers[-1])
            for worker, _ in zip(idle, range(len(waiting)), strict=False):
                worker.file = waiting.popleft()
                _send(worker)
            at_work = {worker.line: (worker, worker.file) for worker in workers if worker.file is not None}
            for line in connection.wait(list(at_work)):
                worker, file = at_work[cast("Line", line)]
                worker.file = None
                try:
                    answer = worker.line.recv()
                except (EOFError, ConnectionError):
                    workers.remove(worker)
                    worker.process.join()
                    ended[file] += 1
                    in_a_row += 1
                    if in_a_row > max(ATTEMPTS, count) * ATTEMPTS:
                        raise PanoError(
                            f"Expected workers that finish a file, got {in_a_row} that were ended before, one after "
                            "the other; choose fewer --workers, the memory may not hold so many."
                        ) from None
                    if ended[file] < ATTEMPTS:
                        waiting.append(file)
                    else:
                        yield given_up(file)
                    continue
                if isinstance(answer, PanoError):
                    raise answer
                in_a_row = 0
                yield answer
    finally:
        for worker in workers:
            worker.line.close()
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


def given_up(file: Path) -> Outcome:
    """The outcome of a file that nobody survives."""
    return Outcome(
        file, False, f"its worker was ended {ATTEMPTS} times, by the system or for want of memory; try it alone"
    )


def _send(worker: _Worker) -> None:
    # A process that is gone is noticed when its answer is waited for.
    try:
        worker.line.send(worker.file)
    except (BrokenPipeError, ConnectionError):
        _log.debug("A worker had ended before it was sent %s", worker.file)


def _serve(work: Work, line: Line, count: int) -> None:
    """The life of one of so many processes: files in, outcomes out, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Or each would take all cores; networks read it when they are loaded.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    try:
        do = work.start()
    except PanoError as error:
        line.send(error)
        return
    while True:
        try:
            path = line.recv()
        except EOFError:
            return
        line.send(attempt(do, path))
