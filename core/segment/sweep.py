"""The way of one click around the sphere: which view is next, what it is told, and whether it is believed.

A sweep begins with the answers of the sweep before it, that is of one click less. It looks again only at the view that
sees the newest click best, at those in which that click refutes what was found, and at those that contradict what has
changed in a view that they overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.scene import Box, Click
from core.segment.guess import GuessResult
from core.segment.merge import SeenView, project_logits
from core.segment.network import Memory, ViewAnswer, ViewPrompt
from core.segment.options import Expand, Keep, Merge, Policy, SegmentOptions
from core.segment.piece import Piece
from core.segment.zigzag import (
    FrameSet,
    border_directions,
    border_touched,
    box_centre,
    box_in_view,
    click_directions,
    clicks_prompt,
    in_box,
    project_click,
    sees,
)

Logits = NDArray[np.float32]
Bits = NDArray[np.bool_]

_COARSE = 48
"""Pixels along each side of the grid on which views are compared."""
_DIFFERENT_CELLS = 4
_DIFFERENT_SHARE = 0.1
_PIECE_TRUST = 1e-4


class Verdict(StrEnum):
    """What became of a view's answer."""

    ACCEPTED = "accepted"
    ABSENT = "absent"
    """The network sees no object there."""
    REJECTED = "rejected"
    """It sees one that does not go on from the accepted part: a look-alike."""


@dataclass(eq=False)
class FrameAnswer:
    """What is believed of one view.

    Attributes:
        logits: (s, s) float32, > 0 inside; nowhere positive unless accepted.
        quality: The network's estimate of its IoU.
        presence: Logit of the object being in the view.
        verdict: What became of it.
        prompted: A positive click or the box lay in it.
        touched: (4 BORDER_SAMPLES,) bool: where the object reaches the view's border.
        pointer: Of the reading that was taken; None where the network gives none.
        memory: Of `remember`; None until it is first wanted.
    """

    logits: Logits
    quality: float
    presence: float
    verdict: Verdict
    prompted: bool
    touched: Bits
    pointer: NDArray[np.float32] | None = field(default=None, repr=False)
    memory: Memory | None = field(default=None, repr=False)
    _coarse: Logits | None = field(default=None, repr=False)

    @property
    def accepted(self) -> bool:
        """Whether it is part of the object."""
        return self.verdict is Verdict.ACCEPTED

    def seen_by(self, camera: Camera) -> SeenView:
        """As a voice in a merge."""
        return SeenView(camera, self.logits, trust=1 / (1 + math.exp(-max(-30.0, self.presence))))

    def coarse(self, camera: Camera) -> Logits:
        """(_COARSE, _COARSE) the logits in the same view with few pixels; answers are compared in it."""
        if self._coarse is None:
            self._coarse = project_logits([self.seen_by(camera)], _coarse_camera(camera), Merge.MEAN)
        return self._coarse


@dataclass(frozen=True, eq=False)
class Question:
    """What a view is asked.

    Attributes:
        prompt: For the network.
        told: (s, s) logits of the guess and of views seen since the newest click; NaN where they say nothing.
        before: (s, s) logits of the view's own earlier answer, of which this is a correction; None at first sight.
        first_sight: Without memories.
        prompted: A positive click or the box lies in it.
    """

    prompt: ViewPrompt
    told: Logits
    before: Logits | None
    first_sight: bool
    prompted: bool


@dataclass(frozen=True)
class Prompts:
    """Everything a person has pointed at, in order; the last click is the newest prompt."""

    clicks: tuple[Click, ...]
    box: Box | None

    @property
    def middle(self) -> tuple[float, float]:
        """Longitude and latitude of the newest prompt."""
        if self.clicks:
            return self.clicks[-1].lon, self.clicks[-1].lat
        if self.box is None:
            raise ValueError("expected at least one click or a box")
        return box_centre(self.box)


