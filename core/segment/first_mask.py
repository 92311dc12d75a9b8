"""What a click means, from views that are centred on it.

The object may be a door handle or the floor: views of several widths around the first click are read at once, and the
network's own estimate of its IoU with the whole object says which of them to believe. A second look, just wide enough
for what was found, sees it as large as possible; there the border is brought to the picture's edges. The widths stay as
they are for later clicks, unless the object outgrows them, so that a correction corrects and does not start anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.warp import resize_erp
from core.mask import SphereMask
from core.progress import Progress, silent
from core.scene import Box, Click
from core.segment.answers import EDITED, Earlier, Levels, Logits, Look, State, answer_camera, mean_of_looks
from core.segment.candidates import OBJECT, Candidate, color_masks, propose
from core.segment.corrections import clicked_parts, is_ignored, tempered
from core.segment.cut import cut_view
from core.segment.election import Elected, elect
from core.segment.guess import GuessResult
from core.segment.looks import (
    agreement,
    camera_around,
    camera_around_box,
    cameras_around_click,
    fits,
    picture,
    prompt_in,
    sees,
    shared_areas,
)
from core.segment.network import Features, ViewAnswer, ViewPrompt
from core.segment.photo import PhotoLevels
from core.segment.piece import (
    CAUTION,
    Chances,
    DenseNetwork,
    Piece,
    PieceRule,
    beside_chosen,
    likenesses,
    own_traits,
    pieces_at,
)
from core.segment.ranking import Ranker

Bits = NDArray[np.bool_]
Prompted = tuple[tuple[Click, ...], Box | None]

CLOSE_SIZE = 192
"""Pixels along each side of the second look."""
CUT_SIZE = 256
"""Pixels along each side of the picture in which the border is brought to the edges."""
MOST = 0.5
"""Share of an object beyond which what lies under a negative click is no part of it, but the object itself."""
_KEPT = 32
_GLIMPSED, _REST = slice(0, None, 2), slice(1, None, 2)
"""Of the views around a click: every other one suffices for something to show, and the others are read after that."""


class CentredNetwork(Protocol):
    """What a network offers beyond the four calls: it reads several views at once, of any field of view."""

    @property
    def centred_size(self) -> int:
        """Pixels along each side of the views around a click."""
        ...

    def encode_views(self, views: NDArray[np.uint8], fovs: Sequence[float], *, centred: bool) -> Levels:
        """Features of (n, s, s, 3) views, level by level, each (n, ...).

        Args:
            views: sRGB; s a multiple of 32.
            fovs: Their horizontal fields of view, radians.
            centred: The first click lies in the middle of every view.
        """
        ...

    def decode_views(self, features: Features, prompts: Sequence[ViewPrompt]) -> list[ViewAnswer]:
        """The object in each of them, whose features are told level by level."""
        ...


@dataclass(frozen=True, eq=False)
class _Views:
    """What the network says about a first prompt in views around it, without a thought about which is right."""

    cameras: tuple[Camera, ...]
    pictures: NDArray[np.uint8]
    features: Levels
    answers: tuple[ViewAnswer, ...]

    def with_rest(self, rest: _Views) -> _Views:
        """All views in their order, when these are those of `_GLIMPSED`, and the others those of `_REST`."""

        def woven(some: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
            both = np.empty((len(some) + len(others), *some.shape[1:]), some.dtype)
            both[_GLIMPSED], both[_REST] = some, others
            return both

        cameras, answers = list(self.cameras + rest.cameras), list(self.answers + rest.answers)
        cameras[_GLIMPSED], cameras[_REST] = self.cameras, rest.cameras
        answers[_GLIMPSED], answers[_REST] = self.answers, rest.answers
        levels = tuple(woven(*pair) for pair in zip(self.features, rest.features, strict=True))
        return _Views(tuple(cameras), woven(self.pictures, rest.pictures), levels, tuple(answers))


class CentredGuess:
    """A `FirstGuess` by a network that reads centred views.

    The result of n clicks is that of giving them one after another: what earlier clicks gave is remembered, or worked
    out again. One thread at a time.

    Args:
        network: Reads the views.
        ranker: Says which of the masks that they offer is meant; without one, those decide that agree with most others.
        dense: Reads the panorama as a whole.
        rule: When a piece of what it read is meant; nothing without it and a ranker.
    """

    def __init__(
        self,
        network: CentredNetwork,
        ranker: Ranker | None = None,
        *,
        dense: DenseNetwork | None = None,
        rule: PieceRule | None = None,
    ) -> None:
        self._network = network
        self._ranker = ranker
        self._dense = dense
        self._rule = None if ranker is None or dense is None else rule
        self._chances: Chances | None = None
        self._photo: PhotoLevels | None = None
        self._states: OrderedDict[Prompted, State] = OrderedDict()
        self._glimpsed: tuple[Prompted, _Views] | None = None

    def glimpse(
        self,
        panorama_rgb: NDArray[np.uint8],
        clicks: Sequence[Click],
        box: Box | None,
        *,
        progress: Progress = silent,
    ) -> GuessResult | None:
        """See `Glimpses`: of what the network sees in some of the views, that which they agree on most."""
        photo = self._levels(panorama_rgb)
        prompted = (tuple(clicks), box)
        if prompted in self._states:
            return None
        progress(0, 1)
        seen = self._views(photo, prompted, _GLIMPSED)
        self._glimpsed = prompted, seen
        inside = [answer.logits[OBJECT] > 0 for answer in seen.answers]
        best = 0
        if len(inside) > 1:
            trust = np.array([answer.quality[OBJECT] for answer in seen.answers], np.float64)
            best = int(np.argmax(agreement(shared_areas(seen.cameras, inside), np.square(trust))))
        answer = seen.answers[best]
        return GuessResult((seen.cameras[best],), (answer.logits,), answer.quality, OBJECT)

    def guess(
        self,
        panorama_rgb: NDArray[np.uint8],
        clicks: Sequence[Click],
        box: Box | None,
        previous: SphereMask | None,
        *,
        progress: Progress = silent,
    ) -> GuessResult:
        """See `FirstGuess`.

        Raises:
            ValueError: Neither a positive click nor a box.
        """
        photo = self._levels(panorama_rgb)
        given = tuple(clicks)
        first = 0 if box is not None else next((n for n, click in enumerate(given, 1) if click.positive), -1)
        if first < 0:
            raise ValueError("a first mask needs a positive click or a box")
        steps = [(given[:count], box) for count in range(first, len(given) + 1)]
        state: State | None = None
        for done, prompted in enumerate(steps):
            progress(done, len(steps))
            is_newest = prompted is steps[-1]
            # The newest answer is always worked out: what became of the one before it may be known better by now.
            known = None if is_newest else self._states.get(prompted)
            state = known or self._step(photo, prompted, state, previous if is_newest else None)
            self._keep(prompted, state)
        if state is None:
            raise RuntimeError("at least one step is taken")
        return state.result()

    @property
    def whole_key(self) -> str:
        """See `core.segment.guess.ReadsWhole`."""
        # What is kept under it are chances; earlier versions kept classes under the fingerprint alone.
        return "" if self._dense is None or self._rule is None else f"{self._dense.fingerprint}/chances"

    def read_whole(self, panorama_rgb: NDArray[np.uint8], *, progress: Progress = silent) -> Chances:
        """See `core.segment.guess.ReadsWhole`."""
        if self._dense is None:
            raise RuntimeError("nobody is there to read the panorama as a whole")
        return self._dense.chances(panorama_rgb, progress=progress)

    def knows_whole(self, panorama_rgb: NDArray[np.uint8]) -> bool:
        """See `core.segment.guess.ReadsWhole`."""
        return self._chances is not None and self._photo is not None and self._photo.rgb is panorama_rgb

    def know_whole(self, panorama_rgb: NDArray[np.uint8], whole: Chances, valid: Bits | None) -> None:
        """See `core.segment.guess.ReadsWhole`."""
        self._levels(panorama_rgb)
        self._chances = whole if valid is None else whole * resize_erp(valid, *whole.shape[:2])[..., None]

    def forget(self) -> None:
        """See `core.segment.guess.RemembersPhoto`."""
        self._photo = self._glimpsed = self._chances = None
        self._states.clear()

    def _levels(self, rgb: NDArray[np.uint8]) -> PhotoLevels:
        if self._photo is None or self._photo.rgb is not rgb:
            self._photo, self._glimpsed, self._chances = PhotoLevels(rgb), None, None
            self._states.clear()
        return self._photo

    def _step(self, photo: PhotoLevels, prompted: Prompted, before: State | None, previous: SphereMask | None) -> State:
        """The answer to one prompt more."""
        if before is None:
            return self._begin(photo, prompted)
        return self._go_on(photo, prompted, before, Earlier(before, previous))

    def _cameras(self, prompted: Prompted) -> tuple[Camera, ...]:
        clicks, box = prompted
        size = self._network.centred_size
        if box is None:
            return cameras_around_click(_first_positive(clicks), size)
        return (camera_around_box(box, size),)

    def _views(self, photo: PhotoLevels, prompted: Prompted, chosen: slice) -> _Views:
        clicks, box = prompted
        cameras = self._cameras(prompted)[chosen]
        views = np.stack([photo.view(camera) for camera in cameras])
        features = self._network.encode_views(views, [camera.fov_x for camera in cameras], centred=box is None)
        answers = self._network.decode_views(features, [prompt_in(camera, clicks, box) for camera in cameras])
        return _Views(cameras, views, features, tuple(answers))

    def _begin(self, photo: PhotoLevels, prompted: Prompted, *, may_be_piece: bool = True) -> State:
        clicks, box = prompted
        known, self._glimpsed = self._glimpsed, None
        seen = known[1] if known is not None and known[0] == prompted else self._views(photo, prompted, _GLIMPSED)
        if box is None:
            seen = seen.with_rest(self._views(photo, prompted, _REST))
        cameras, views, features, answers = seen.cameras, seen.pictures, seen.features, seen.answers
        colored = color_masks(cameras, views, _first_positive(clicks)) if box is None else None
        candidates = propose(cameras, views, answers, clicks, box, colored)
        elected = elect(self._ranker, cameras, views, answers, candidates)
        if box is None and may_be_piece:
            taken = self._piece(photo, _first_positive(clicks), cameras, candidates, elected)
            if taken is not None:
                return self._begin_piece(photo, prompted, seen, *taken)
        wide = _look_at(elected, cameras, features, answers)
        camera = self._close_camera(wide, prompted, None)
        close = self._ask(photo, camera, prompted, wide.seen_by(OBJECT, answer_camera(camera)), None, centred=False)
        # Only the object is looked at twice; its parts and its group are as the first look saw them.
        answer = np.stack([wide.seen_by(reading, picture(camera, CUT_SIZE)) for reading in range(len(wide.logits))])
        answer[OBJECT] = self._cut(photo, camera, mean_of_looks(close, wide), clicks)
        return State(wide, close, answer)

    def _piece(
        self,
        photo: PhotoLevels,
        click: Click,
        cameras: Sequence[Camera],
        candidates: Sequence[Candidate],
        elected: Elected,
    ) -> tuple[Piece, float] | None:
        """The piece of a class that is meant rather than what was elected, and the IoU that it is expected to have."""
        if self._rule is None or self._dense is None or elected.table is None or elected.scores is None:
            return None
        if self._chances is None:
            self._chances = self.read_whole(photo.rgb)
        best: tuple[float, Piece] | None = None
        for piece in pieces_at(self._chances, self._dense.class_names, click):
            likeness = likenesses(piece, cameras, candidates)
            own = own_traits(piece, click)
            traits = beside_chosen(own, likeness, elected.table, elected.scores, elected.number)
            gain = self._rule.gain(traits, piece.name)
            if gain > (CAUTION if best is None else best[0]):
                best = gain, piece
        if best is None:
            return None
        return best[1], float(np.clip((elected.quality or 0.0) + best[0], 0.0, 1.0))

    def _begin_piece(self, photo: PhotoLevels, prompted: Prompted, seen: _Views, piece: Piece, quality: float) -> State:
        """The first answer where a piece of a class is meant: it is shown as it is, and the network is heard later."""
        widest = len(seen.cameras) - 1
        camera = seen.cameras[widest]
        readings, qualities = seen.answers[widest].logits.copy(), seen.answers[widest].quality.copy()
        readings[OBJECT], qualities[OBJECT] = piece.seen_by(picture(camera, readings.shape[-1])), quality
        wide = Look(camera, tuple(level[widest:] for level in seen.features), readings, qualities)
        camera = self._close_camera(wide, prompted, None)
        features = self._encode(photo, [camera], centred=False)
        close = Look(camera, features, np.stack([piece.seen_by(answer_camera(camera))] * len(readings)), qualities)
        answer = np.stack([wide.seen_by(reading, picture(camera, CUT_SIZE)) for reading in range(len(readings))])
        answer[OBJECT] = piece.seen_by(picture(camera, CUT_SIZE))
        return State(wide, close, answer, piece)

    def _go_on(self, photo: PhotoLevels, prompted: Prompted, before: State, earlier: Earlier) -> State:
        clicks, _ = prompted
        camera = self._wide_camera(clicks, before)
        wide = self._ask(photo, camera, prompted, earlier.seen_by(answer_camera(camera)), before.wide, centred=True)
        wide = replace(wide, quality=before.wide.quality)
        camera = self._close_camera(wide, prompted, before.close.camera)
        close = self._ask(photo, camera, prompted, earlier.seen_by(answer_camera(camera)), before.close, centred=False)
        answer = self._cut(photo, camera, mean_of_looks(close, wide), clicks)
        known = earlier.seen_by(picture(camera, CUT_SIZE))
        answer = tempered(known, answer, camera, clicks)
        state = State(wide, close, np.stack([answer] * len(wide.logits)), before.piece)
        if is_ignored(known, answer, camera, clicks[-1]):
            return self._joined(photo, prompted, state, earlier)
        return state

    def _joined(self, photo: PhotoLevels, prompted: Prompted, state: State, earlier: Earlier) -> State:
        """What lies under a click that the network did not understand, put to the earlier answer or taken from it.

        A chair has a back and a seat: who clicks on the one after the other means both, whatever they look like. What
        would take most of the object away is not taken.
        """
        clicks, _ = prompted
        newest = clicks[-1]
        others = tuple(replace(click, positive=False) for click in clicks if click.positive != newest.positive)
        alone = ((*others, replace(newest, positive=True)), None)
        part = Earlier(self._begin(photo, alone, may_be_piece=False), None)
        if not newest.positive:
            view = picture(state.wide.camera, CUT_SIZE)
            inside = earlier.seen_by(view) > 0
            if (inside & (part.seen_by(view) > 0)).sum() > MOST * inside.sum():
                return state

        def joined(camera: Camera) -> Logits:
            known = np.nan_to_num(earlier.seen_by(camera), nan=-EDITED)
            more = np.nan_to_num(part.seen_by(camera), nan=-EDITED)
            return np.maximum(known, more) if newest.positive else np.minimum(known, -more)

        def told(look: Look) -> Look:
            return replace(look, logits=np.stack([joined(answer_camera(look.camera))] * len(look.logits)))

        wide = told(state.wide)
        camera = self._close_camera(wide, prompted, state.close.camera)
        close = told(self._ask(photo, camera, prompted, joined(answer_camera(camera)), state.close, centred=False))
        answer = np.stack([joined(picture(camera, CUT_SIZE))] * len(wide.logits))
        return State(wide, close, answer, state.piece)

    def _wide_camera(self, clicks: Sequence[Click], before: State) -> Camera:
        """The view of the first look, or when positive clicks lie outside it the narrowest that holds them all."""
        camera = before.wide.camera
        positive = [click for click in clicks if click.positive]
        if all(sees(camera, click) for click in positive):
            return camera
        wider = cameras_around_click(positive[0], camera.width)
        return next((view for view in wider if all(sees(view, click) for click in positive)), wider[-1])

    @staticmethod
    def _close_camera(wide: Look, prompted: Prompted, before: Camera | None) -> Camera:
        """The view of the second look; the one before is kept as long as the object fits into it."""
        clicks, _ = prompted
        inside = wide.logits[OBJECT] > 0
        if inside.any():
            inside = clicked_parts(inside, wide.camera, clicks)
        else:
            third = len(inside) // 3
            inside[third:-third, third:-third] = True
        if before is not None and fits(before, wide.camera, inside):
            return before
        return picture(camera_around(wide.camera, inside), CLOSE_SIZE)

    def _encode(self, photo: PhotoLevels, cameras: Sequence[Camera], *, centred: bool) -> Levels:
        views = np.stack([photo.view(camera) for camera in cameras])
        return self._network.encode_views(views, [camera.fov_x for camera in cameras], centred=centred)

    def _ask(
        self,
        photo: PhotoLevels,
        camera: Camera,
        prompted: Prompted,
        prior: Logits,
        before: Look | None,
        *,
        centred: bool,
    ) -> Look:
        """Look at what is known already: the middle reading answers for what is meant, and the others say the same."""
        if before is not None and before.camera == camera:
            features = before.features
        else:
            features = self._encode(photo, [camera], centred=centred)
        clicks, box = prompted
        answer = self._network.decode_views(features, [prompt_in(camera, clicks, box, prior)])[0]
        readings = [OBJECT] * len(answer.logits)
        return Look(camera, features, answer.logits[readings], answer.quality[readings])

    @staticmethod
    def _cut(photo: PhotoLevels, camera: Camera, logits: Logits, clicks: Sequence[Click]) -> Logits:
        large = picture(camera, CUT_SIZE)
        prompt = prompt_in(large, clicks)
        return cut_view(photo.view(large), logits, prompt.points, prompt.positive)

    def _keep(self, prompted: Prompted, state: State) -> None:
        self._states[prompted] = state
        self._states.move_to_end(prompted)
        while len(self._states) > _KEPT:
            self._states.popitem(last=False)


def _look_at(elected: Elected, cameras: Sequence[Camera], features: Levels, answers: Sequence[ViewAnswer]) -> Look:
    """The view of a candidate, with it as the object; its parts and its group are what the network says there."""
    import cv2

    candidate, quality = elected.candidate, elected.quality
    k = candidate.view
    readings, qualities = answers[k].logits.copy(), answers[k].quality.copy()
    side = readings.shape[-1]
    readings[OBJECT] = cv2.resize(candidate.logits, (side, side), interpolation=cv2.INTER_AREA)
    if quality is not None:
        qualities[OBJECT] = quality
    return Look(cameras[k], tuple(level[k : k + 1] for level in features), readings, qualities)


def _first_positive(clicks: Sequence[Click]) -> Click:
    return next(click for click in clicks if click.positive)
