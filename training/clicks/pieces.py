"""Learning when a click means a whole piece of what a dense network saw, not the mask that was chosen without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera, pixel_solid_angles
from core.geometry.sphere import lonlat_to_pixels, solid_angle
from core.geometry.warp import resize_erp
from core.segment.candidates import Candidate
from core.segment.piece import (
    CAUTION,
    NAMES,
    Chances,
    Piece,
    PieceRule,
    beside_chosen,
    class_traits,
    likenesses,
    own_traits,
    pieces_at,
)
from core.segment.ranking import Ranker
from training.clicks.harvest import WorldRegions
from training.clicks.ranking_tasks import LARGE, Kind, RankingTask

Values = NDArray[np.float32]

RIDGE = 0.3
"""Weight of the squared weights beside the mean squared error, both of scaled traits."""
_SHARES = (0.5, 0.6, 0.8)
"""Of what is learned: regions of photographs, what is large in worlds, what is not."""
_LEAST_SPREAD = 0.05
_MOST_GAIN = 0.6
"""What is won or lost beyond this counts no more: one huge mistake must not decide about many."""


@dataclass(frozen=True, eq=False)
class PieceLesson:
    """One piece that a click lies in, beside c candidates.

    Attributes:
        own: Its traits by itself.
        likeness: (c, 3); see `core.segment.piece.likenesses`.
        iou: With the right answer.
        name: Of its class.
    """

    own: Values
    likeness: Values
    iou: float
    name: str


class PieceTeacher:
    """Says of one picture how good its pieces are.

    Args:
        chances: Of the classes, by a dense network.
        names: Of the classes.
        regions: Of a world; None for a photograph.
    """

    def __init__(self, chances: Chances, names: Sequence[str], regions: WorldRegions | None) -> None:
        self._chances = chances
        self._names = names
        self._regions = regions

    def lessons(
        self, task: RankingTask, cameras: Sequence[Camera], candidates: Sequence[Candidate]
    ) -> list[PieceLesson]:
        """What is to be learned from one click; nothing where no class is known."""
        return [
            PieceLesson(
                own_traits(piece, task.click),
                likenesses(piece, cameras, candidates),
                self._iou(piece, task, cameras),
                piece.name,
            )
            for piece in pieces_at(self._chances, self._names, task.click)
        ]

    def _iou(self, piece: Piece, task: RankingTask, cameras: Sequence[Camera]) -> float:
        areas = solid_angle(*piece.bits.shape)
        own = float((piece.bits * areas).sum())
        if self._regions is not None:
            leaves = self._regions.leaves
            row, col = lonlat_to_pixels(task.click.lon, task.click.lat, *leaves.shape)
            truth = resize_erp((leaves == leaves[row, col]).astype(np.float32), *piece.bits.shape) > 0.5
            shared = float(((truth & piece.bits) * areas).sum())
        else:
            # A region of a photograph is known in one view alone, and the widest view around the click holds it.
            widest = cameras[-1]
            size = task.truth.shape[-1]
            seen = piece.seen_by(Camera(widest.yaw, widest.pitch, widest.roll, widest.fov_x, size, size)) > 0
            shared = float(((seen & task.truth[-1]) * pixel_solid_angles(size, widest.fov_x)).sum())
        return shared / max(own + task.whole - shared, shared, 1e-9)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a ranking chooses for one click.

    Attributes:
        table: (c, t) traits of the candidates.
        scores: (c,) of the ranking.
        number: Of the one that is chosen.
        iou: Its IoU with the right answer.
    """

    table: Values
    scores: Values
    number: int
    iou: float


def choose(ranker: Ranker, table: Values, overlaps: Values, ious: Values) -> Chosen:
    """The choice of a ranking; arguments as in `training.clicks.ranking.Lessons`, for one click."""
    scores = ranker.scores(table, overlaps)
    number = int(np.argmax(ranker.expected(scores, overlaps)))
    return Chosen(table, scores, number, float(ious[number]))


def piece_shares(kinds: NDArray[np.int64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) how much each click counts; arguments as in `training.clicks.ranking.Lessons`.

    Regions of photographs are never a whole piece: they teach what pieces look like that nobody means.
    """
    groups = np.where(kinds == Kind.REGION, 0, np.where(wholes >= LARGE, 1, 2))
    counts = np.maximum(np.bincount(groups, minlength=3), 1)
    shares: NDArray[np.float64] = (np.array(_SHARES) / counts)[groups]
    return shares


def fit_rule(
    chosen: Sequence[Chosen], lessons: Sequence[Sequence[PieceLesson]], shares: NDArray[np.float64], reads: str
) -> PieceRule | None:
    """The line that says best by how much a piece is better; None where no click lies in a piece.

    Args:
        chosen: For each click.
        lessons: The pieces that the same clicks lie in.
        shares: (n,) of `piece_shares`.
        reads: Fingerprint of the dense network whose pieces they are.
    """
    known = [(n, lesson) for n, pieces in enumerate(lessons) for lesson in pieces]
    if not known:
        return None
    class_names = tuple(sorted({lesson.name for _, lesson in known}))
    table = np.stack([_traits(chosen[n], lesson, class_names) for n, lesson in known]).astype(np.float64)
    gains = np.array([np.clip(lesson.iou - chosen[n].iou, -_MOST_GAIN, _MOST_GAIN) for n, lesson in known])
    weights = np.array([max(shares[n], 1e-12) / len(lessons[n]) for n, _ in known])
    weights = weights / weights.sum()
    mean = weights @ table
    scale = np.sqrt(np.maximum(weights @ np.square(table - mean), _LEAST_SPREAD**2))
    scaled = (table - mean) / scale
    bias = float(weights @ gains)
    matrix = (scaled * weights[:, None]).T @ scaled + RIDGE * np.eye(scaled.shape[1])
    line = np.linalg.solve(matrix, scaled.T @ (weights * (gains - bias)))
    return PieceRule(
        class_names, mean.astype(np.float32), scale.astype(np.float32), line.astype(np.float32), bias, reads
    )


def with_rule(rule: PieceRule | None, chosen: Chosen, pieces: Sequence[PieceLesson]) -> float:
    """IoU of what is taken for one click."""
    if rule is None or not pieces:
        return chosen.iou
    gains = []
    for piece in pieces:
        traits = beside_chosen(piece.own, piece.likeness, chosen.table, chosen.scores, chosen.number)
        gains.append(rule.gain(traits, piece.name))
    best = int(np.argmax(gains))
    return pieces[best].iou if gains[best] > CAUTION else chosen.iou


def _traits(chosen: Chosen, lesson: PieceLesson, class_names: Sequence[str]) -> Values:
    beside = beside_chosen(lesson.own, lesson.likeness, chosen.table, chosen.scores, chosen.number)
    if len(beside) != len(NAMES):
        raise ValueError(f"expected {len(NAMES)} traits, got {len(beside)}")
    return np.concatenate([beside, class_traits(lesson.name, class_names)])
