"""SAP's inference, literally, for judging: every look of a cycle in its order, and the largest logit on the sphere.

The program's own driver (`core.segment`) does more: it looks only where the object may be, begins with a first mask and
believes neighbours. Here nothing but network, looks, prompts and memories has a say, so that these can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.geometry.sphere import angle_between, lonlat_to_directions, solid_angle
from core.models.networks.click_prompts import ClickPrompt
from core.scene import Click
from core.segment.options import MemoryChoice, Policy
from training.click_evaluate import next_click
from training.click_worlds import WorldObject, world_objects
from training.metrics import mask_iou
from training.sap.layouts import Layout, merged_mask
from training.sap.recall import MEMORIES, Recall
from training.sap.segmenters import Segmenter, rows_of, segmenter_for
from training.worlds.sample import read_sample

Mask = NDArray[np.bool_]
_AT_ONCE = 8
"""Views whose features are made together."""


@dataclass(frozen=True)
class ScanOptions:
    """How a panorama is scanned.

    Attributes:
        layout: What is looked at.
        policy: What a view gets in which clicks lie. The published text is closest to P1.
        memory: By what nearness views are recalled.
        memories: How many; 0 for views on their own.
    """

    layout: Layout = field(default_factory=Layout)
    policy: Policy = Policy.P2
    memory: MemoryChoice = MemoryChoice.ANGLE
    memories: int = MEMORIES


class Scan:
    """A panorama whose looks were encoded, for many clicks.

    Args:
        segmenter: The network.
        rgb: (h, w, 3) uint8.
        size: Pixels along each side of a look.
        options: How it is scanned.
        device: Of the network.
    """

    def __init__(
        self, segmenter: Segmenter, rgb: NDArray[np.uint8], size: int, options: ScanOptions, device: torch.device
    ) -> None:
        self._segmenter, self._options, self._device, self._size = segmenter, options, device, size
        self._height, self._width = rgb.shape[:2]
        self._looks = options.layout.cycle(size)
        pictures = np.stack([look.see(rgb, nearest=False) for look in self._looks])
        views = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 255
        fov = torch.tensor([look.fov for look in self._looks], dtype=torch.float32, device=device)
        with torch.no_grad():
            parts = [
                segmenter.look(views[k : k + _AT_ONCE], fov[k : k + _AT_ONCE]) for k in range(0, len(views), _AT_ONCE)
            ]
        self._features = type(parts[0])(*(torch.cat(level) for level in zip(*parts, strict=True)))
        order = np.arange(len(self._looks), dtype=np.float32)
        half = len(order) // 2
        self._distance = (order[:, None] - order[None] + half) % len(order) - half
        axes = np.stack([look.axis for look in self._looks])
        self._angle = np.round(angle_between(axes[:, None], axes[None]), 6).astype(np.float32)

    @torch.no_grad()
    def masks(self, clicks: Sequence[Sequence[Click]]) -> list[Mask]:
        """(h, w) bool of each object that some clicks mean; all objects are followed side by side."""
        count, looks = len(clicks), len(self._looks)
        rows = torch.arange(count, device=self._device)
        ways = [self._way(given) for given in clicks]
        recall = Recall(
            torch.from_numpy(self._distance).expand(count, -1, -1),
            torch.from_numpy(self._angle).expand(count, -1, -1),
            self._options.memory,
            self._options.memories,
        )
        size = self._size // self._segmenter.stride
        said = torch.zeros(count, looks, size, size)
        for step in range(looks):
            at = [way.order[step] for way in ways]
            seen = rows_of(self._features, torch.tensor(at, device=self._device))
            prompted = [bool(way.prompts[number][0]) for way, number in zip(ways, at, strict=True)]
            recalled = [
                [] if number in ways[row].first_sights else recall.frames_for(row, number)
                for row, number in enumerate(at)
            ]
            attended = self._segmenter.attend(seen, recalled)
            prompt = self._prompt([way.prompts[number] for way, number in zip(ways, at, strict=True)], size)
            answer = self._segmenter.answer(attended, prompt)
            logits, pointers = answer.given()
            # Where nothing is seen there is no mask either.
            absent = (answer.presence <= 0) & ~torch.tensor(prompted, device=self._device)
            logits = torch.where(absent[:, None, None], -logits.abs() - 1, logits)
            for row, number in enumerate(at):
                said[row, number] = logits[row].cpu()
            if step + 1 < looks:
                memories = self._segmenter.remember(seen, logits, answer.presence, pointers)
                recall.keep(rows, at, prompted, memories)
        return [merged_mask(self._looks, said[row].numpy(), self._height, self._width) for row in range(count)]

    def _way(self, clicks: Sequence[Click]) -> _Way:
        looks = self._looks
        axes = np.stack([look.axis for look in looks])

        def best(click: Click) -> int:
            away = angle_between(axes, lonlat_to_directions(click.lon, click.lat))
            return int(np.argmin(np.round(away, 9)))

        prompts: list[_Prompt] = [([], []) for _ in looks]
        for click in clicks:
            for number in [best(click)] if self._options.policy is Policy.P3 else range(len(looks)):
                place = looks[number].place(click.lon, click.lat)
                if place is not None:
                    prompts[number][0].append(place)
                    prompts[number][1].append(click.positive)
        # Alone, "not this" says nothing of an object.
        prompts = [prompt if any(prompt[1]) else ([], []) for prompt in prompts]
        start = best(next(click for click in clicks if click.positive))
        cycle = [(start + step) % len(looks) for step in range(len(looks))]
        if self._options.policy is not Policy.P1:
            return _Way(tuple(cycle), tuple(prompts), frozenset([start]))
        clicked = [number for number in cycle if prompts[number][0]]
        rest = [number for number in cycle if not prompts[number][0]]
        return _Way((*clicked, *rest), tuple(prompts), frozenset(clicked or [start]))

    def _prompt(self, given: Sequence[_Prompt], size: int) -> ClickPrompt:
        most = max(1, *(len(places) for places, _ in given))
        points, signs = np.zeros((len(given), most, 2), np.float32), np.zeros((len(given), most), np.float32)
        for row, (places, positive) in enumerate(given):
            if places:
                points[row, : len(places)] = places
                signs[row, : len(places)] = np.where(positive, 1, -1)
        unknown = torch.full((len(given), 4), torch.nan, device=self._device)
        prior = torch.full((len(given), 1, size, size), torch.nan, device=self._device)
        return ClickPrompt(
            torch.from_numpy(points).to(self._device), torch.from_numpy(signs).to(self._device), unknown, prior
        )


_Prompt = tuple[list[tuple[float, float]], list[bool]]


@dataclass(frozen=True)
class _Way:
    """Looks in their order, what is pointed at in each by its number, and those that are seen without memories."""

    order: tuple[int, ...]
    prompts: tuple[_Prompt, ...]
    first_sights: frozenset[int]


SIZES = ("small", "medium", "large")
_MEDIUM_SR, _LARGE_SR = 0.05, 0.5
"""Steradians from which an object is medium or large, our choice: 14 and 46 degrees across; SAP's are not published."""


