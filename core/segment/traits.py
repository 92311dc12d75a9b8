"""What can be told of a mask without knowing whether it is right: its shape, its outline, who else says so.

All numbers are dimensionless and about 1 or less, or logarithms, so that a small function of them can be learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera, pixel_solid_angles
from core.segment.candidates import Candidate, Method
from core.segment.looks import overlaps
from core.segment.network import ViewAnswer

Bits = NDArray[np.bool_]
Values = NDArray[np.float32]

GRID = 64
"""Pixels along each side at which masks and views are looked at."""
_BINS = (8, 8, 8)
_BAND = 2
"""Pixels that the band around a mask is wide."""

NAMES = (
    *("part", "object", "group", "colour"),
    *("fov", "area", "fill", "width", "cut off", "sides", "reach", "slim", "box fill", "off centre", "depth"),
    *("ragged", "in one", "holes"),
    *("part quality", "object quality", "group quality", "beside best quality"),
    *("belief inside", "belief around", "like part", "like object", "like group", "stable", "like raw"),
    *("apart", "uniform", "like around", "like outside", "edge", "edged", "calm"),
    *("agreed", "agreed objects", "agreed colours", "agreed readings", "best elsewhere", "narrower", "wider"),
    *("same view objects", "same view colours", "rank", "beside median", "holds", "is held", "twins"),
)
"""Of the traits, in their order; weights are learned for these and no others."""


def traits(
    cameras: Sequence[Camera],
    views: NDArray[np.uint8],
    answers: Sequence[ViewAnswer],
    candidates: Sequence[Candidate],
    shared: NDArray[np.float64],
) -> Values:
    """The traits of candidates for one click.

    Args:
        cameras: Of the k views, with the click in their middle, from narrow to wide.
        views: (k, s, s, 3) sRGB.
        answers: Of the network.
        candidates: n of them.
        shared: (n, n) steradians that each two have in common; see `core.segment.looks.shared_areas`.

    Returns:
        (n, len(NAMES)).
    """
    of = np.array([candidate.view for candidate in candidates])
    method = np.array([candidate.method for candidate in candidates])
    inside = np.stack([_small(candidate.inside) for candidate in candidates])
    columns = [
        *(method == each for each in Method),
        *_shape(cameras, of, inside, candidates),
        *_belief(answers, of, method, inside),
        *_outline(views, of, inside),
        *_company(of, method, shared),
    ]
    table = np.stack([np.asarray(column, np.float32) for column in columns], axis=1)
    return np.nan_to_num(table, nan=0.0, posinf=0.0, neginf=0.0)


def _small(mask: Bits) -> Bits:
    import cv2

    if len(mask) == GRID:
        return mask
    shares = cv2.resize(mask.astype(np.uint8) * 255, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(shares > 127)


def _shape(
    cameras: Sequence[Camera], of: NDArray[np.int64], inside: Bits, candidates: Sequence[Candidate]
) -> list[NDArray[np.float64]]:
    fov = np.array([camera.fov_x for camera in cameras])[of]
    areas = np.stack([pixel_solid_angles(GRID, camera.fov_x) for camera in cameras])[of]
    count = np.maximum(np.count_nonzero(inside, axis=(1, 2)), 1.0)
    size = np.maximum(_sum(areas, inside), 1e-6)
    sides = np.stack([inside[:, 0], inside[:, -1], inside[:, :, 0], inside[:, :, -1]]).mean(axis=2)
    centre = np.arange(GRID) + 0.5 - GRID / 2
    rows, cols = np.asarray(inside.any(axis=2)), np.asarray(inside.any(axis=1))
    reach_v, reach_u = (np.where(used, np.abs(centre), 0).max(axis=1) / (GRID / 2) for used in (rows, cols))
    high, wide = np.maximum(_extent(rows), 1), np.maximum(_extent(cols), 1)
    mean_v, mean_u = ((inside.sum(axis=2 - axis) * centre).sum(axis=1) / count for axis in (0, 1))
    away = np.hypot(centre[:, None], centre)
    depth = np.where(inside, np.inf, away).min(axis=(1, 2))
    depth = np.where(np.isfinite(depth), depth, GRID)
    ends = np.count_nonzero(inside[:, 1:] != inside[:, :-1], axis=(1, 2))
    ends = ends + np.count_nonzero(inside[:, :, 1:] != inside[:, :, :-1], axis=(1, 2)) + sides.sum(axis=0) * GRID
    whole = np.array([np.count_nonzero(candidate.logits > 0) for candidate in candidates])
    kept = np.array([np.count_nonzero(candidate.inside) for candidate in candidates])
    width = np.sqrt(count)
    return [
        np.log(fov),
        np.log(size) / 2,
        np.log(count / GRID**2),
        width / GRID,
        sides.mean(axis=0),
        (sides > 0.05).mean(axis=0),
        np.maximum(reach_v, reach_u),
        np.abs(np.log(high / wide)),
        count / (high * wide),
        np.hypot(mean_u, mean_v) / width,
        depth / width,
        np.log(np.maximum(ends, 1) * math.pi / 4 / np.sqrt(4 * math.pi * count)),
        kept / np.maximum(whole, 1),
        _hollow(inside) / count,
    ]


def _extent(used: Bits) -> NDArray[np.int64]:
    """(n,) from the first to the last of (n, s)."""
    extent: NDArray[np.int64] = used.shape[1] - used.argmax(axis=1) - used[:, ::-1].argmax(axis=1)
    return np.where(used.any(axis=1), extent, 0)


def _hollow(inside: Bits) -> NDArray[np.float64]:
    """Pixels that are not inside and have something inside on all four sides."""
    before = [np.logical_or.accumulate(np.flip(inside, axis), axis) for axis in (1, 2)]
    after = [np.logical_or.accumulate(inside, axis) for axis in (1, 2)]
    hollow = ~inside & np.flip(before[0], 1) & np.flip(before[1], 2) & after[0] & after[1]
    return np.asarray(np.count_nonzero(hollow, axis=(1, 2)), np.float64)


def _belief(
    answers: Sequence[ViewAnswer], of: NDArray[np.int64], method: NDArray[np.int64], inside: Bits
) -> list[NDArray[np.float64]]:
    """What the network says about the candidates in their views."""
    logits = _resized(np.stack([answer.logits for answer in answers]))
    quality = np.stack([answer.quality for answer in answers]).astype(np.float64)
    reading = np.where(method == Method.COLOR, Method.OBJECT, method)
    own = quality[of, reading]
    chance = 1 / (1 + np.exp(-np.clip(logits, -12, 12)))
    band = _dilated(inside) & ~inside
    likeness = [_soft_iou(inside, chance[of, level]) for level in range(3)]
    sure, maybe = (np.stack([level > limit for level in logits])[of, reading] for limit in (1, -1))
    raw = logits[of, reading] > 0
    return [
        *(quality[of, level] for level in range(3)),
        own - quality.max(axis=0)[reading],
        _mean(chance[of, Method.OBJECT], inside),
        _mean(chance[of, Method.OBJECT], band),
        *likeness,
        _ratio(sure, maybe),
        _ratio(inside & raw, inside | raw),
    ]


def _ratio(part: Bits, whole: Bits) -> NDArray[np.float64]:
    return np.asarray(np.count_nonzero(part, axis=(1, 2)) / np.maximum(np.count_nonzero(whole, axis=(1, 2)), 1))


def _resized(logits: Values) -> Values:
    import cv2

    if logits.shape[-1] == GRID:
        return logits
    flat = [cv2.resize(level, (GRID, GRID), interpolation=cv2.INTER_AREA) for view in logits for level in view]
    return np.stack(flat).reshape(*logits.shape[:2], GRID, GRID)


def _soft_iou(inside: Bits, chance: Values) -> NDArray[np.float64]:
    both = _sum(chance, inside)
    total = chance.reshape(len(chance), -1).sum(axis=1) + np.count_nonzero(inside, axis=(1, 2))
    return np.asarray(both / np.maximum(total - both, 1e-6))


def _mean(values: Values, where: Bits) -> NDArray[np.float64]:
    return np.asarray(_sum(values, where) / np.maximum(np.count_nonzero(where, axis=(1, 2)), 1))


def _sum(values: Values, where: Bits) -> NDArray[np.float64]:
    """(n,) sums of (n, s, s) where something is inside."""
    flat = values.reshape(len(values), 1, -1), where.reshape(len(where), -1, 1).astype(np.float32)
    return np.asarray((flat[0] @ flat[1])[:, 0, 0], np.float64)


def _dilated(inside: Bits) -> Bits:
    import cv2

    stacked = np.ascontiguousarray(np.moveaxis(inside, 0, -1)).view(np.uint8)
    side = 2 * _BAND + 1
    grown = np.asarray(cv2.dilate(stacked, np.ones((side, side), np.uint8))).reshape(stacked.shape)
    return np.ascontiguousarray(np.moveaxis(grown, -1, 0)).view(np.bool_)


def _outline(views: NDArray[np.uint8], of: NDArray[np.int64], inside: Bits) -> list[NDArray[np.float64]]:
    """How a mask is set apart from its surroundings by colours and edges."""
    import cv2

    small = [np.asarray(cv2.resize(view, (GRID, GRID), interpolation=cv2.INTER_AREA)) for view in views]
    lab = np.stack([cv2.cvtColor(view, cv2.COLOR_RGB2LAB) for view in small]).astype(np.float32)
    edges = _edges(lab)
    edges /= np.maximum(edges.mean(axis=(1, 2), keepdims=True), 1.0)
    band = _dilated(inside) & ~inside
    means, spreads = zip(*(_moments(lab, of, where) for where in (inside, band)), strict=True)
    pooled = np.sqrt((spreads[0] + spreads[1]) / 2 + 4)
    histograms = [_histograms(lab, of, where) for where in (inside, band, ~inside)]
    alike = [np.minimum(histograms[0], other).sum(axis=1) for other in histograms[1:]]
    grown = _dilated(~inside)
    border = inside & grown
    border[:, [0, -1]] = False
    border[:, :, [0, -1]] = False
    strength = edges[of]
    view_spread = np.stack([cv2.meanStdDev(level)[1].mean() for level in lab])[of]
    return [
        np.minimum(np.abs(means[0] - means[1]).mean(axis=1) / pooled, 4),
        np.sqrt(spreads[0]) / np.maximum(view_spread, 2),
        *alike,
        np.minimum(_mean(strength, border), 6) / 2,
        _mean((strength > 1.2).astype(np.float32), border),
        np.minimum(_mean(strength, inside & ~grown), 4),
    ]


def _edges(lab: Values) -> Values:
    """(k, s, s) strongest of the four steps in colour from each pixel to its neighbours."""
    planes = np.ascontiguousarray(np.moveaxis(lab, -1, 1))
    across, along = (np.abs(np.diff(planes, axis=axis)).sum(axis=1) for axis in (3, 2))
    edges = np.zeros(lab.shape[:3], np.float32)
    for step, here in (
        (across, np.s_[:, :, :-1]),
        (across, np.s_[:, :, 1:]),
        (along, np.s_[:, :-1]),
        (along, np.s_[:, 1:]),
    ):
        np.maximum(edges[here], step, out=edges[here])
    return edges


def _moments(lab: Values, of: NDArray[np.int64], where: Bits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 3) mean colours and (n,) mean variances."""
    flat = where.reshape(len(where), -1).astype(np.float32)
    count = np.maximum(flat.sum(axis=1), 1)
    colors = lab.reshape(len(lab), -1, 3)
    mean = np.empty((len(where), 3))
    square = np.empty((len(where), 3))
    for view in range(len(lab)):
        mine = of == view
        mean[mine] = flat[mine] @ colors[view]
        square[mine] = flat[mine] @ np.square(colors[view])
    mean /= count[:, None]
    variance = np.maximum(square / count[:, None] - np.square(mean), 0)
    return mean, variance.mean(axis=1)


