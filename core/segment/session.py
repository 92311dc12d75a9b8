"""A click becomes a mask: the first guess, the sweep around the sphere, the merge, the finish."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.warp import resize_erp
from core.mask import SphereMask
from core.panorama import Panorama
from core.progress import Progress, silent
from core.scene import Box, Click, Segment
from core.segment.features import FeatureStore, ViewEncoder
from core.segment.guess import FirstGuess, Glimpses, GuessResult, ReadsWhole
from core.segment.memory import Remembered, choose_memories
from core.segment.merge import SeenView, merge_mask
from core.segment.network import ClickNetwork, Memory
from core.segment.options import Keep, Merge, Order, SegmentOptions
from core.segment.refine import RefinedTiles, refine_edges
from core.segment.sweep import FrameAnswer, Prompts, Sweep, score_of, views_of_guess, views_of_piece
from core.segment.updates import FrameReport, Merged, Stage, Timings, Update, edge_doubt, kept_parts
from core.segment.whole import answer_whole
from core.segment.zigzag import frame_set

Bits = NDArray[np.bool_]
_KEPT_STEPS = 24


@dataclass(eq=False)
class _Guessed:
    """A first mask, and the same on the photograph's grid, which is merged when a later click begins with it."""

    result: GuessResult
    merged: Callable[[], SphereMask]

    @cached_property
    def mask(self) -> SphereMask:
        return self.merged()


@dataclass(eq=False)
class _Step:
    """What is known after one prompt more, for one reading."""

    prompts: Prompts
    guess: GuessResult | None = None
    sweep: Sweep | None = None


