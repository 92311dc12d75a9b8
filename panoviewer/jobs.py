"""Work off the UI thread: progress, cancel, results of another panorama dropped."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import PanoError
from core.progress import Cancelled, Progress
from panoviewer.translation import mark, tr

log = logging.getLogger(__name__)

REPORT_SECONDS = 0.05
SWITCH_SECONDS = 0.001
"""How long a thread may keep Python's interpreter from the others. Every event that the window handles has to wait
for it, and there are many in one repaint; Python's own 5 ms would be felt."""
UNEXPECTED = mark("{title} failed because of a fault in the program. The log has the details.")


class Lane(StrEnum):
    """Which thread does the work. Models share one, so that two never compete for the memory of a device."""

    MODEL = "model"
    WORK = "work"
    FILES = "files"
    """What belongs to the user is read and written here, one thing after another; closing does not cut it short."""
    THUMBNAILS = "thumbnails"
    WEIGHTS = "weights"
    """What takes minutes and keeps nobody waiting: weights of models come, are compared and go."""


@dataclass(eq=False)
class Job:
    """One piece of work; `cancel` may be called from any thread and any number of times."""

    title: str
    generation: int | None
    key: str | None
    visible: bool
    done: Callable[[Any], None]
    failed: Callable[[PanoError], None] | None
    lane: Lane = Lane.WORK
    started: float = field(default_factory=time.monotonic)
    fraction: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask the work to stop at its next report; nothing will be heard of it any more."""
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        """True once `cancel` was called."""
        return self._stop.is_set()

    def seconds_spent(self) -> float:
        """Since it was asked for."""
        return time.monotonic() - self.started

    def seconds_left(self) -> float | None:
        """Estimate from the time spent so far; None while there is nothing to estimate from."""
        spent = self.seconds_spent()
        if self.fraction < 0.02 or spent < 0.5:
            return None
        return spent * (1 - self.fraction) / self.fraction


class Jobs(QObject):
    """Runs functions in threads; their results come back on the UI thread through a slot of this object.

    A job belongs to a generation, by default the current one. When the generation has moved on before the job is done,
    its result is dropped. A cancelled job is silent. A `PanoError` is handed to the job's `failed` or emitted as
    `failed`; anything else is logged with its traceback and emitted as one sentence, of which `failed` hears, too, so
    that nobody goes on waiting.

    Signals:
        changed: The set of visible jobs or the progress of one of them has changed.
        failed(str): A sentence for the user.
        succeeded(object): This visible `Job` has done what it should; its result has been handed on.
        given_up: All visible jobs were cancelled.
    """

    changed = Signal()
    failed = Signal(str)
    succeeded = Signal(object)
    given_up = Signal()
    _finished = Signal(object, object, object)
    _reported = Signal(object, float)

    def __init__(self, generation: Callable[[], int], parent: QObject | None = None) -> None:
        super().__init__(parent)
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
        self._generation = generation
        self._running: list[Job] = []
        self._lanes = {
            Lane.MODEL: ThreadPoolExecutor(1, thread_name_prefix="model"),
            Lane.WORK: ThreadPoolExecutor(2, thread_name_prefix="work"),
            Lane.FILES: ThreadPoolExecutor(1, thread_name_prefix="files"),
            Lane.THUMBNAILS: ThreadPoolExecutor(1, thread_name_prefix="thumbnails"),
            Lane.WEIGHTS: ThreadPoolExecutor(1, thread_name_prefix="weights"),
        }
        self._finished.connect(self._finish)
        self._reported.connect(self._report)

    def run(
        self,
        title: str,
        work: Callable[[Progress], Any],
        *,
        done: Callable[[Any], None],
        failed: Callable[[PanoError], None] | None = None,
        lane: Lane = Lane.WORK,
        key: str | None = None,
        visible: bool = True,
        generation: int | None = None,
        outlives: bool = False,
    ) -> Job:
        """Start `work` in a thread.

        Args:
            title: What the user reads, such as 'Estimating depth'.
            work: Called with a progress callback, which raises `Cancelled` once the job is cancelled or stale.
            done: Called on the UI thread with what `work` returned.
            failed: Called on the UI thread with a `PanoError`; None emits the signal `failed`. A fault of the program
                is told by both.
            lane: The thread to use.
            key: An older job with the same key is cancelled: only its latest result matters.
            visible: Whether the user is told that it runs.
            generation: The generation it belongs to; None for the current one.
            outlives: It belongs to none: it goes on and is told of when another panorama is opened, as a file being
                written should.
        """
        if key is not None:
            for other in self._running:
                if other.key == key:
                    other.cancel()
            self._forget_cancelled()
        current = self._generation() if generation is None else generation
        job = Job(title, None if outlives else current, key, visible, done, failed, lane)
        self._running.append(job)
        self._lanes[lane].submit(self._work, job, work)
        if visible:
            self.changed.emit()
        return job

    def visible(self) -> list[Job]:
        """The running jobs that the user is told about, oldest first."""
        return [job for job in self._running if job.visible and self._wanted(job)]

    def running(self, lane: Lane) -> list[Job]:
        """The jobs of a lane that have not been done yet and are wanted, oldest first."""
        return [job for job in self._running if job.lane is lane and self._wanted(job)]

    def runs(self, job: Job) -> bool:
        """Whether a job is still going on, and wanted."""
        return job in self._running and self._wanted(job)

    @property
    def idle(self) -> bool:
        """True when nothing runs whose result is still wanted."""
        return not any(self._wanted(job) for job in self._running)

    def cancel(self, key: str | None = None) -> None:
        """Cancel the visible jobs, or those with `key`: the window is free at once, a thread at its next report."""
        for job in self._running:
            if job.visible if key is None else job.key == key:
                job.cancel()
        self._forget_cancelled()
        self.changed.emit()
        if key is None:
            self.given_up.emit()

    def drain(self, lane: Lane) -> None:
        """Wait until a lane has done all that it was given; its results arrive later, as always."""
        self._lanes[lane].submit(lambda: None).result()

    def close(self) -> None:
        """Cancel everything, finish with the files, wait for the threads; nothing is reported afterwards."""
        for job in self._running:
            if job.lane is not Lane.FILES:
                job.cancel()
        self._running.clear()
        for lane, pool in self._lanes.items():
            pool.shutdown(wait=True, cancel_futures=lane is not Lane.FILES)

    def _wanted(self, job: Job) -> bool:
        return not job.cancelled and job.generation in (None, self._generation())

    def _forget_cancelled(self) -> None:
        self._running = [job for job in self._running if not job.cancelled]

    def _work(self, job: Job, work: Callable[[Progress], Any]) -> None:
        last = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal last
            if not self._wanted(job):
                raise Cancelled
            now = time.monotonic()
            if now - last >= REPORT_SECONDS:
                last = now
                self._reported.emit(job, done / max(total, 1))

        try:
            if not self._wanted(job):
                raise Cancelled
            result, error = work(progress), None
        except Exception as caught:
            result, error = None, caught
        self._finished.emit(job, result, error)

    @Slot(object, float)
    def _report(self, job: Job, fraction: float) -> None:
        job.fraction = fraction
        if job.visible and job in self._running:
            self.changed.emit()

    @Slot(object, object, object)
    def _finish(self, job: Job, result: object, error: Exception | None) -> None:
        wanted = self._wanted(job) and job in self._running
        if job in self._running:
            self._running.remove(job)
            self.changed.emit()
        if not wanted or isinstance(error, Cancelled):
            if error is not None and not isinstance(error, Cancelled | PanoError):
                log.error("%s failed after it was no longer wanted", job.title, exc_info=error)
            return
        if error is None:
            job.done(result)
            if job.visible:
                self.succeeded.emit(job)
        elif isinstance(error, PanoError):
            if job.failed is None:
                self.failed.emit(str(error))
            else:
                job.failed(error)
        else:
            log.error("%s failed", job.title, exc_info=error)
            sentence = tr(UNEXPECTED, title=job.title)
            self.failed.emit(sentence)
            if job.failed is not None:
                job.failed(PanoError(sentence))
