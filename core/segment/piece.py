"""What a click may mean beyond any view: the connected piece of one class all around the sphere, such as the floor.

A dense network reads the panorama as a whole once; from then on every click lies in a piece of what it saw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.dilation import dilate
from core.geometry.regions import component_at
from core.geometry.sphere import directions_to_lonlat, erp_rays, lonlat_to_directions, lonlat_to_pixels, solid_angle
from core.geometry.warp import erp_to_camera
from core.progress import Progress
from core.scene import Click
from core.segment.candidates import Candidate
from core.segment.traits import NAMES as TRAITS

Bits = NDArray[np.bool_]
Logits = NDArray[np.float32]
Values = NDArray[np.float32]
Chances = NDArray[np.uint8]
"""(h, 2h, c) of each class, 255 for certain; all 0 where nothing was seen."""

SURE = 4.0
"""Logit of what lies well inside a piece."""
SIDE, FOV_DEG = 128, 100.0
"""Pixels and field of view of the six views that hold a piece."""
BESIDE = math.radians(4)
"""As far from a view's border an object may end and still count as reaching it."""
LIKELY = 0.2
"""Chance of a class above which something may be of it."""
CAUTION = 0.05
"""By how much the IoU of a piece must be expected to be higher before it is taken."""
_GRID = 64
_NUMBERS = ("mean", "scale", "weights")

NAMES = (
    *("size", "columns", "upper pole", "lower pole", "ragged", "depth", "depth by size"),
    *("of its class", "height", "likely"),
    *("like chosen", "chosen in it", "it in chosen", "like best", "like objects", "like widest"),
    *("score", "chosen size", "beyond chosen", "chosen fov", "chosen cut off", "chosen agreed"),
)
"""Of the traits of a piece beside what was chosen without it, in their order; the names of classes follow."""


class DenseNetwork(Protocol):
    """Says for every direction of a panorama how likely each class is."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the classes."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the weights: what it says is kept on disk."""
        ...

    def chances(self, rgb: NDArray[np.uint8], *, progress: Progress) -> Chances:
        """(h, 2h, c) of each class in each pixel; the same for the same (H, W, 3) sRGB picture."""
        ...


@dataclass(frozen=True, eq=False)
class Piece:
    """A connected piece of one class.

    Attributes:
        bits: (h, 2h) bool.
        name: Of the class.
        of_class: Share of the area of its class that it holds.
        is_likely: Whether it is made of all that may be of that class, not only of what is most likely of it.
    """

    bits: Bits
    name: str
    of_class: float
    is_likely: bool = False

    def seen_by(self, camera: Camera) -> Logits:
        """Logits in a view."""
        return (erp_to_camera(self.bits.astype(np.float32), camera) * (2 * SURE) - SURE).astype(np.float32)

    def around(self) -> list[tuple[Camera, Logits]]:
        """Views that look everywhere, and logits in each."""
        cameras = [
            Camera(math.radians(yaw), math.radians(pitch), 0.0, math.radians(FOV_DEG), SIDE, SIDE)
            for yaw, pitch in ((0, 0), (90, 0), (180, 0), (-90, 0), (0, 90), (0, -90))
        ]
        return [(camera, self.seen_by(camera)) for camera in cameras]

    def holds(self, directions: NDArray[np.float64]) -> Bits:
        """Whether (..., 3) directions lie in it, or beside it within `BESIDE`."""
        inside: Bits = self._grown[lonlat_to_pixels(*directions_to_lonlat(directions), *self.bits.shape)]
        return inside

    @cached_property
    def _grown(self) -> Bits:
        return dilate(self.bits, BESIDE)


def pieces_at(chances: Chances, names: Sequence[str], click: Click) -> list[Piece]:
    """The pieces that a click lies in: of its likeliest class, and of all that may be of that class.

    Args:
        chances: Of `DenseNetwork.chances`.
        names: Of the classes.
        click: Where.

    Returns:
        Two, or one if both are the same; none where nothing was seen, or nothing is likely.
    """
    row, col = lonlat_to_pixels(click.lon, click.lat, *chances.shape[:2])
    number = int(chances[row, col].argmax())
    chance = chances[..., number]
    if chance[row, col] == 0:
        return []
    sure = _piece(np.asarray((chance > 0) & (chances.argmax(axis=-1) == number)), names[number], click, is_likely=False)
    likely = np.asarray(chance > LIKELY * 255)
    if not likely[row, col]:
        return [sure]
    wide = _piece(likely, names[number], click, is_likely=True)
    return [sure] if (wide.bits == sure.bits).all() else [sure, wide]


def _piece(same: Bits, name: str, click: Click, *, is_likely: bool) -> Piece:
    bits = component_at(same, click.lon, click.lat)
    areas = solid_angle(*same.shape)
    return Piece(bits, name, float((bits * areas).sum() / (same * areas).sum()), is_likely=is_likely)


def likenesses(piece: Piece, cameras: Sequence[Camera], candidates: Sequence[Candidate]) -> Values:
    """How candidates stand to a piece, as their views see it.

    Args:
        piece: One.
        cameras: Of the views.
        candidates: n of them.

    Returns:
        (n, 3): IoU with the piece, share of each that lies in it, and share of it that lies in each.
    """
    seen = np.stack([_as_small(piece.seen_by(camera) > 0) for camera in cameras])[[each.view for each in candidates]]
    inside = np.stack([_as_small(each.inside) for each in candidates])
    both, own, its = (np.count_nonzero(bits, axis=(1, 2)) for bits in (seen & inside, inside, seen))
    shares = [both / np.maximum(whole, 1) for whole in (own + its - both, own, its)]
    return np.stack(shares, axis=1).astype(np.float32)