def judge_worlds(
    network: nn.Module,
    files: Sequence[Path],
    options: ScanOptions,
    *,
    size: int,
    clicks: int = 1,
    per_kind: int = 1,
) -> dict[str, float]:
    """Mean IoU on the sphere with objects of worlds, whose grid it is counted on.

    Args:
        network: In any mode; it is left as it was.
        files: Worlds.
        options: How they are scanned.
        size: Pixels along each side of a look.
        clicks: How many each object gets; the first in its middle, each further one in that of the largest error.
        per_kind: Objects of each kind (wide, across the seam, at a pole, plain) and world.

    Returns:
        ``iou_1``, ``iou_2``, ... after each click; after the first ``small``, ``medium``, ``large`` by solid angle and
        ``seam_pole``, where there are such; ``objects``.
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    segmenter = segmenter_for(network)
    rows: list[tuple[WorldObject, list[float], float]] = []
    for path in files:
        world = read_sample(path)
        objects = world_objects(world, per_kind=per_kind)
        if not objects:
            continue
        scan = Scan(segmenter, np.ascontiguousarray(world.rgb), size, options, device)
        given = [[item.drawn.click] for item in objects]
        ious: list[list[float]] = [[] for _ in objects]
        for _ in range(clicks):
            for n, mask in enumerate(scan.masks(given)):
                ious[n].append(mask_iou(mask, objects[n].drawn.mask))
                further = next_click(mask, objects[n].drawn.mask) if len(ious[n]) < clicks else None
                if further is not None:
                    given[n].append(further)
        rows += [(item, ious[n], _steradians(item.drawn.mask)) for n, item in enumerate(objects)]
    network.train(was_training)
    return _scores(rows, clicks)


def _steradians(mask: Mask) -> float:
    return float((mask * solid_angle(*mask.shape)).sum())


def _scores(rows: Sequence[tuple[WorldObject, list[float], float]], clicks: int) -> dict[str, float]:
    if not rows:
        return {"objects": 0.0}
    ious = np.array([each for _, each, _ in rows])
    scores = {f"iou_{n + 1}": float(ious[:, n].mean()) for n in range(clicks)}
    classes = np.digitize([area for _, _, area in rows], [_MEDIUM_SR, _LARGE_SR])
    groups: Mapping[str, NDArray[np.bool_]] = {
        **{name: classes == number for number, name in enumerate(SIZES)},
        "seam_pole": np.array([item.kind in ("seam", "pole") for item, _, _ in rows]),
    }
    scores |= {name: float(ious[chosen, 0].mean()) for name, chosen in groups.items() if chosen.any()}
    return scores | {"objects": float(len(rows))}