class Sweep:
    """The views that were looked at for one list of prompts.

    Args:
        frames: The set of views.
        options: Every choice.
        prompts: The newest prompt is the last click, or the box when there are no clicks.
        answer_size: Pixels along each side of the network's logits.
        guess: The first mask, when there is one.
        reading: Which reading of the guess counts; None for its own choice.
        before: The finished sweep of one prompt less; None for the first.
    """

    def __init__(
        self,
        frames: FrameSet,
        options: SegmentOptions,
        prompts: Prompts,
        answer_size: int,
        *,
        guess: GuessResult | None,
        reading: int | None,
        before: Sweep | None,
    ) -> None:
        self.frames = frames
        self.prompts = prompts
        self.path = frames.path(frames.best(*prompts.middle))
        self.guess_views = views_of_guess(guess, reading, rules=options.guess_rules)
        self.piece = piece_of(guess, reading)
        self._piece_views = views_of_piece(guess, reading)
        is_first_click = before is None and prompts.box is None
        # What the readings that were not chosen are worth is not estimated as well.
        if is_first_click and guess is not None and guess.quality[guess.chosen] < options.min_guess:
            self.guess_views = [] if self.piece is None else self.guess_views
        self.answers: dict[int, FrameAnswer] = dict(before.answers) if before else {}
        self.visited: list[int] = []
        self._options = options
        self._size = answer_size
        self._is_first = before is None
        self._contradicting: dict[int, float] = {}
        self._guess_borders = [border_directions(view.camera) for view in self.guess_views]
        self._forced = self._forced_frames()
        for index, view in enumerate(self.guess_views):
            old = before.guess_views[index] if before and index < len(before.guess_views) else None
            same_place = old is not None and old.camera == view.camera
            self._note_change(view, old.logits if old and same_place else None)

    @property
    def done(self) -> bool:
        """True when no view is left to be looked at."""
        return self.next_frame() is None

    def due(self) -> int:
        """How many views are known to be left."""
        waiting = set(self._forced) | set(self._contradicting) | set(self._touched_frames())
        if self._is_first and self._options.expand is Expand.EVERYWHERE:
            waiting = set(self.path)
        return len(waiting - set(self.visited))

    def next_frame(self) -> int | None:
        """The view to look at next: clicked ones, then those that contradict a change, then those the object enters."""
        for number in self._forced:
            if number not in self.visited:
                return number
        contradicting = {number: much for number, much in self._contradicting.items() if number not in self.visited}
        if contradicting:
            # The one that is refuted the most has the most to learn, and its neighbours learn from it.
            return max(contradicting, key=lambda number: (contradicting[number], -self.path.index(number)))
        everywhere = self._is_first and self._options.expand is Expand.EVERYWHERE
        if everywhere and not self._waits_for_guess():
            return next((number for number in self.path if number not in self.visited), None)
        touched = self._touched_frames()
        most = max(touched.values(), default=0)
        return next((number for number in self.path if 2 * touched.get(number, 0) >= most > 0), None)

    def question(self, number: int) -> Question:
        """What a view is asked now."""
        camera = self.frames.camera(number)
        places, positive = self._clicks_in(number)
        box = self._box_in(number)
        prompted = any(positive) or box is not None
        first_sight = prompted and (
            self._options.policy is Policy.P1 or (self._is_first and number == self.path[0] and not self.guess_views)
        )
        sources = list(self.guess_views)
        if not first_sight:
            sources += [self._view(other) for other in self.visited if other != number and self.answers[other].accepted]
        sources += self._piece_views
        answer_camera = replace(camera, height=self._size, width=self._size)
        told = project_logits(sources, answer_camera, Merge.MEAN)
        prior: Logits | None = told if self._options.prior else np.full_like(told, np.nan)
        before = self.answers[number].logits if number in self.answers else None
        if before is not None and prior is not None:
            prior = np.where(np.isnan(prior), before, prior)
        return Question(clicks_prompt(camera, places, positive, box, prior), told, before, first_sight, prompted)

    def put(self, number: int, question: Question, answer: ViewAnswer, reading: int | None) -> FrameAnswer:
        """Judge what the network says about a view, and keep it."""
        chosen = answer.chosen if reading is None else min(reading, len(answer.logits) - 1)
        camera = self.frames.camera(number)
        logits = np.array(answer.logits[chosen], np.float32)
        if self.prompts.box is not None:
            rays = replace(camera, height=self._size, width=self._size).rays()
            logits = np.where(in_box(self.prompts.box, rays), logits, -np.abs(logits))
        logits, verdict = self._judge(question, logits, answer.presence)
        touched = border_touched(logits, self.frames.margin)
        if self.prompts.box is not None:
            touched &= in_box(self.prompts.box, border_directions(camera))
        pointer = None if answer.pointers is None else answer.pointers[chosen]
        quality = float(answer.quality[chosen])
        kept = FrameAnswer(logits, quality, answer.presence, verdict, question.prompted, touched, pointer)
        old = self.answers.get(number)
        self.answers[number] = kept
        self.visited.append(number)
        if verdict is not Verdict.REJECTED:
            self._note_change(self._view(number), None if old is None else old.logits)
        return kept

    def views(self) -> list[SeenView]:
        """All that has a say in the merged mask."""
        voices = [self._view(number) for number in self.path if number in self.answers and self._has_a_say(number)]
        return [*self.guess_views, *voices, *self._piece_views]

    def _has_a_say(self, number: int) -> bool:
        verdict = self.answers[number].verdict
        return verdict is Verdict.ACCEPTED or (verdict is Verdict.ABSENT and self._options.merge is Merge.MEAN)

    def _view(self, number: int) -> SeenView:
        return self.answers[number].seen_by(self.frames.camera(number))

    def _forced_frames(self) -> list[int]:
        """Views that the newest prompt asks for whatever their neighbours say."""
        if not self.prompts.clicks:
            if self.guess_views:
                return []
            return [number for number in self.path if self._box_in(number) is not None]
        newest = self.prompts.clicks[-1]
        receiving = [number for number in self.path if self._receives(newest, number)]
        answered = [number for number in receiving if self._learns(newest, number)]
        guessed = self._guess_sees(click_directions([newest]))[0]
        if not newest.positive:
            # Alone, "not this" says nothing of an object; it corrects what is there.
            corrected = [number for number in answered if self.answers[number].accepted]
            in_piece = self.piece is not None and self.piece.holds(click_directions([newest]))[0] and not guessed
            return corrected or (receiving[:1] if in_piece else [])
        if not self.guess_views:
            return [number for number in receiving if number in answered or number not in self.answers]
        return answered if answered or guessed else receiving[:1]

    def _receives(self, click: Click, number: int) -> bool:
        """Whether a view gets a click; the one that sees it best does even on its border, where a pole may lie."""
        if number == self.frames.best(click.lon, click.lat):
            return True
        return self._options.policy is not Policy.P3 and self.frames.place(number, click.lon, click.lat) is not None

    def _learns(self, click: Click, number: int) -> bool:
        """Whether a click tells a view that was looked at something new: it sees it best, or found the contrary there.

        Who agrees with a click already would be asked for nothing; what the click changes elsewhere, it hears of then.
        """
        if number not in self.answers:
            return False
        if number == self.frames.best(click.lon, click.lat):
            return True
        u, v = project_click(self.frames.camera(number), click.lon, click.lat)
        scale = self._size / self.frames.camera(number).width
        row, col = (min(max(int(x * scale), 0), self._size - 1) for x in (v, u))
        return bool(self.answers[number].logits[row, col] > 0) != click.positive

    def _clicks_in(self, number: int) -> tuple[list[tuple[float, float]], list[bool]]:
        """Pixels and signs of the clicks that a view gets."""
        clicks = [click for click in self.prompts.clicks if self._receives(click, number)]
        camera = self.frames.camera(number)
        return [project_click(camera, click.lon, click.lat) for click in clicks], [click.positive for click in clicks]

    def _box_in(self, number: int) -> tuple[float, float, float, float] | None:
        box = self.prompts.box
        if box is None:
            return None
        is_best = number == self.frames.best(*box_centre(box))
        if self._options.policy is Policy.P3 and not is_best:
            return None
        return box_in_view(self.frames.camera(number), box, at_least=0.0 if is_best else 0.9)

    def _waits_for_guess(self) -> bool:
        """Whether the object ends within the guess, so that nothing needs to be followed."""
        return bool(self.guess_views) and not self.answers and not self._touched_frames()

    def _touched_frames(self) -> dict[int, int]:
        """Views not looked at yet that the object enters, with the number of border samples through which it does."""
        answered = np.zeros(len(self.frames), np.bool_)
        answered[list(self.answers)] = True
        counts = np.zeros(len(self.frames), np.int64)
        for number, answer in self.answers.items():
            if answer.accepted and answer.touched.any():
                seen = self.frames.border_seen[number][answer.touched]
                still_open = ~(seen & answered).any(axis=1)
                if still_open.any() and self.guess_views:
                    border = border_directions(self.frames.camera(number))[answer.touched]
                    still_open &= ~self._guess_knows(border)
                counts += seen[still_open].sum(axis=0)
        for index, view in enumerate(self.guess_views):
            touched = border_touched(view.logits, self.frames.margin)
            if self.prompts.box is not None:
                touched &= in_box(self.prompts.box, self._guess_borders[index])
            if touched.any():
                directions = self._guess_borders[index][touched]
                seen = self.frames.seen(directions)
                still_open = ~(seen & answered).any(axis=1) & ~self._guess_knows(directions)
                counts += seen[still_open].sum(axis=0)
        return {int(number): int(counts[number]) for number in np.flatnonzero(counts) if not answered[number]}

    def _guess_knows(self, directions: NDArray[np.float64]) -> Bits:
        """Whether nobody needs to look where an object goes on: the guess sees it there, or knows that it does."""
        known = self._guess_sees(directions)
        return known if self.piece is None else known | self.piece.holds(directions)

    def _guess_sees(self, directions: NDArray[np.float64]) -> Bits:
        seen = np.zeros(len(directions), np.bool_)
        for view in self.guess_views:
            seen |= sees(view.camera, directions, self.frames.margin)
        return seen

    def _judge(self, question: Question, logits: Logits, presence: float) -> tuple[Logits, Verdict]:
        """The part of an answer that is believed."""
        import cv2

        if not (logits > 0).any() or (presence < 0 and not question.prompted):
            return -np.abs(logits), Verdict.ABSENT
        told = question.told > 0
        anchors = told.copy()
        if question.before is not None:
            anchors |= (question.before > 0) & ~(question.told <= 0)
        if question.prompt.box is not None:
            anchors |= True
        scale = self._size / self.frames.camera(0).width
        for (u, v), positive in zip(question.prompt.points * scale, question.prompt.positive, strict=True):
            if positive:
                row, col = int(min(v, self._size - 1)), int(min(u, self._size - 1))
                anchors[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = True
        if not question.prompted and told.any():
            confirmed = np.count_nonzero(told & (logits > 0)) / np.count_nonzero(told)
            if confirmed < self._options.min_agreement:
                return -np.abs(logits), Verdict.REJECTED
        _, labels = cv2.connectedComponents((logits > 0).view(np.uint8), connectivity=8)
        anchored = np.unique(labels[anchors & (logits > 0)])
        if not len(anchored):
            return -np.abs(logits), Verdict.REJECTED
        if self._options.keep is Keep.ALL:
            return logits, Verdict.ACCEPTED
        stays = np.isin(labels, anchored) | (logits <= 0)
        return np.where(stays, logits, -np.abs(logits)), Verdict.ACCEPTED

    def _note_change(self, view: SeenView, old: Logits | None) -> None:
        """Mark the views that contradict what has changed in another one."""
        if not self.answers or (old is not None and not ((old > 0) != (view.logits > 0)).any()):
            return
        for number, answer in self.answers.items():
            if number in self.visited:
                continue
            camera = _coarse_camera(self.frames.camera(number))
            now = project_logits([view], camera, Merge.MEAN)
            known = ~np.isnan(now)
            if not known.any():
                continue
            own = answer.coarse(self.frames.camera(number))
            different = known & ((now > 0) != (own > 0))
            if old is not None:
                before = project_logits([replace(view, logits=old)], camera, Merge.MEAN)
                different &= (before > 0) != (now > 0)
            cells = int(np.count_nonzero(different))
            either = int(np.count_nonzero(known & ((now > 0) | (own > 0))))
            if cells >= max(_DIFFERENT_CELLS, _DIFFERENT_SHARE * either):
                share = cells / max(1, int(np.count_nonzero(own > 0)))
                self._contradicting[number] = self._contradicting.get(number, 0.0) + round(share, 6)


def _coarse_camera(camera: Camera) -> Camera:
    return replace(camera, height=_COARSE, width=_COARSE)


def views_of_guess(guess: GuessResult | None, reading: int | None, *, rules: bool) -> list[SeenView]:
    """The views of a first mask; with `rules`, nobody else is asked where they see well."""
    if guess is None:
        return []
    chosen = guess.chosen if reading is None else min(reading, len(guess.quality) - 1)
    return [
        SeenView(camera, np.asarray(logits[chosen], np.float32), rules=rules)
        for camera, logits in zip(guess.cameras, guess.logits, strict=True)
    ]


def piece_of(guess: GuessResult | None, reading: int | None) -> Piece | None:
    """What a first mask is where its views do not look, if that is known for a reading."""
    return guess.piece if guess is not None and reading in (None, guess.chosen) else None


def views_of_piece(guess: GuessResult | None, reading: int | None) -> list[SeenView]:
    """The same as views, which count where nobody else has a say."""
    piece = piece_of(guess, reading)
    return [] if piece is None else [SeenView(*seen, trust=_PIECE_TRUST) for seen in piece.around()]


def score_of(sweep: Sweep, guess: GuessResult | None, reading: int | None) -> float:
    """Estimate of the object's IoU: the guess's own, which judges the whole object, else a mean over the views."""
    if guess is not None:
        return float(guess.quality[guess.chosen if reading is None else min(reading, len(guess.quality) - 1)])
    accepted = [answer for answer in sweep.answers.values() if answer.accepted]
    areas = [np.count_nonzero(answer.logits > 0) for answer in accepted]
    return float(np.average([answer.quality for answer in accepted], weights=areas)) if accepted else 0.0