def own_traits(piece: Piece, click: Click) -> Values:
    """The traits of a piece by itself: the first ones of `NAMES`."""
    bits = piece.bits
    height, width = bits.shape
    areas = solid_angle(height, width)
    size = float((bits * areas).sum())
    cell = math.pi / height
    across = bits != np.roll(bits, 1, axis=1)
    along = bits[1:] != bits[:-1]
    outline = cell * (across.sum() + (along * (areas[1:] / areas[1:].max())).sum())
    border = across | np.roll(across, -1, axis=1)
    border[1:] |= along
    border[:-1] |= along
    depth = math.pi
    if border.any():
        nearest = float((erp_rays(height, width)[border] @ lonlat_to_directions(click.lon, click.lat)).max())
        depth = math.acos(min(1.0, nearest))
    return np.array(
        [
            math.log(size) / 2,
            bits.any(axis=0).mean(),
            bits[0].any(),
            bits[-1].any(),
            math.log(max(outline, cell) / math.sqrt(4 * math.pi * size)),
            math.log(depth + cell),
            depth / math.sqrt(size),
            piece.of_class,
            math.sin(click.lat),
            piece.is_likely,
        ],
        np.float32,
    )


def beside_chosen(own: Values, likeness: Values, table: Values, scores: Values, chosen: int) -> Values:
    """(len(NAMES),) the traits of a piece beside the candidate that is chosen without it.

    Args:
        own: Of `own_traits`.
        likeness: (n, 3) of `likenesses`.
        table: (n, t) traits of the candidates.
        scores: (n,) what the ranking says of them.
        chosen: Number of one.
    """
    of = {name: float(table[chosen, TRAITS.index(name)]) for name in ("area", "fov", "cut off", "agreed")}
    objects = table[:, TRAITS.index("object")] > 0
    fovs = table[:, TRAITS.index("fov")]
    widest = objects & (fovs == fovs.max())
    beside = [
        *likeness[chosen],
        likeness[:, 0].max(),
        likeness[objects, 0].mean(),
        likeness[widest, 0].mean(),
        scores[chosen],
        of["area"],
        own[0] - of["area"],
        of["fov"],
        of["cut off"],
        of["agreed"],
    ]
    return np.concatenate([own, np.array(beside, np.float32)])


@dataclass(frozen=True, eq=False)
class PieceRule:
    """When the piece that was clicked on is taken instead of what was chosen without it: a line through its traits.

    Attributes:
        class_names: That were known when it was learned.
        mean, scale: (t,) of the traits: `NAMES`, then one for each class.
        weights: (t,) for the scaled traits.
        bias: With the mean traits.
        reads: `DenseNetwork.fingerprint` of whose pieces it was learned from.
    """

    class_names: tuple[str, ...]
    mean: Values
    scale: Values
    weights: Values
    bias: float
    reads: str

    def __post_init__(self) -> None:
        shape = (len(NAMES) + len(self.class_names),)
        wrong = [name for name in ("mean", "scale", "weights") if getattr(self, name).shape != shape]
        if wrong or not all(np.isfinite(getattr(self, name)).all() for name in ("mean", "scale", "weights", "bias")):
            raise ValueError(f"weights of the rule for pieces do not fit its {shape[0]} traits")
        if not (self.scale > 0).all():
            raise ValueError("the scales of traits must be positive")

    def gain(self, traits: Values, name: str) -> float:
        """By how much the IoU of a piece is expected to be higher.

        Args:
            traits: (len(NAMES),) of `beside_chosen`.
            name: Of the piece's class.
        """
        everything = np.concatenate([traits, class_traits(name, self.class_names)])
        return float((everything - self.mean) / self.scale @ self.weights + self.bias)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PieceRule:
        """The reverse of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
        """
        if list(stored["traits"]) != list(NAMES):
            raise ValueError("the rule for pieces was learned for other traits")
        names = tuple(str(name) for name in stored["class_names"])
        mean, scale, weights = (np.array(stored[key], np.float32) for key in _NUMBERS)
        return cls(names, mean, scale, weights, float(stored["bias"]), str(stored["reads"]))

    def to_json(self) -> dict[str, Any]:
        """As text can hold it."""
        numbers = {key: np.round(getattr(self, key).astype(np.float64), 6).tolist() for key in _NUMBERS}
        about = {"traits": NAMES, "class_names": self.class_names, "reads": self.reads}
        return {**about, **numbers, "bias": round(self.bias, 6)}


def class_traits(name: str, class_names: Sequence[str]) -> Values:
    """(len(class_names),) 1 at the name of a class, 0 elsewhere."""
    return np.array([name == each for each in class_names], np.float32)


def _as_small(mask: Bits) -> Bits:
    import cv2

    if len(mask) == _GRID:
        return mask
    small = cv2.resize(mask.astype(np.uint8), (_GRID, _GRID), interpolation=cv2.INTER_NEAREST)
    return np.asarray(small).view(np.bool_)
