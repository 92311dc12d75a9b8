"""How the click network is talked with while it learns: it answers, is corrected, and follows; and what that costs.

Every number here is our own choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.models.networks.click_prompts import ClickPrompt
from core.models.networks.click_s import ClickAnswer, ClickSNet, Memories, Pyramid
from training.clicks.losses import mask_loss, open_loss, quality_loss, sphere_iou
from training.clicks.simulate import correction
from training.clicks.told import Voice, told
from training.clicks.views import Level

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
OBJECT = int(Level.OBJECT)
"""The reading that answers for what is meant, once that is known."""


class Truth:
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
    def of(cls, batch: Mapping[str, Tensor], rows: slice = slice(None)) -> Truth:
        """Of some rows of a batch of `training.clicks.collate`."""
        return cls({name: batch[name][rows] for name in _ROWS})

    def settled(self) -> Truth:
        """The same once more is known than one click: the middle reading answers for what is meant."""
        counts = torch.zeros_like(self.counts)
        counts[:, OBJECT] = True
        settled = Truth.__new__(Truth)
        settled.__dict__.update(self.__dict__)
        settled.masks = self.meant.expand_as(self.masks)
        settled.whole = self.meant_whole.expand_as(self.whole)
        settled.counts, settled.level = counts, torch.full_like(self.level, OBJECT)
        return settled


_ROWS = ("masks", "known", "meant", "level", "judged", "areas", "whole", "meant_whole")


class Tally:
    """Sums the losses of the answers to one batch."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._weight = 0.0
        self._seen: dict[str, list[float]] = {}

    def add(
        self,
        answer: ClickAnswer,
        truth: Truth,
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
            said = answer.logits[:, OBJECT : OBJECT + 1]
            beyond, beyond_iou = open_loss(said, truth.meant, truth.judged * unsaid)
            loss = loss + _OPEN * beyond
            self._note("present", float(((answer.presence > 0) == (truth.present > 0)).float().mean()))
            if len(beyond_iou):
                self._note("open_iou", float(beyond_iou.mean()))
        self._sum = loss * weight if self._sum is None else self._sum + loss * weight
        self._weight += weight
        kept = iou[:, OBJECT][truth.counts[:, OBJECT] & torch.isfinite(iou[:, OBJECT]) & (truth.present > 0)]
        self._note(title, float(masks.detach()))
        self._note("quality", float(quality.detach()))
        self._note("presence", float(presence.detach()))
        if len(kept):
            self._note(f"{title}_iou", float(kept.mean()))

    def _note(self, name: str, value: float) -> None:
        self._seen.setdefault(name, []).append(value)

    def total(self) -> Tensor:
        """The scalar that is minimised."""
        if self._sum is None:
            raise ValueError("nothing was answered")
        return self._sum / self._weight

    def parts(self) -> dict[str, float]:
        """Means over the answers, by name."""
        return {name: float(np.mean(values)) for name, values in self._seen.items()}


def converse(
    network: ClickSNet,
    pyramid: Pyramid,
    truth: Truth,
    prompt: ClickPrompt,
    steps: int,
    rng: np.random.Generator,
    tally: Tally,
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
            prompt = corrected(prompt, said, truth, rng)
            truth = truth.settled()


def follow(network: ClickSNet, batch: Mapping[str, Tensor], rng: np.random.Generator, tally: Tally) -> None:
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
        truth = Truth.of(batch, part)
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
            prompt = corrected(prompt, said, truth, rng)
            truth = truth.settled()
            answer = network.decode(pyramid, prompt)
            tally.add(answer, truth, weight=_LATER, title="later", judge_all=True)
            said, presence = answer.logits.detach()[:, OBJECT : OBJECT + 1], answer.presence.detach()
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


def first_prompt(batch: Mapping[str, Tensor]) -> ClickPrompt:
    """What is said of each row before anything was answered."""
    return ClickPrompt(batch["point"], batch["sign"], batch["box"], batch["prior"])


def corrected(prompt: ClickPrompt, said: Tensor, truth: Truth, rng: np.random.Generator | None) -> ClickPrompt:
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
