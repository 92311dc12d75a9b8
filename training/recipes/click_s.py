"""The recipe of click-s, the bundled click segmenter. Every number here is our own choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.click_s import ClickSConfig
from core.models.networks.click_prompts import ClickPrompt
from core.models.networks.click_s import ClickAnswer, ClickSNet, Memories, Pyramid
from training.clicks.losses import mask_loss, open_loss, quality_loss, sphere_iou
from training.clicks.samples import ClickSample, Frame, change_looks, click_sample
from training.clicks.simulate import correction, sloppy_logits
from training.clicks.split import held_out_sources, is_world
from training.clicks.told import Voice, told
from training.clicks.views import Level, ViewFolder
from training.clicks.world_looks import OpenWorld, mirrored, open_world, world_look, world_sequence
from training.config import WorldTraining
from training.dataset import WorldFolder
from training.draw import Draw
from training.pool import Pool
from training.recipes.base import Batch, Headline, Recipe, Shipped
from training.sequences import ViewSequence, photo_sequence
from training.worlds.sample import read_sample

NAME = "click-s"
SEQUENCES = 0.4
"""Share of the batches that are sequences of frames."""
_WORLD_SEQUENCES = 0.75
_STARTED = 0.75
"""Share of the sequences that begin with a first mask, as the sweep does, not with a click alone."""
_LENGTHS, _LENGTH_CHANCES = (2, 3, 4, 5), (0.2, 0.35, 0.3, 0.15)
_WORLD_VIEWS = 0.2
_WORLD_LOOKS = 0.2
"""Share of single views that come from worlds: from those on disk, and taken anew around a click."""
_BOXES = 0.12
_PRIORS = 0.2
"""Share of samples that begin with a box, or with a rough answer."""
_STEPS = (0.25, 0.35, 0.25, 0.15)
"""How often a sample gets one, two, three and four clicks."""
_LATER = 0.7
"""Weight of an answer after the first."""
_OPEN = 0.7
"""Weight of what no earlier frame says anything about, beside the whole frame."""
_PRESENCE = 0.5
_LEAST_PRESENT = 8
"""Pixels of the answer's grid from which on an object counts as present."""
_SILENT, _CORRECTED, _TRUE = 0.1, 0.15, 0.35
"""How often a frame is told nothing, is corrected by a click, is remembered as it is and not as it was answered."""
_SURE = 6.0
"""Logit of what is known."""
_JUDGED_VIEWS = 48
_TRIES = 20
ZIGZAG_SHARE = 5 / 4
"""Side of zigzag views over that of centred ones: training ends with both."""

_OBJECT = int(Level.OBJECT)


@dataclass(frozen=True)
class ClickSTraining(WorldTraining):
    """How click-s is trained."""

    views: Path = Path("views")
    """Folder of views with regions that 'clicks' writes."""
    height: int = 256
    """Side of most crops, a multiple of 32."""