class SegmentSession:
    """Cuts objects out of one panorama; encode once, click many times.

    The result for n clicks is that of giving them one after another, whether they are given so or at once, and however
    often the work was interrupted: what a click finds depends on the finished answer to the clicks before it. One
    thread at a time may work on a session; `encode_next` may be called between two steps of a run.

    Args:
        network: Sees views.
        panorama: The photograph.
        options: Every choice.
        guess: The first mask; None takes the network where it offers one.
        store: Where encoded views are kept; None keeps them in memory for this session.
        model: Name of the network, for the segments.
    """

    def __init__(
        self,
        network: ClickNetwork,
        panorama: Panorama,
        options: SegmentOptions | None = None,
        *,
        guess: FirstGuess | None = None,
        store: FeatureStore | None = None,
        model: str = "",
    ) -> None:
        self.options = options or SegmentOptions()
        self.panorama = panorama
        self.timings = Timings()
        self._network = network
        self._guess = guess if guess is not None else (network if isinstance(network, FirstGuess) else None)
        self._model = model
        self._frames = frame_set(self.options, network.view_size)
        self._encoder = ViewEncoder(network, panorama.rgb, store or FeatureStore())
        self._steps: OrderedDict[tuple[Prompts, int | None], _Step] = OrderedDict()
        self._guesses: OrderedDict[Prompts, _Guessed] = OrderedDict()
        self._tiles = RefinedTiles()
        self._valid: dict[tuple[int, ...], Bits] = {}
        self._gaze = (panorama.initial_view.yaw, panorama.initial_view.pitch)

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The views, by their numbers."""
        return tuple(frame.camera for frame in self._frames.frames)

    def segment(
        self,
        clicks: Sequence[Click],
        *,
        box: Box | None = None,
        reading: int | None = None,
        number: int = 1,
        progress: Progress = silent,
    ) -> Segment:
        """The object that was pointed at; arguments and errors as for `updates`.

        Args:
            clicks: In their order.
            box: Drawn before the clicks.
            reading: What the clicks mean.
            number: Of the segment.
            progress: May raise `Cancelled`.
        """
        updates = self.updates(clicks, box=box, reading=reading, progress=progress)
        last = next(update for update in updates if update.stage is Stage.FINAL)
        return Segment(number, last.mask, clicks=tuple(clicks), box=box, score=last.score, model=self._model)

    def updates(
        self,
        clicks: Sequence[Click],
        *,
        box: Box | None = None,
        reading: int | None = None,
        progress: Progress = silent,
    ) -> Iterator[Update]:
        """The object that was pointed at, as it grows. The iteration may be given up at any time; nothing is lost.

        Args:
            clicks: In their order. Negative ones before the first positive one wait for it.
            box: Drawn before the clicks.
            reading: Which reading of the network counts, such as part, object, group; None for its own choice.
            progress: Called before each call of the network; it may raise `Cancelled`.

        Yields:
            The first mask, what became of it where it was only a glimpse, one update per view, and the final mask.
        """
        started = time.perf_counter()
        self.timings = Timings()
        if clicks:
            self.look_at(clicks[-1].lon, clicks[-1].lat)
        if box is None and not any(click.positive for click in clicks):
            run = iter((self._nothing(),))
        elif self.options.order is Order.ERP:
            run = self._run_whole(clicks, box, reading, progress)
        else:
            run = self._run(self._prepare(clicks, box, reading), reading, progress)
        for update in run:
            if update.stage is Stage.FINAL:
                progress(1, 1)
                with self._timed("merge"):
                    _ = update.mask
                self.timings.total = time.perf_counter() - started
            self.timings.first = self.timings.first or time.perf_counter() - started
            yield update

    def look_at(self, lon: float, lat: float) -> None:
        """Views near this direction are encoded first."""
        self._gaze = (lon, lat)

    def encode_next(self) -> bool:
        """Read the panorama as a whole, encode the nearest view that is not yet encoded, or write one to the disk.

        Returns:
            False when nothing is left to do.

        This is the unit of work ahead of clicks: call it again and again while nothing else is wanted.
        """
        if self.options.order is Order.ERP:
            return False
        if self.read_whole():
            return True
        for number in self._frames.nearest_first(*self._gaze):
            if self._encoder.encode_ahead(self._frames.camera(number)):
                return True
        return self._encoder.write_one()

    def read_whole(self, progress: Progress = silent) -> bool:
        """Let whoever offers the first mask read the panorama as a whole, once; the first click would wait for it.

        Args:
            progress: May raise `Cancelled`.

        Returns:
            False when it was read before, also in an earlier run, or nobody wants to.
        """
        guess = self._guess
        rgb = self.panorama.rgb
        if not isinstance(guess, ReadsWhole) or not guess.whole_key or guess.knows_whole(rgb):
            return False
        whole, was_new = self._encoder.kept(guess.whole_key, lambda: guess.read_whole(rgb, progress=progress))
        guess.know_whole(rgb, whole, self.panorama.valid)
        return was_new

    @property
    def _grid(self) -> tuple[int, int]:
        return self.panorama.height, self.panorama.width

    def _prepare(self, clicks: Sequence[Click], box: Box | None, reading: int | None) -> list[_Step]:
        """One step per prompt, those that were taken before with what they found."""
        given = tuple(clicks)
        counts = [0] if box is not None else []
        counts += [n for n in range(1, len(given) + 1) if box is not None or any(c.positive for c in given[:n])]
        steps = []
        for n in counts:
            key = (Prompts(given[:n], box), reading)
            step = self._steps.setdefault(key, _Step(key[0]))
            self._steps.move_to_end(key)
            steps.append(step)
        while len(self._steps) > max(_KEPT_STEPS, len(steps)):
            self._steps.popitem(last=False)
        return steps

    def _run(self, steps: list[_Step], reading: int | None, progress: Progress) -> Iterator[Update]:
        guessed: _Guessed | None = None
        if self._guess is not None:
            rough = self._glimpse(self._guess, steps, progress)
            if rough is not None:
                yield self._update(Stage.FIRST, _Step(steps[-1].prompts, rough), reading, ())
            for step in steps:
                guessed = self._guessed(self._guess, step.prompts, guessed, progress)
                step.guess = guessed.result
            yield self._update(Stage.FIRST if rough is None else Stage.REFINED, steps[-1], reading, ())
        sweep: Sweep | None = None
        for step in steps:
            if step.sweep is None:
                step.sweep = Sweep(
                    self._frames,
                    self.options,
                    step.prompts,
                    self._network.answer_size,
                    guess=step.guess,
                    reading=reading,
                    before=sweep,
                )
            sweep = step.sweep
            is_first = self._guess is None and step is steps[-1]
            while (number := sweep.next_frame()) is not None:
                self._look(sweep, number, reading, progress)
                yield self._update(Stage.FIRST if is_first else Stage.VIEW, step, reading, (number,))
                is_first = False
        yield self._update(Stage.FINAL, steps[-1], reading, ())
        if guessed is not None:
            # The next click begins with it, and now nobody waits.
            _ = guessed.mask

    def _glimpse(self, guess: FirstGuess, steps: list[_Step], progress: Progress) -> GuessResult | None:
        """Something to show while the first mask of an object is worked out."""
        prompts = steps[-1].prompts
        if len(steps) > 1 or prompts in self._guesses or not isinstance(guess, Glimpses):
            return None
        with self._timed("network"):
            return guess.glimpse(self.panorama.rgb, prompts.clicks, prompts.box, progress=progress)

    def _guessed(self, guess: FirstGuess, prompts: Prompts, before: _Guessed | None, progress: Progress) -> _Guessed:
        """The first mask for some prompts; it depends on them alone, whatever was asked for in between."""
        if prompts not in self._guesses:
            progress(0, 1)
            with self._timed("whole"):
                self.read_whole(progress)
            previous = None if before is None else before.mask
            with self._timed("network"):
                result = guess.guess(self.panorama.rgb, prompts.clicks, prompts.box, previous, progress=progress)
            self._guesses[prompts] = _Guessed(result, partial(self._merged, result))
            while len(self._guesses) > max(_KEPT_STEPS, len(prompts.clicks) + 1):
                self._guesses.popitem(last=False)
        self._guesses.move_to_end(prompts)
        return self._guesses[prompts]

    def _merged(self, result: GuessResult) -> SphereMask:
        with self._timed("merge"):
            views = [*views_of_guess(result, None, rules=True), *views_of_piece(result, None)]
            return SphereMask.pack(self._seen(merge_mask(views, *self._grid, Merge.MAX)))

    def _look(self, sweep: Sweep, number: int, reading: int | None, progress: Progress) -> None:
        """Ask the network about one view."""
        done, left = len(sweep.visited), sweep.due()
        progress(done, done + left)
        with self._timed("encode"):
            features, was_new = self._encoder.features(self._frames.camera(number))
        self.timings.encoded += was_new
        self.timings.looked += 1
        question = sweep.question(number)
        progress(done, done + left)
        with self._timed("network"):
            memories = []
            if not question.first_sight and self.options.memories:
                seen = [
                    Remembered(other, answer.prompted, other in sweep.visited, self._recall(other, answer))
                    for other, answer in sweep.answers.items()
                    if answer.accepted
                ]
                memories = choose_memories(self._frames, number, sweep.path, seen, self.options)
            progress(done, done + left)
            attended = self._network.attend(features, memories)
            progress(done, done + left)
            answer = self._network.decode(attended, question.prompt)
        sweep.put(number, question, answer, reading)

    def _recall(self, number: int, answer: FrameAnswer) -> Callable[[], Memory]:
        def recall() -> Memory:
            if answer.memory is None:
                features, _ = self._encoder.features(self._frames.camera(number))
                answer.memory = self._network.remember(
                    features,
                    answer.logits,
                    presence=answer.presence,
                    prompted=answer.prompted,
                    pointer=answer.pointer,
                )
            return answer.memory

        return recall

    def _update(self, stage: Stage, step: _Step, reading: int | None, changed: tuple[int, ...]) -> Update:
        sweep = step.sweep
        if sweep is None:
            views = [*views_of_guess(step.guess, reading, rules=True), *views_of_piece(step.guess, reading)]
            score = float(step.guess.quality[step.guess.chosen]) if step.guess else 0.0
            reports: tuple[FrameReport, ...] = ()
            done = left = 0
        else:
            views, score = sweep.views(), score_of(sweep, step.guess, reading)
            reports = tuple(self._report(sweep, number) for number in sweep.path)
            done, left = len(sweep.visited), sweep.due()
        how = self.options.merge
        merged = self._kept(lambda height, width: merge_mask(views, height, width, how), step.prompts.clicks)
        polish = None
        if stage is Stage.FINAL and sweep is not None and views and self.options.refine:
            guessed = len(sweep.guess_views)
            polish = self._polish(views[:guessed], views[guessed:], step.prompts.clicks)
        return Update(stage, reports, changed, score, done, left, self._grid, merged, polish)

    def _kept(self, merged: Merged, clicks: Sequence[Click]) -> Merged:
        def seen(height: int, width: int) -> Bits:
            return self._seen(merged(height, width))

        if self.options.keep is Keep.ALL:
            return seen
        return lambda height, width: kept_parts(seen(height, width), clicks)

    def _seen(self, bits: Bits) -> Bits:
        """What of a mask lies in the photograph: a partial panorama says nothing of the rest of the sphere."""
        valid = self.panorama.valid
        if valid is None:
            return bits
        size = bits.shape
        if size not in self._valid:
            # Kept, because a preview after every view is on the same grid, and resizing takes longer than merging.
            self._valid[size] = resize_erp(valid, *size)
        return bits & self._valid[size]

    def _polish(
        self, guessed: Sequence[SeenView], swept: Sequence[SeenView], clicks: Sequence[Click]
    ) -> Callable[[Bits], Bits]:
        """Edges moved by no more than the logits leave open."""

        def polish(bits: Bits) -> Bits:
            if not bits.any():
                return bits
            reach = edge_doubt(bits, guessed, swept)
            return self._seen(refine_edges(self.panorama.rgb, bits, clicks, reach=reach, known=self._tiles))

        return polish

    def _nothing(self) -> Update:
        def empty(height: int, width: int) -> Bits:
            return np.zeros((height, width), np.bool_)

        return Update(Stage.FINAL, (), (), 0.0, 0, 0, self._grid, empty)

    def _report(self, sweep: Sweep, number: int) -> FrameReport:
        answer = sweep.answers.get(number)
        camera = self._frames.camera(number)
        if answer is None:
            return FrameReport(number, camera, None, 0.0, False, None)
        return FrameReport(number, camera, answer.verdict, answer.quality, answer.prompted, answer.logits)

    def _run_whole(
        self, clicks: Sequence[Click], box: Box | None, reading: int | None, progress: Progress
    ) -> Iterator[Update]:
        with self._timed("network"):
            whole = answer_whole(self._network, self.panorama.rgb, clicks, box, reading, progress=progress)
        self.timings.encoded = self.timings.looked = 1
        merged = self._kept(whole.bits, clicks)
        for stage in (Stage.FIRST, Stage.FINAL):
            yield Update(stage, (), (), whole.quality, 1, 0, self._grid, merged)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            setattr(self.timings, what, getattr(self.timings, what) + time.perf_counter() - started)
