"""What people know of sizes, and depth that follows it: the height of the camera, or the true length of a line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from core.errors import ModelUnavailable, PanoError
from core.prediction import CAMERA_HEIGHTS, Prediction

FACTORS = 1e-4, 1e4
"""Between which a known length may change a depth; beyond, somebody has clicked on the wrong place."""


LIKELY_CHANGE = 3.0
"""By more a model that estimates metres is hardly ever wrong."""
LIKELY_HEIGHTS = 0.3, 30.0
"""Metres over the floor at which cameras stand, from a robot's to that on a crane."""


class ScaleRefused(PanoError):
    """A length that cannot be true."""


def rescale(prediction: Prediction, camera_height: float) -> Prediction:
    """The prediction with its depth scaled so that the camera stands `camera_height` metres above the floor.

    Args:
        prediction: Must know the camera height that its depth belongs to.
        camera_height: Metres, within `CAMERA_HEIGHTS`.

    Returns:
        A metric prediction that shares everything but the depth.

    Raises:
        ValueError: No camera stands so high or so low.
        ModelUnavailable: The model says nothing about the camera's height.
    """
    lowest, highest = CAMERA_HEIGHTS
    if not lowest <= camera_height <= highest:
        raise ValueError(f"camera_height must lie between {lowest} and {highest} metres, got {camera_height}")
    if prediction.depth is None:
        return replace(prediction, camera_height=camera_height)
    if not prediction.camera_height:
        raise ModelUnavailable(
            f"The model {prediction.model} does not estimate how high the camera stands, so that a known height cannot "
            "set the scale; leave the camera height out."
        )
    depth = prediction.depth * np.float32(camera_height / prediction.camera_height)
    notes = prediction.notes
    if _is_unlikely(prediction, camera_height):
        told = f"{prediction.camera_height:.3g} m that the model {prediction.model} estimates"
        notes = (*notes, f"A camera height of {camera_height:.4g} m is far from the {told}; check it.")
    return replace(prediction, depth=depth, camera_height=camera_height, is_metric=True, notes=notes)


def _is_unlikely(estimated: Prediction, camera_height: float) -> bool:
    """Whether a camera height is so far from the estimate that somebody may have mistyped; without metres, never."""
    if not estimated.is_metric or not estimated.camera_height:
        return False
    lowest, highest = LIKELY_HEIGHTS
    is_near = 1 / LIKELY_CHANGE <= camera_height / estimated.camera_height <= LIKELY_CHANGE
    return not (is_near and lowest <= camera_height <= highest)


@dataclass(frozen=True)
class KnownScale:
    """What is known of the sizes in the photographs of a folder.

    A known length becomes a height of the camera, which is the same in all photographs from one tripod. Models that
    say nothing about that height are held to a factor of their own.

    Attributes:
        camera_height: Metres above the floor; None to believe the model.
        factors: Of the depth of models that do not estimate that height, by their names.
    """

    camera_height: float | None = None
    factors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        return self.camera_height is not None or bool(self.factors)

    def apply(self, prediction: Prediction) -> Prediction:
        """The prediction in metres, as far as anything is known of them; otherwise as it is.

        Args:
            prediction: As a model has made it.
        """
        factor = self.factors.get(prediction.model)
        if prediction.depth is None:
            return prediction
        if prediction.camera_height:
            if self.camera_height is None:
                return prediction
            note = f"Metres are those of a camera height of {self.camera_height:.4g} m, which somebody knows"
            scaled = rescale(prediction, self.camera_height)
            return replace(scaled, notes=(*scaled.notes, f"{note}."))
        if factor is None:
            return prediction
        note = f"Metres are {factor:.4g} of the model's units, by a length that somebody knows."
        depth = prediction.depth * np.float32(factor)
        return replace(prediction, depth=depth, is_metric=True, notes=(*prediction.notes, note))

    def scales(self, prediction: Prediction) -> bool:
        """Whether the metres of a prediction, after `apply`, are those of what is known."""
        if prediction.camera_height:
            return self.camera_height is not None
        return prediction.model in self.factors

    def with_length(self, prediction: Prediction, measured: float, true: float) -> KnownScale:
        """The scale in which a line is as long as it is known to be.

        Args:
            prediction: After `apply`, in which it was measured.
            measured: Its length there, above 0.
            true: Metres, above 0.

        Raises:
            ScaleRefused: The camera would stand impossibly high or low, or no depth is so wrong.
        """
        change = true / measured if measured > 0 else math.inf
        factor = change * self.factors.get(prediction.model, 1.0)
        height = None if not prediction.camera_height else change * prediction.camera_height
        (least, most), (lowest, highest) = FACTORS, CAMERA_HEIGHTS
        is_possible = least <= change <= most and least <= factor <= most
        if not is_possible or (height is not None and not lowest <= height <= highest):
            raise ScaleRefused(
                f"Expected a length near the {measured:.3g} m that were measured, got {true:g} m; check both points."
            )
        if height is not None:
            return replace(self, camera_height=height)
        return replace(self, factors=MappingProxyType({**self.factors, prediction.model: factor}))

    def is_doubtful(self, estimated: Prediction) -> bool:
        """Whether this is so far from what a model has estimated that somebody may have mistyped.

        Args:
            estimated: As the model has made it.
        """
        if estimated.depth is None or not estimated.is_metric:
            return False
        if estimated.camera_height:
            return self.camera_height is not None and _is_unlikely(estimated, self.camera_height)
        return not 1 / LIKELY_CHANGE <= self.factors.get(estimated.model, 1.0) <= LIKELY_CHANGE

    def kept(self, *, is_metric: bool, model: str) -> KnownScale:
        """What of it holds for other photographs, too: the factor of a depth without unit does not.

        Args:
            is_metric: Whether the model itself claims metres.
            model: Its name.
        """
        if is_metric or model not in self.factors:
            return self
        others = {name: factor for name, factor in self.factors.items() if name != model}
        return replace(self, factors=MappingProxyType(others))