class ClickSRecipe(Recipe):
    """How click-s is built, fed, judged, scored and shipped.

    A sample is a crop around a click. Until more than one click is known, each reading answers for itself: part,
    object, group. From then on the middle one answers for what is meant.

    Args:
        config: Of the run; `views` is the folder of views with regions, `height` the side of most crops.
    """

    name = NAME
    headline = Headline("photo_1", higher_is_better=True)

    def __init__(self, config: ClickSTraining) -> None:
        super().__init__()
        self._config = config

    def build(self) -> ClickSNet:
        """A network with fresh weights."""
        return ClickSNet()

    def open(self) -> None:
        """Find the worlds, and the views, which are kept in memory."""
        self._worlds = WorldFolder(self._config.worlds, held_out=self._config.held_out)
        self.pools["worlds"] = Pool(self._worlds.refreshed, self._config.worlds)
        self._views = ViewFolder(self._config.views)
        sources = self._views.sources
        held = held_out_sources(sources, self._worlds)
        world = np.array([is_world(source) for source in sources])
        self._promise = self._views.promise()
        self._held_out = [np.flatnonzero(held & kind) for kind in (~world, world)]
        self._training = [np.flatnonzero(~held & kind) for kind in (~world, world)]

    def load(self, draw: Draw) -> dict[str, Tensor]:
        """Crops around clicks, or neighbouring frames with one object each."""
        rng = draw.rng
        if rng.random() < SEQUENCES:
            return self._load_sequences(draw)
        size = self._config.height + int(rng.choice([-32, 0, 32], p=[0.4, 0.4, 0.2]))
        samples = [self._draw_sample(draw, size) for _ in range(self._config.batch)]
        return collate_samples(samples, rng)

    def _draw_sample(self, draw: Draw, size: int) -> ClickSample:
        rng = draw.rng
        for _ in range(_TRIES):
            chance = rng.random()
            if chance < _WORLD_LOOKS:
                sample = world_look(self._drawn_world(draw), size, rng)
            else:
                kind = int(chance < _WORLD_LOOKS + _WORLD_VIEWS)
                views = [self._views.view(self._draw(which, rng)) for which in (kind, 0)]
                sample = click_sample(views[0], size, rng, views[1])
            if sample is not None:
                return sample
        raise ValueError("the views hold no region that could be clicked")

    def _draw(self, kind: int, rng: np.random.Generator) -> int:
        """Index of a view of photographs (0) or worlds (1) to train on; promising ones come more often."""
        pool = self._training[kind] if len(self._training[kind]) else self._training[1 - kind]
        sums = np.cumsum(self._promise[pool])
        return int(pool[min(np.searchsorted(sums, rng.random() * sums[-1]), len(pool) - 1)])

    def _drawn_world(self, draw: Draw) -> OpenWorld:
        """One of the worlds, as it is or mirrored."""
        world = draw.one(self.pools["worlds"].at(draw.step), _world)
        return mirrored(world) if draw.rng.random() < 0.5 else world

    def _load_sequences(self, draw: Draw) -> dict[str, Tensor]:
        rng = draw.rng
        count = int(rng.choice(_LENGTHS, p=_LENGTH_CHANCES))
        started = bool(rng.random() < _STARTED)
        size = self._config.height + 32
        sequences: list[ViewSequence] = []
        wanted = max(2, self._config.batch // 3)
        for _ in range(_TRIES * wanted):
            if rng.random() < _WORLD_SEQUENCES:
                found = world_sequence(self._drawn_world(draw), size, count, rng, started=started)
            else:
                found = photo_sequence(self._views.view(self._draw(0, rng)), size, count, rng, started=started)
            if found is not None:
                sequences.append(found)
            if len(sequences) == wanted:
                return collate_sequences(sequences, rng)
        raise ValueError("the worlds and views hold no object that could be followed")

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        """The sum that is minimised, and its parts for the log."""
        if not isinstance(network, ClickSNet):
            raise TypeError(f"expected a ClickSNet, got {type(network).__name__}")
        rng = np.random.default_rng(int(batch["seed"]))
        tally = _Tally()
        if int(batch["frames"]) == 1:
            pyramid = network.encode(batch["rgb"], batch["fov"], batch["centred"])
            steps = 1 + int(rng.choice(len(_STEPS), p=_STEPS))
            _converse(network, pyramid, _Truth.of(batch.tensors), _first_prompt(batch.tensors), steps, rng, tally)
        else:
            _follow(network, batch.tensors, rng, tally)
        return tally.total(), tally.parts()

    @torch.no_grad()
    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Mean IoU of the middle reading with held-out objects, on photographs and in worlds, after 1 and 3 clicks.

        Of objects that are followed through held-out worlds: the IoU where nothing was told (`open`), and how often it
        is right whether the object is there at all (`presence`).
        """
        if not isinstance(network, ClickSNet):
            raise TypeError(f"expected a ClickSNet, got {type(network).__name__}")
        network.eval()
        scores: dict[str, float] = {}
        for kind, pool in zip(("photo", "world"), self._held_out, strict=True):
            ious = [self._judge(network, int(index)) for index in pool[:: max(1, len(pool) // _JUDGED_VIEWS)]]
            kept = np.array([row for row in ious if row is not None])
            if len(kept):
                scores |= {f"{kind}_1": float(kept[:, 0].mean()), f"{kind}_3": float(kept[:, 2].mean())}
        scores |= self._judge_followed(network)
        network.train()
        return scores

    def ship(self, network: nn.Module) -> Shipped:  # noqa: ARG002 - all sizes of this network are the same
        """The weights of click-s and what describes them."""
        side = self._config.height
        config = ClickSConfig(view_size=int(side * ZIGZAG_SHARE) // 32 * 32, centred_size=side)
        return Shipped(
            model=NAME,
            stem="click_s",
            metadata=config.to_metadata(),
            about="A small network that cuts objects out by click. It was trained from scratch by this project; no "
            "weights of others went into it.",
            data=[
                "Regions of photographs, found by merging and never drawn by hand, and objects of worlds rendered by "
                "`panoviewer-train generate`."
            ],
            facts={
                "Views around a click": f"{config.centred_size} pixels square",
                "Views of the zigzag": f"{config.view_size} pixels square",
            },
        )

    def _judge_followed(self, network: ClickSNet) -> dict[str, float]:
        tally = _Tally()
        size = self._config.height + 32
        device = next(network.parameters()).device
        for number, path in enumerate(self._worlds.held_out):
            rng = np.random.default_rng(number)
            found = world_sequence(open_world(read_sample(path)), size, 4, rng, started=True)
            if found is not None:
                batch = collate_sequences([found], rng)
                batch = {name: tensor.to(device) for name, tensor in batch.items()}
                _follow(network, batch, rng, tally)
        parts = tally.parts()
        return {name: parts[key] for name, key in (("open", "open_iou"), ("presence", "present")) if key in parts}

    def _judge(self, network: ClickSNet, index: int) -> tuple[float, ...] | None:
        rng = np.random.default_rng(index)
        sample = click_sample(self._views.view(index), self._config.height, rng)
        if sample is None:
            return None
        device = next(network.parameters()).device
        batch = collate_samples([sample], rng, extras=False, looks=False)
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        truth = _Truth.of(batch)
        pyramid = network.encode(batch["rgb"], batch["fov"], batch["centred"])
        prompt = _first_prompt(batch)
        ious = []
        for _ in range(3):
            answer = network.decode(pyramid, prompt)
            said = answer.logits[:, _OBJECT : _OBJECT + 1]
            inside = (said > 0) & (truth.judged > 0)
            meant = (truth.meant > 0) & (truth.judged > 0)
            ious.append(float((inside & meant).sum() / (inside | meant).sum().clamp_min(1)))
            prompt = _corrected(prompt, said, truth, None)
        return tuple(ious)


class _Truth:
    """What is right in each row of a batch.

    Attributes:
        masks: (b, 3, h, w) what each reading should say; counts: (b, 3) bool whether it is known.
        meant: (b, 1, h, w) what the person has in mind; level: (b,) the reading that it belongs to.
        judged: (b, 1, h, w); areas: (b, 1, h, w) steradians; whole: (b, 3); meant_whole: (b, 1).
        present: (b,) 1 where the object is in the view.
    """

    def __init__(self, rows: Mapping[str, Tensor]) -> None:
        self.masks, self.counts = rows["masks"], rows["known"]
        self.meant, self.level = rows["meant"], rows["level"]
        self.judged, self.areas = rows["judged"], rows["areas"]
        self.whole, self.meant_whole = rows["whole"], rows["meant_whole"]
        self.present = (self.meant.sum(dim=(1, 2, 3)) >= _LEAST_PRESENT).to(self.meant.dtype)

    @classmethod
    def of(cls, batch: Mapping[str, Tensor], rows: slice = slice(None)) -> _Truth:
        return cls({name: batch[name][rows] for name in _ROWS})

    def settled(self) -> _Truth:
        """The same once more is known than one click: the middle reading answers for what is meant."""
        counts = torch.zeros_like(self.counts)
        counts[:, _OBJECT] = True
        settled = _Truth.__new__(_Truth)
        settled.__dict__.update(self.__dict__)
        settled.masks = self.meant.expand_as(self.masks)
        settled.whole = self.meant_whole.expand_as(self.whole)
        settled.counts, settled.level = counts, torch.full_like(self.level, _OBJECT)
        return settled


_ROWS = ("masks", "known", "meant", "level", "judged", "areas", "whole", "meant_whole")


class _Tally:
    """Sums the losses of the answers to one batch."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._weight = 0.0
        self._seen: dict[str, list[float]] = {}

    def add(
        self,
        answer: ClickAnswer,
        truth: _Truth,
        *,
        weight: float,
        title: str,
        judge_all: bool,
        unsaid: Tensor | None = None,
    ) -> None:
        """Count an answer; `unsaid` (b, 1, h, w) is 1 where no earlier frame said anything."""
        each = mask_loss(answer.logits, truth.masks, truth.judged)
        shares = torch.tensor([0.5, 1.0, 0.5], device=each.device) * truth.counts
        masks = (each * shares).sum() / shares.sum().clamp_min(1)
        iou = sphere_iou(answer.logits, truth.masks, truth.areas * truth.judged, truth.whole)
        counts = (truth.counts | judge_all) & (truth.present > 0)[:, None]
        quality = quality_loss(answer.quality, iou, counts)
        presence = F.binary_cross_entropy_with_logits(answer.presence, truth.present)
        loss = masks + quality + _PRESENCE * presence
        if unsaid is not None:
            said = answer.logits[:, _OBJECT : _OBJECT + 1]
            beyond, beyond_iou = open_loss(said, truth.meant, truth.judged * unsaid)
            loss = loss + _OPEN * beyond
            self._note("present", float(((answer.presence > 0) == (truth.present > 0)).float().mean()))
            if len(beyond_iou):
                self._note("open_iou", float(beyond_iou.mean()))
        self._sum = loss * weight if self._sum is None else self._sum + loss * weight
        self._weight += weight
        kept = iou[:, _OBJECT][truth.counts[:, _OBJECT] & torch.isfinite(iou[:, _OBJECT]) & (truth.present > 0)]
        self._note(title, float(masks.detach()))
        self._note("quality", float(quality.detach()))
        self._note("presence", float(presence.detach()))
        if len(kept):
            self._note(f"{title}_iou", float(kept.mean()))

    def _note(self, name: str, value: float) -> None:
        self._seen.setdefault(name, []).append(value)

    def total(self) -> Tensor:
        if self._sum is None:
            raise ValueError("nothing was answered")
        return self._sum / self._weight

    def parts(self) -> dict[str, float]:
        return {name: float(np.mean(values)) for name, values in self._seen.items()}


def _converse(
    network: ClickSNet,
    pyramid: Pyramid,
    truth: _Truth,
    prompt: ClickPrompt,
    steps: int,
    rng: np.random.Generator,
    tally: _Tally,
) -> None:
    """Answer, be corrected, answer again."""
    rows = torch.arange(len(truth.level), device=truth.level.device)
    for step in range(steps):
        answer = network.decode(pyramid, prompt)
        first = step == 0
        tally.add(
            answer, truth, weight=1.0 if first else _LATER, title="first" if first else "later", judge_all=not first
        )
        if step + 1 < steps:
            said = answer.logits.detach()[rows, truth.level][:, None]
            prompt = _corrected(prompt, said, truth, rng)
            truth = truth.settled()


def _follow(network: ClickSNet, batch: Mapping[str, Tensor], rng: np.random.Generator, tally: _Tally) -> None:
    """Click in the first frame, or begin with a first mask, and find the object again in the others."""
    count = int(batch["frames"])
    size = len(batch["rgb"]) // count
    rows = torch.arange(size, device=batch["rgb"].device)
    whole = network.encode(batch["rgb"], batch["fov"], batch["centred"])
    started = bool(batch["started"])
    start = Voice(batch["start"], torch.ones(size, device=rows.device), rules=True) if started else None
    voices: list[Voice] = []
    tokens: list[Tensor] = []
    for k in range(count):
        part = slice(k * size, (k + 1) * size)
        pyramid = Pyramid(*(level[part] for level in whole))
        truth = _Truth.of(batch, part)
        prompt = ClickPrompt(batch["point"][part], batch["sign"][part], batch["box"][part], batch["prior"][part])
        followed = started or k > 0
        if followed:
            truth = truth.settled()
            if k == 0 or rng.random() >= _SILENT:
                prompt = prompt._replace(prior=told([*voices, start], batch["maps"][part]))
        if tokens:
            pyramid = network.attend(pyramid, _memories(batch, tokens, voices, k))
        answer = network.decode(pyramid, prompt)
        title = "follow" if followed else "first"
        unsaid = torch.isnan(prompt.prior).to(truth.meant.dtype) if followed else None
        tally.add(answer, truth, weight=1.0, title=title, judge_all=False, unsaid=unsaid)
        said = answer.logits.detach()[rows, truth.level][:, None]
        presence = answer.presence.detach()
        if rng.random() < _CORRECTED:
            prompt = _corrected(prompt, said, truth, rng)
            truth = truth.settled()
            answer = network.decode(pyramid, prompt)
            tally.add(answer, truth, weight=_LATER, title="later", judge_all=True)
            said, presence = answer.logits.detach()[:, _OBJECT : _OBJECT + 1], answer.presence.detach()
        if rng.random() < _TRUE:
            said, presence = _SURE * (2 * truth.meant - 1), _SURE * (2 * truth.present - 1)
        if k + 1 < count:
            voices.append(Voice(said, torch.sigmoid(presence) * (presence > 0), rules=False))
            tokens.append(network.remember(pyramid, said, presence))


def _memories(batch: Mapping[str, Tensor], tokens: Sequence[Tensor], voices: Sequence[Voice], k: int) -> Memories:
    """What is remembered of the frames before one; as in the sweep only those in which the object was found."""
    earlier, size = len(tokens), len(tokens[0])
    return Memories(
        tokens=torch.stack(list(tokens), dim=1),
        distance=batch["distance"][:, k, :earlier],
        angle=batch["angle"][:, k, :earlier],
        prompted=batch["sign"].view(-1, size).abs().T[:, :earlier],
        valid=torch.stack([voice.trust > 0 for voice in voices[:earlier]], dim=1),
    )


def _first_prompt(batch: Mapping[str, Tensor]) -> ClickPrompt:
    return ClickPrompt(batch["point"], batch["sign"], batch["box"], batch["prior"])


def _corrected(prompt: ClickPrompt, said: Tensor, truth: _Truth, rng: np.random.Generator | None) -> ClickPrompt:
    """The prompt with one more click, where the answer (b, 1, h, w) is most wrong, and the answer as its prior."""
    judged = truth.judged[:, 0].cpu().numpy() > 0
    inside = (said[:, 0].cpu().numpy() > 0) & judged
    meant = (truth.meant[:, 0].cpu().numpy() > 0) & judged
    points = np.zeros((len(inside), 1, 2), np.float32)
    signs = np.zeros((len(inside), 1), np.float32)
    for row in range(len(inside)):
        click = correction(inside[row], meant[row], rng)
        if click is not None:
            # An answer's pixel is two of the view's.
            points[row, 0] = (2 * click[1] + 1, 2 * click[0] + 1)
            signs[row, 0] = 1 if click[2] else -1
    device = prompt.points.device
    return prompt._replace(
        points=torch.cat([prompt.points, torch.from_numpy(points).to(device)], dim=1),
        signs=torch.cat([prompt.signs, torch.from_numpy(signs).to(device)], dim=1),
        prior=said.detach(),
    )


@lru_cache(maxsize=1024)
def _world(path: Path) -> OpenWorld:
    return open_world(read_sample(path))


def collate_samples(
    samples: Sequence[ClickSample], rng: np.random.Generator, *, extras: bool = True, looks: bool = True
) -> dict[str, Tensor]:
    """Samples as tensors; with `extras`, some begin with a box or a rough answer, with `looks` colours change."""
    batch = _collate_frames(
        [sample.frame for sample in samples], [sample.meant_level for sample in samples], rng, looks
    )
    batch["point"] = torch.from_numpy(np.stack([sample.point for sample in samples]))[:, None]
    batch["sign"] = torch.ones(len(samples), 1)
    batch["centred"] = torch.tensor([float(sample.centred) for sample in samples])
    if extras:
        for row, sample in enumerate(samples):
            chance = rng.random()
            if chance < _BOXES:
                batch["box"][row] = torch.from_numpy(_rough_box(sample.frame.meant, rng))
                if rng.random() < 0.5:
                    batch["sign"][row] = 0
                    batch["centred"][row] = 0
            elif chance < _BOXES + _PRIORS:
                batch["prior"][row, 0] = torch.from_numpy(sloppy_logits(sample.frame.meant, rng))
            if chance < _BOXES + _PRIORS:
                _settle(batch, row, sample.frame)
    return batch


def _settle(batch: dict[str, Tensor], row: int, frame: Frame) -> None:
    batch["masks"][row] = torch.from_numpy(frame.meant.astype(np.float32))
    batch["known"][row] = torch.tensor([False, True, False])
    batch["whole"][row] = frame.meant_whole
    batch["level"][row] = _OBJECT


def collate_sequences(sequences: Sequence[ViewSequence], rng: np.random.Generator) -> dict[str, Tensor]:
    """Sequences of one length as tensors, frame by frame: all first frames come first; all begin in the same way."""
    count = len(sequences[0].frames)
    frames = [sequence.frames[k] for k in range(count) for sequence in sequences]
    levels = [sequence.meant_level for _ in range(count) for sequence in sequences]
    batch = _collate_frames(frames, levels, rng, looks=False)
    # All frames are of one photograph: they change their looks together.
    for which in range(len(sequences)):
        rows = range(which, len(frames), len(sequences))
        strip = change_looks(np.concatenate([frames[row].rgb for row in rows]), rng)
        for row, rgb in zip(rows, np.split(strip, count), strict=True):
            batch["rgb"][row] = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)
    points = np.stack([sequence.points[k] for k in range(count) for sequence in sequences])
    seen = np.isfinite(points).all(axis=-1)
    # The driver may give the click to every view that sees it, or to the first alone.
    given = seen & ((np.arange(len(frames)) < len(sequences)) | (rng.random(len(frames)) < 0.7))
    batch["point"] = torch.from_numpy(np.nan_to_num(points))[:, None]
    batch["sign"] = torch.from_numpy(given.astype(np.float32))[:, None]
    batch["centred"] = torch.zeros(len(frames))
    batch["maps"] = torch.from_numpy(np.stack([s.maps[k] for k in range(count) for s in sequences]))
    batch["started"] = torch.tensor(sequences[0].start is not None)
    starts = [sloppy_logits(s.start, rng) for s in sequences if s.start is not None]
    if starts:
        batch["start"] = torch.from_numpy(np.stack(starts))[:, None]
    batch["distance"] = torch.from_numpy(np.stack([sequence.distance for sequence in sequences]))
    batch["angle"] = torch.from_numpy(np.stack([sequence.angle for sequence in sequences]))
    batch["frames"] = torch.tensor(count)
    return batch


