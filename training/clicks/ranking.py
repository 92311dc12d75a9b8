"""Learning which of the first masks is meant, from clicks whose right answer is known.

What the network and colours offer around each click is described by traits; a small function of them is taught to say
the IoU of each with the right answer, and to say most where it is highest.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import ModelUnavailable, PanoError
from core.geometry.camera import pixel_solid_angles
from core.io.atomic import atomic_file
from core.models.click_s import RANKING, ClickS
from core.models.pano_classes import PanoClasses
from core.progress import Progress, silent
from core.segment.candidates import propose
from core.segment.looks import cameras_around_click, overlaps, prompt_in, shared_areas
from core.segment.photo import PhotoLevels
from core.segment.piece import PieceRule
from core.segment.ranking import Ranker, ranking_text, read_ranking
from core.segment.traits import traits
from training.clicks.harvest import WorldRegions
from training.clicks.pieces import Chosen, PieceLesson, PieceTeacher, choose, fit_rule, piece_shares, with_rule
from training.clicks.ranking_tasks import (
    Kind,
    RankingTask,
    TaskPlan,
    read_tasks,
    task_file,
    task_photo,
    write_photo_tasks,
    write_world_tasks,
)
from training.config import RankConfig
from training.worlds.sample import read_sample

Values = NDArray[np.float32]

HIDDEN, OPINIONS = 32, 4
FITS = 4
"""From different initial weights; their scores are averaged, because a single one may go far astray on one object."""
_BATCH = 64
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 0.01
_DROPPED = 0.1
_SHARPNESS = 0.3
"""Of the choice that is taught: scores that lie this far apart are told from each other."""
_SHARES = {Kind.REGION: 0.5, Kind.THING: 1.0, Kind.STRUCTURE: 0.15}
"""Of what is learned. Things of worlds are what people mean by an object, regions of photographs look like photographs;
a wall or a floor is clicked on less often."""
_SIZE_POWER = 0.3
"""By which large regions of photographs count for more: many small ones are patches that nobody would point at. It
gained a hundredth on the things of worlds, when nothing was learned from these."""
_LEAST_SPREAD = 0.05
_TITLES = {
    Kind.REGION: "regions of photographs",
    Kind.THING: "things in worlds",
    Kind.STRUCTURE: "walls, floors and the like in worlds",
}
_HELD_OUT = 5
"""Every so manieth photograph and world is kept for judging."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """n clicks with c candidates each.

    Attributes:
        traits: (n, c, t) float32.
        overlaps: (n, c, c) float32 IoU of each two candidates.
        ious: (n, c) float32 of each with the right answer.
        kinds: (n,) `Kind` of what was clicked on.
        wholes: (n,) float64 steradians of it.
        held_out: (n,) bool: kept for judging.
    """

    traits: Values
    overlaps: Values
    ious: Values
    kinds: NDArray[np.int64]
    wholes: NDArray[np.float64]
    held_out: NDArray[np.bool_]

    def only(self, chosen: NDArray[np.bool_]) -> Lessons:
        """Some of them."""
        return Lessons(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class RankingScore:
    """How well the choice does on clicks that nothing was learned from: mean IoU of the candidate that is chosen.

    Attributes:
        kind: Of what was clicked on.
        clicks: How many.
        learned, voted, best: By the ranking; by the one that agrees with most others; by the truth.
        pieced: By the ranking or, where the rule for pieces says so, the piece.
    """

    kind: str
    clicks: int
    learned: float
    voted: float
    best: float
    pieced: float


def learn_ranking(
    weights: Path, photos: Sequence[Path], worlds: Sequence[Path], config: RankConfig, *, progress: Progress = silent
) -> tuple[Path, list[RankingScore]]:
    """Learn the ranking for weights of click-s, and write it beside them.

    Args:
        weights: `click_s.safetensors`; what lies beside it under the ranking's name is replaced.
        photos: That may be learned from.
        worlds: Generated ones.
        config: Of the run.
        progress: Called after each picture.

    Returns:
        The file, and how the choice does on pictures that were held out; in the end all of them are learned from. With
        `pieces_only` they are held out from the rule for pieces alone: the ranking that is kept may have learned from
        them.

    Raises:
        PanoError: A picture or the weights cannot be read, there is no click to learn from, or no ranking to keep.
    """
    network = ClickS(weights, device="cpu", ranked=False)
    path = weights.with_name(RANKING.format(weights.stem))
    known = read_ranking(path, _digest(weights)) if config.pieces_only else None
    if config.pieces_only and known is None:
        raise PanoError(f"Expected a ranking beside the weights to keep, got none; learn it first: {path}")
    plan = TaskPlan(config.per_photo, config.per_world, size=network.centred_size, seed=config.seed)
    sources = [*photos, *worlds]
    total = 2 * len(sources)
    write_photo_tasks(photos, config.tasks, plan, progress=lambda done, _: progress(done, total))
    write_world_tasks(worlds, config.tasks, plan, progress=lambda done, _: progress(len(photos) + done, total))
    read = partial(_lessons, network, sources, config.tasks, plan)
    lessons, pieces = read(lambda done, _: progress(len(sources) + done, total))
    part = ~lessons.held_out
    ranker = known[0] if known else teach(lessons.only(part), steps=config.steps, seed=config.seed)
    rule = _rule(ranker, lessons.only(part), list(compress(pieces, part)))
    scores = judge_ranking(ranker, lessons.only(~part), rule, list(compress(pieces, ~part)))
    if known is None:
        ranker = teach(lessons, steps=config.steps, seed=config.seed)
    rule = _rule(ranker, lessons, pieces)
    with atomic_file(path) as stream:
        stream.write(ranking_text(ranker, _digest(weights), rule).encode())
    return path, scores


def _rule(ranker: Ranker, lessons: Lessons, pieces: Sequence[Sequence[PieceLesson]]) -> PieceRule | None:
    return fit_rule(
        _chosen(ranker, lessons), pieces, piece_shares(lessons.kinds, lessons.wholes), PanoClasses().fingerprint
    )


def _chosen(ranker: Ranker, lessons: Lessons) -> list[Chosen]:
    return [choose(ranker, *one) for one in zip(lessons.traits, lessons.overlaps, lessons.ious, strict=True)]


def forget_old_ranking(weights: Path) -> None:
    """Remove the ranking beside weights when it was learned for others."""
    path = weights.with_name(RANKING.format(weights.stem))
    try:
        read_ranking(path, _digest(weights))
    except ModelUnavailable:
        path.unlink()


def _digest(weights: Path) -> str:
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def teach(lessons: Lessons, *, steps: int, seed: int = 0) -> Ranker:
    """Fit a ranker; how much the clicks on things of one kind count together is fixed, see `_SHARES`.

    Raises:
        PanoError: There are no clicks.
    """
    if len(lessons.ious) == 0:
        raise PanoError("Expected clicks to learn from, got none; choose folders with photographs or worlds.")
    return Ranker.mean_of([_fit(lessons, steps=steps, seed=seed * FITS + k) for k in range(FITS)])


def _fit(lessons: Lessons, *, steps: int, seed: int) -> Ranker:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    shares = _shares(lessons)
    everything = [torch.from_numpy(value) for value in (lessons.traits, lessons.overlaps, lessons.ious)]
    flat = everything[0].flatten(0, 1)
    network = _RankingNet(flat.mean(dim=0), flat.std(dim=0).clamp_min(_LEAST_SPREAD))
    optimizer = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        drawn = torch.from_numpy(rng.choice(len(shares), _BATCH, p=shares / shares.sum()))
        table, shared, ious = (value[drawn] for value in everything)
        scores = network(table, shared)
        chosen = (torch.softmax(scores / _SHARPNESS, dim=1) * ious).sum(dim=1)
        loss = F.binary_cross_entropy_with_logits(scores, ious) - chosen.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.ranker()


def _shares(lessons: Lessons) -> NDArray[np.float64]:
    """(n,) how much each click counts."""
    shares = np.zeros(len(lessons.kinds))
    for kind, share in _SHARES.items():
        chosen = lessons.kinds == kind
        sizes = lessons.wholes[chosen] ** _SIZE_POWER if kind == Kind.REGION else np.ones(chosen.sum())
        shares[chosen] = share * sizes / max(sizes.sum(), 1e-9)
    return shares


class _RankingNet(nn.Module):
    """What `Ranker.scores` computes, for learning it."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.inner = nn.Linear(len(mean), HIDDEN)
        self.opinion = nn.Linear(HIDDEN, OPINIONS)
        self.outer = nn.Linear(HIDDEN + OPINIONS, HIDDEN)
        self.last = nn.Linear(HIDDEN, 1)

    def forward(self, table: Tensor, shared: Tensor) -> Tensor:
        """(b, c) scores, from (b, c, t) traits and (b, c, c) overlaps."""
        hidden = F.dropout(torch.relu(self.inner((table - self.mean) / self.scale)), _DROPPED, self.training)
        opinions = torch.softmax(self.opinion(hidden), dim=1)
        hidden = torch.relu(self.outer(torch.cat([hidden, shared @ opinions], dim=-1)))
        scores: Tensor = self.last(F.dropout(hidden, _DROPPED, self.training))[..., 0]
        return scores

    def ranker(self) -> Ranker:
        """The same for `core`."""
        weights = {"mean": self.mean, "scale": self.scale}
        for name in ("inner", "opinion", "outer", "last"):
            layer = getattr(self, name)
            weights |= {name: layer.weight.T, f"{name}_bias": layer.bias}
        return Ranker(**{name: value.detach().numpy().astype(np.float32) for name, value in weights.items()})


