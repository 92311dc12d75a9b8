"""The click network at work: loads it, prepares views while nothing else is wanted, answers clicks as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import PanoError
from core.mask import SphereMask
from core.panorama import Panorama
from core.progress import Progress
from core.scene import Box, Click
from core.segment.features import FeatureStore
from core.segment.guess import RemembersPhoto
from core.segment.mending import Mending
from core.segment.network import ClickNetwork, TellsDetours
from core.segment.session import SegmentSession
from core.segment.updates import Stage, Update
from panoviewer.document import Document
from panoviewer.jobs import Job, Jobs, Lane
from panoviewer.session import SegmenterLoader
from panoviewer.settings import DEVICE, SEGMENTER, Settings
from panoviewer.translation import tr

Choice = tuple[str, str]
"""Name of a click network, and the device that it runs on."""
SHOW_SECONDS = 0.15
"""Masks on the way are worked out no more often: each takes some of the time of the way."""


@dataclass(frozen=True)
class Prompts:
    """Everything that a person has pointed at for one object.

    Attributes:
        clicks: In their order.
        box: Drawn before them.
        reading: What the clicks mean (part, object, group by number); None leaves it to the network.
    """

    clicks: tuple[Click, ...] = ()
    box: Box | None = None
    reading: int | None = None

    @property
    def say_something(self) -> bool:
        """Whether an object can be looked for: "not this" alone says nothing of one."""
        return self.box is not None or any(click.positive for click in self.clicks)


@dataclass(frozen=True, eq=False)
class Found:
    """How far an object has come.

    Attributes:
        prompts: That it answers.
        update: All about it.
        mask: On the photograph's grid; None where it was not worked out at this step.
    """

    prompts: Prompts
    update: Update
    mask: SphereMask | None

    @property
    def is_final(self) -> bool:
        """Whether this is the end of the way."""
        return self.update.stage is Stage.FINAL


class Clicking(QObject):
    """Answers prompts about the open panorama, one object at a time, in the models' thread.

    Signals:
        found(int, object): The object of this number has come so far, a `Found`.
        ready: The network has been loaded and used for the first time; clicks are fast from now on.
        failed(int, str): Nothing can be found for this object; why, in a sentence.
        noted(str): What the network had to do to get by, once.
    """

    found = Signal(int, object)
    ready = Signal()
    failed = Signal(int, str)
    noted = Signal(str)
    _stepped = Signal(object, int, object)

    def __init__(
        self,
        document: Document,
        jobs: Jobs,
        settings: Settings,
        *,
        loader: SegmenterLoader,
        store: FeatureStore,
        prepare_mask: Callable[[SphereMask], object],
        parent: QObject | None = None,
    ) -> None:
        """Make it; nothing is loaded before it is wanted.

        Args:
            document: Has the panorama.
            jobs: Runs the network.
            settings: Know the network and the device.
            loader: Makes a network of a name and a device.
            store: Keeps encoded views.
            prepare_mask: Called in the models' thread with each mask that is going to be shown.
            parent: Its parent.
        """
        super().__init__(parent)
        self._document = document
        self._jobs = jobs
        self._settings = settings
        self._loader = loader
        self._store = store
        self._prepare_mask = prepare_mask
        self._networks: dict[Choice, ClickNetwork] = {}
        self._used: set[Choice] = set()
        self._noted: set[tuple[Choice, str]] = set()
        self._session: SegmentSession | None = None
        self._session_name = ""
        self._running: dict[int, tuple[Job, object]] = {}
        self._gaze: tuple[float, float] | None = None
        self._stepped.connect(self._pass_on)
        document.panorama_changed.connect(self._release)

    @property
    def model(self) -> str:
        """Name of the network, for the segments that it makes."""
        return self._settings[SEGMENTER]

    @property
    def is_ready(self) -> bool:
        """Whether the network has been used on the present device; the first time takes seconds."""
        return self._choice in self._used

    @property
    def _choice(self) -> Choice:
        return self._settings[SEGMENTER], self._settings[DEVICE]

    def prepare(self) -> None:
        """Encode the views of the open panorama while nothing else is wanted; a click waits for one view at most."""
        panorama = self._document.panorama
        if panorama is not None:
            self._prepare(panorama)

    def look_at(self, lon: float, lat: float) -> None:
        """Prepare the views near this direction, radians, first."""
        self._gaze = lon, lat

    def ask(self, number: int, prompts: Prompts, mending: Mending | None = None) -> None:
        """Look for an object; an older question about the same object is dropped.

        Args:
            number: Of the object: any, the same for all questions about it.
            prompts: What was pointed at.
            mending: The mask that the clicks go on from; None for a new object.
        """
        panorama = self._document.panorama
        if panorama is None or not (prompts.say_something or (mending is not None and prompts.clicks)):
            self.cancel(number)
            return
        self.cancel(number)
        run, choice = object(), self._choice

        def work(progress: Progress) -> None:
            session = self._session_of(panorama, choice)
            shown = float("-inf")
            become = None if mending is None else mending.over(session, prompts.clicks, progress=progress)
            updates = session.updates(prompts.clicks, box=prompts.box, reading=prompts.reading, progress=progress)
            for update in updates:
                mask = None
                if update.stage is not Stage.VIEW or time.monotonic() - shown > SHOW_SECONDS:
                    mask = update.mask if become is None else become(update.mask)
                    shown = time.monotonic()
                    self._prepare_mask(mask)
                self._stepped.emit(run, number, Found(prompts, update, mask))

        def fail(error: PanoError) -> None:
            self._running.pop(number, None)
            self.failed.emit(number, str(error))

        job = self._jobs.run(
            tr("Cutting out") if self.is_ready else tr("Preparing the click network"),
            work,
            done=lambda _nothing: self._note_use(choice),
            failed=fail,
            lane=Lane.MODEL,
            key=f"object {number}",
        )
        self._running[number] = job, run

    def looks_for(self, number: int) -> bool:
        """Whether an object is being looked for; not when that was cancelled from outside, or has failed."""
        job, _ = self._running.get(number, (None, None))
        return job is not None and self._jobs.runs(job)

    def cancel(self, number: int) -> None:
        """Look no further for an object."""
        if self._running.pop(number, None) is not None:
            self._jobs.cancel(f"object {number}")

    @Slot(object, int, object)
    def _pass_on(self, run: object, number: int, found: Found) -> None:
        job, newest = self._running.get(number, (None, None))
        if job is None or run is not newest or job.cancelled or job.generation != self._document.generation:
            return
        if found.is_final:
            del self._running[number]
        self.found.emit(number, found)

    def _prepare(self, panorama: Panorama) -> None:
        choice = self._choice

        def work(progress: Progress) -> bool:
            is_new = not self._has_session(panorama, choice)
            session = self._session_of(panorama, choice)
            lon, lat = self._gaze or (panorama.initial_view.yaw, panorama.initial_view.pitch)
            session.look_at(lon, lat)
            if is_new:
                # Compilers and caches are warm afterwards: the first real click is as fast as the second.
                for update in session.updates((Click(lon, lat),), progress=progress):
                    if update.stage is not Stage.FIRST:  # which may have been only a glimpse
                        break
                return True
            return session.encode_next()

        def done(more: bool) -> None:
            self._note_use(choice)
            if more and self._document.panorama is panorama:
                self._prepare(panorama)

        def fail(error: PanoError) -> None:
            self.failed.emit(0, str(error))

        self._jobs.run(tr("Preparing"), work, done=done, failed=fail, lane=Lane.MODEL, key="prepare", visible=False)

    def _release(self) -> None:
        """Let go of the panorama before, in the models' thread: it may still be looked at there."""
        panorama = self._document.panorama

        def work(_progress: Progress) -> None:
            if self._session is not None and self._session.panorama is not panorama:
                self._session = None
                for network in self._networks.values():
                    if isinstance(network, RemembersPhoto):
                        network.forget()

        if self._networks:
            self._jobs.run(
                tr("Closing"), work, done=lambda _nothing: None, lane=Lane.MODEL, visible=False, outlives=True
            )

    def _note_use(self, choice: Choice) -> None:
        if choice not in self._used:
            self._used.add(choice)
            self.ready.emit()
        network = self._networks.get(choice)
        told: tuple[str, ...] = network.told if isinstance(network, TellsDetours) else ()
        for sentence in told:
            if (choice, sentence) not in self._noted:
                self._noted.add((choice, sentence))
                self.noted.emit(sentence)

    def _has_session(self, panorama: Panorama, choice: Choice) -> bool:
        is_same = self._session is not None and self._session.panorama is panorama
        return is_same and self._session_name == choice[0]

    def _session_of(self, panorama: Panorama, choice: Choice) -> SegmentSession:
        """The session of a panorama and a network; in the models' thread only.

        A session stays with the device that it began on.
        """
        if self._session is None or not self._has_session(panorama, choice):
            if choice not in self._networks:
                self._networks[choice] = self._loader(*choice)
            self._session = SegmentSession(self._networks[choice], panorama, store=self._store, model=choice[0])
            self._session_name = choice[0]
        return self._session
