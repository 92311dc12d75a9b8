"""Which of several masks is meant: a small function, learned from clicks whose right answer is known.

Every candidate is described by its traits. From them come a few opinions on which candidates are right; what overlaps
with those, and the traits again, say how large its IoU with what is meant may be. Its weights belong to one network and
lie beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnavailable
from core.segment.piece import PieceRule
from core.segment.traits import NAMES

Values = NDArray[np.float32]

DOUBT = 0.3
"""Scores that lie this far apart are told from each other; between alike ones, what most of them share is chosen. On
objects of a kind that nothing was learned from, this gains a hundredth over the highest score alone."""
_MOST_BYTES = 4_000_000
_MOST = 4096
"""Hidden values or opinions."""


@dataclass(frozen=True, eq=False)
class Ranker:
    """The weights; t traits, h hidden values, o opinions.

    Attributes:
        mean, scale: (t,) of the traits.
        inner, inner_bias: (t, h) and (h,) to the hidden values.
        opinion, opinion_bias: (h, o) and (o,) from them to the logits of the opinions.
        outer, outer_bias: (h + o, h) and (h,) from both to hidden values again.
        last, last_bias: (h, 1) and (1,) from those to the logit of the IoU.
    """

    mean: Values
    scale: Values
    inner: Values
    inner_bias: Values
    opinion: Values
    opinion_bias: Values
    outer: Values
    outer_bias: Values
    last: Values
    last_bias: Values

    def __post_init__(self) -> None:
        traits, hidden = self.inner.shape if self.inner.ndim == 2 else (0, 0)
        opinions = self.opinion.shape[-1] if self.opinion.ndim else 0
        wanted = {
            "mean": (traits,),
            "scale": (traits,),
            "inner": (traits, hidden),
            "inner_bias": (hidden,),
            "opinion": (hidden, opinions),
            "opinion_bias": (opinions,),
            "outer": (hidden + opinions, hidden),
            "outer_bias": (hidden,),
            "last": (hidden, 1),
            "last_bias": (1,),
        }
        wrong = [name for name, shape in wanted.items() if getattr(self, name).shape != shape]
        if wrong or not 0 < hidden <= _MOST or not 0 < opinions <= _MOST:
            raise ValueError(f"weights of a ranking do not fit each other: {', '.join(wrong) or 'too many'}")
        if traits != len(NAMES):
            raise ValueError(f"expected weights for {len(NAMES)} traits, got {traits}")
        if not all(np.isfinite(getattr(self, name)).all() for name in wanted):
            raise ValueError("weights of a ranking must be finite")
        if not (self.scale > 0).all():
            raise ValueError("the scales of traits must be positive")

    def scores(self, traits: Values, overlaps: Values) -> Values:
        """(n,) logits of the IoU that candidates may have with what is meant.

        Args:
            traits: (n, t) of them; see `core.segment.traits.traits`.
            overlaps: (n, n) IoU of each two.
        """
        hidden = np.maximum((traits - self.mean) / self.scale @ self.inner + self.inner_bias, 0)
        logits = hidden @ self.opinion + self.opinion_bias
        opinions = np.exp(logits - logits.max(axis=0))
        opinions /= opinions.sum(axis=0)
        both = np.concatenate([hidden, overlaps @ opinions], axis=1)
        hidden = np.maximum(both @ self.outer + self.outer_bias, 0)
        scores: Values = (hidden @ self.last + self.last_bias)[:, 0].astype(np.float32)
        return scores

    def expected(self, scores: Values, overlaps: Values) -> Values:
        """(n,) IoU that candidates may be expected to have if one of them is right, and the better scored the likelier.

        Args:
            scores: (n,) of `scores`.
            overlaps: (n, n) IoU of each two.
        """
        chances = np.exp((scores - scores.max()) / DOUBT)
        expected: Values = overlaps @ (chances / chances.sum())
        return expected

    @classmethod
    def mean_of(cls, rankers: Sequence[Ranker]) -> Ranker:
        """One whose scores are the mean of several rankers' scores.

        Args:
            rankers: With the same `mean` and `scale`.
        """
        first = rankers[0]
        hidden = first.inner.shape[1]
        opinion = _diagonal([each.opinion for each in rankers])
        halves = [_diagonal([each.outer[part] for each in rankers]) for part in (np.s_[:hidden], np.s_[hidden:])]
        return cls(
            mean=first.mean,
            scale=first.scale,
            inner=np.concatenate([each.inner for each in rankers], axis=1),
            inner_bias=np.concatenate([each.inner_bias for each in rankers]),
            opinion=opinion,
            opinion_bias=np.concatenate([each.opinion_bias for each in rankers]),
            outer=np.concatenate(halves),
            outer_bias=np.concatenate([each.outer_bias for each in rankers]),
            last=(np.concatenate([each.last for each in rankers]) / len(rankers)).astype(np.float32),
            last_bias=np.mean([each.last_bias for each in rankers], axis=0),
        )


def _diagonal(blocks: Sequence[Values]) -> Values:
    """The matrix that has equally large matrices along its diagonal."""
    height, width = blocks[0].shape
    matrix = np.zeros((height * len(blocks), width * len(blocks)), np.float32)
    for k, block in enumerate(blocks):
        matrix[k * height : (k + 1) * height, k * width : (k + 1) * width] = block
    return matrix


def read_ranking(path: Path, network: str) -> tuple[Ranker, PieceRule | None] | None:
    """The ranker that belongs to a network, and when a piece of what a dense network saw is taken instead.

    Args:
        path: JSON of `ranking_text`.
        network: SHA-256 of the network's file of weights.

    Returns:
        None when there is no such file.

    Raises:
        ModelUnavailable: It cannot be read, or belongs to another network or another version.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is too large")
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["network"] != network:
            raise ValueError("it was learned for other weights")
        if stored["traits"] != list(NAMES):
            raise ValueError("it was learned for other traits")
        weights = {name: np.array(stored["weights"][name], np.float32) for name in Ranker.__dataclass_fields__}
        rule = stored.get("piece")
        return Ranker(**weights), None if rule is None else PieceRule.from_json(rule)
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelUnavailable(
            f"Expected the ranking that belongs to the weights beside it, got another file ({error}); "
            f"install the model again or learn it anew: {path}"
        ) from error


def ranking_text(ranker: Ranker, network: str, rule: PieceRule | None = None) -> str:
    """JSON for `read_ranking`; arguments as there."""
    weights = {
        name: np.round(getattr(ranker, name).astype(np.float64), 6).tolist() for name in Ranker.__dataclass_fields__
    }
    piece = {} if rule is None else {"piece": rule.to_json()}
    return json.dumps({"network": network, "traits": NAMES, "weights": weights, **piece}) + "\n"