def judge_ranking(
    ranker: Ranker, lessons: Lessons, rule: PieceRule | None = None, pieces: Sequence[Sequence[PieceLesson]] = ()
) -> list[RankingScore]:
    """How well a ranker chooses, for each kind of object.

    Args:
        ranker: To be judged.
        lessons: n clicks.
        rule: For the pieces that these lie in, if there is one.
        pieces: For each click those that it lies in; or none at all.
    """
    scores = []
    for kind in Kind:
        chosen_kind = lessons.kinds == kind
        part = lessons.only(chosen_kind)
        if len(part.ious) == 0:
            continue
        chosen = _chosen(ranker, part)
        picked = [each.iou for each in chosen]
        pieced = picked
        if rule is not None:
            pieced = [with_rule(rule, *both) for both in zip(chosen, compress(pieces, chosen_kind), strict=True)]
        agreed = np.argmax(part.overlaps.sum(axis=2), axis=1)
        voted = part.ious[np.arange(len(agreed)), agreed]
        best = part.ious.max(axis=1)
        scores.append(
            RankingScore(_TITLES[kind], len(picked), *(float(np.mean(x)) for x in (picked, voted, best, pieced)))
        )
    return scores


def _lessons(
    network: ClickS, sources: Sequence[Path], folder: Path, plan: TaskPlan, progress: Progress
) -> tuple[Lessons, list[list[PieceLesson]]]:
    dense = PanoClasses()
    rows: list[tuple[Values, Values, Values]] = []
    pieces: list[list[PieceLesson]] = []
    kinds: list[Kind] = []
    wholes: list[float] = []
    kept: list[bool] = []
    for done, source in enumerate(sources, start=1):
        is_world = source.suffix == ".npz"
        most = plan.per_world + plan.large if is_world else plan.per_photo
        tasks = read_tasks(task_file(folder, source))[:most]
        if tasks:
            photo = PhotoLevels(task_photo(source, plan))
            regions = WorldRegions(read_sample(source)) if is_world else None
            teacher = PieceTeacher(dense.chances(photo.rgb), dense.class_names, regions)
            for task in tasks:
                row, found = lesson(network, photo, task, teacher)
                rows.append(row)
                pieces.append(found)
            kinds += [task.kind for task in tasks]
            wholes += [task.whole for task in tasks]
            # A photograph may lie in several files, of other sizes and formats.
            kept += [zlib.crc32(source.name.split(".")[0].encode()) % _HELD_OUT == 0] * len(tasks)
        progress(done, len(sources))
    if not rows:
        raise PanoError("Expected clicks to learn from, got none; choose folders with photographs or worlds.")
    tables, shared, ious = (np.stack(column) for column in zip(*rows, strict=True))
    return Lessons(tables, shared, ious, np.array(kinds), np.array(wholes), np.array(kept)), pieces