def _histograms(lab: Values, of: NDArray[np.int64], where: Bits) -> NDArray[np.float64]:
    """(n, bins) shares of colours."""
    lights, reds, blues = _BINS
    level = (lab[..., 0] / 256 * lights).astype(np.int64)
    pairs = [
        np.clip((lab[..., k] - 80) / 96 * bins, 0, bins - 1).astype(np.int64) for k, bins in ((1, reds), (2, blues))
    ]
    number = (level * reds + pairs[0]) * blues + pairs[1]
    total = lights * reds * blues
    rows = [np.bincount(number[view][mask], minlength=total) for view, mask in zip(of, where, strict=True)]
    table = np.stack(rows).astype(np.float64)
    shares: NDArray[np.float64] = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    return shares


def _company(
    of: NDArray[np.int64], method: NDArray[np.int64], shared: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """How candidates stand to each other."""
    own = np.maximum(np.diag(shared), 1e-9)
    iou = overlaps(shared)
    other = of[:, None] != of[None]

    def mean_over(chosen: Bits) -> NDArray[np.float64]:
        return np.asarray((iou * chosen).sum(axis=1) / np.maximum(chosen.sum(axis=1), 1))

    found_by = {each: (method == each)[None] for each in Method}
    same_method = method[:, None] == method[None]
    share_held = shared / own[:, None]
    elsewhere = other & ~np.eye(len(of), dtype=np.bool_)
    return [
        mean_over(elsewhere),
        mean_over(elsewhere & found_by[Method.OBJECT]),
        mean_over(elsewhere & found_by[Method.COLOR]),
        mean_over(elsewhere & (found_by[Method.PART] | found_by[Method.GROUP])),
        (iou * elsewhere).max(axis=1),
        (iou * (same_method & (of[None] == of[:, None] - 1))).sum(axis=1),
        (iou * (same_method & (of[None] == of[:, None] + 1))).sum(axis=1),
        mean_over(~other & found_by[Method.OBJECT]),
        mean_over(~other & found_by[Method.COLOR]),
        (own[:, None] > own[None]).mean(axis=1),
        np.log(own / np.median(own)) / 2,
        (share_held.T > 0.9).mean(axis=1),
        (share_held > 0.9).mean(axis=1),
        (iou > 0.8).mean(axis=1),
    ]
