"""Which of the masks that the first views offer is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.segment.candidates import OBJECT, Candidate, Method
from core.segment.looks import agreement, overlaps, shared_areas
from core.segment.network import ViewAnswer
from core.segment.ranking import Ranker
from core.segment.traits import traits

COLOR_TRUST = 1.0
"""What a mask by colours counts for beside the network's estimate of its own, where nobody learned which to choose."""


@dataclass(frozen=True, eq=False)
class Elected:
    """The candidate that is most likely meant.

    Attributes:
        number: Of it.
        candidate: Itself.
        quality: Its expected IoU; None where that was not learned, as the others.
        table: (n, t) traits of all candidates.
        scores: (n,) of the ranking.
    """

    number: int
    candidate: Candidate
    quality: float | None = None
    table: NDArray[np.float32] | None = None
    scores: NDArray[np.float32] | None = None


def elect(
    ranker: Ranker | None,
    cameras: Sequence[Camera],
    views: NDArray[np.uint8],
    answers: Sequence[ViewAnswer],
    candidates: Sequence[Candidate],
) -> Elected:
    """The candidate that the ranking expects most of, or without one that most others agree with.

    Args:
        ranker: Says which is meant; None where nobody learned it.
        cameras: Of the views.
        views: (k, s, s, 3) their pictures.
        answers: What the network says of each.
        candidates: What they offer, at least one.
    """
    if len(candidates) == 1:
        return Elected(0, candidates[0])
    shared = shared_areas([cameras[each.view] for each in candidates], [each.inside for each in candidates])
    if ranker is None:
        best = int(np.argmax(_voted(candidates, answers, shared)))
        return Elected(best, candidates[best])
    common = overlaps(shared).astype(np.float32)
    table = traits(cameras, views, answers, candidates, shared)
    scores = ranker.scores(table, common)
    found = np.array([each.inside.any() for each in candidates])
    best = int(np.argmax(np.where(found, ranker.expected(scores, common), -1)))
    quality = float(1 / (1 + np.exp(-np.clip(scores[best], -30, 30))))
    return Elected(best, candidates[best], quality, table, scores)


def _voted(
    candidates: Sequence[Candidate], answers: Sequence[ViewAnswer], shared: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How well each candidate agrees with the others.

    Where the network is wrong, it is wrong in another way in each view, and so are the colours, but what is right is
    right in all of them. Parts and groups have no vote.
    """
    votes = [n for n, each in enumerate(candidates) if each.method in (Method.OBJECT, Method.COLOR)]
    voters = [candidates[n] for n in votes]
    trust = [
        COLOR_TRUST if each.method == Method.COLOR else float(answers[each.view].quality[OBJECT]) for each in voters
    ]
    scores = np.full(len(candidates), -1.0)
    scores[votes] = agreement(shared[np.ix_(votes, votes)], np.square(trust))
    return scores