def lesson(
    network: ClickS, photo: PhotoLevels, task: RankingTask, teacher: PieceTeacher
) -> tuple[tuple[Values, Values, Values], list[PieceLesson]]:
    """Traits, overlaps and IoUs of the candidates for one click, see `Lessons`, and the pieces that it lies in."""
    cameras = cameras_around_click(task.click, network.centred_size)
    views = np.stack([photo.view(camera) for camera in cameras])
    features = network.encode_views(views, [camera.fov_x for camera in cameras], centred=True)
    answers = network.decode_views(features, [prompt_in(camera, [task.click]) for camera in cameras])
    candidates = propose(cameras, views, answers, [task.click], None, task.colored)
    of = np.array([candidate.view for candidate in candidates])
    shared = shared_areas([cameras[view] for view in of], [candidate.inside for candidate in candidates])
    size = task.truth.shape[-1]
    areas = np.stack([pixel_solid_angles(size, camera.fov_x) for camera in cameras])
    ious = task.ious(np.stack([_as_large(candidate.inside, size) for candidate in candidates]), of, areas)
    table = traits(cameras, views, answers, candidates, shared)
    row = (table, overlaps(shared).astype(np.float32), ious.astype(np.float32))
    return row, teacher.lessons(task, cameras, candidates)


def _as_large(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    if len(mask) == size:
        return mask
    large = cv2.resize(mask.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    return np.asarray(large).view(np.bool_)