def _collate_frames(
    frames: Sequence[Frame], levels: Sequence[int], rng: np.random.Generator, looks: bool
) -> dict[str, Tensor]:
    pictures = [change_looks(frame.rgb, rng) if looks else frame.rgb for frame in frames]
    half = frames[0].meant.shape[0]
    return {
        "rgb": torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2),
        "masks": torch.from_numpy(np.stack([frame.masks for frame in frames])).float(),
        "known": torch.from_numpy(np.stack([frame.known for frame in frames])),
        "meant": torch.from_numpy(np.stack([frame.meant for frame in frames]))[:, None].float(),
        "level": torch.tensor(levels),
        "judged": torch.from_numpy(np.stack([frame.judged for frame in frames]))[:, None].float(),
        "areas": torch.from_numpy(np.stack([frame.areas for frame in frames]))[:, None],
        "whole": torch.from_numpy(np.stack([frame.whole for frame in frames])),
        "meant_whole": torch.tensor([[frame.meant_whole] for frame in frames]),
        "fov": torch.tensor([frame.fov for frame in frames], dtype=torch.float32),
        "box": torch.full((len(frames), 4), torch.nan),
        "prior": torch.full((len(frames), 1, half, half), torch.nan),
        "seed": torch.tensor(int(rng.integers(2**31))),
        "frames": torch.tensor(1),
    }


def _rough_box(meant: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    rows, cols = np.flatnonzero(meant.any(axis=1)), np.flatnonzero(meant.any(axis=0))
    box = 2.0 * np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1])
    sides = np.tile(box[2:] - box[:2], 2)
    noise = np.clip(rng.normal(0, 0.05, 4), -0.1, 0.1) * sides
    rough: NDArray[np.float32] = np.clip(box + noise, 0, 2 * len(meant)).astype(np.float32)
    return rough
