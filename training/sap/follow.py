"""A clip is gone through as SAM 2 trains: objects are pointed at, found again in other views, and corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.models.networks.click_prompts import ClickPrompt
from core.segment.options import MemoryChoice
from training.sap.losses import AnswerLoss, answer_loss
from training.sap.prompts import CORRECTIONS, Opening, Script, correcting_click, draw_script, rough_box, uniform_click
from training.sap.recall import MEMORIES, Recall
from training.sap.segmenters import SURE, Answer, Features, Segmenter, rows_of

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Talk:
    """How much is said about a clip.

    Attributes:
        corrections: Further clicks in a view that is corrected.
        memory: By what nearness views are recalled.
        memories: How many.
    """

    corrections: int = CORRECTIONS
    memory: MemoryChoice = MemoryChoice.ANGLE
    memories: int = MEMORIES


class Tally:
    """The losses of the answers to the objects of a batch of clips.

    As in SAM 2, those of all answers about an object are added, and the mean over objects is taken. It is taken clip by
    clip, so that a batch that several processes share has the same loss as in one.
    """

    def __init__(self, clip_of_row: Tensor, clips: int) -> None:
        self._clip_of_row, self._clips = clip_of_row, clips
        self._objects = torch.bincount(clip_of_row, minlength=clips).clamp_min(1)
        self._sum: Tensor | None = None
        self._seen: dict[str, list[Tensor]] = {}

    def add(self, rows: Tensor, loss: AnswerLoss, title: str) -> None:
        """Count an answer to each of some rows; the title tells apart first, followed and corrected ones."""
        clips = self._clip_of_row[rows]
        share = (loss.total() / self._objects[clips]).sum() / self._clips
        self._sum = share if self._sum is None else self._sum + share
        there = ~torch.isnan(loss.iou)
        for name, values in (("mask", loss.mask[there]), ("iou", loss.iou[there]), (f"{title}_iou", loss.iou[there])):
            self._seen.setdefault(name, []).append(values.detach())
        self._seen.setdefault("presence", []).append(loss.presence.detach())

    def total(self) -> Tensor:
        """The scalar that is minimised."""
        if self._sum is None:
            raise ValueError("expected at least one answer, got none")
        return self._sum

    def parts(self) -> dict[str, float]:
        """Means over answers."""
        means = {name: torch.cat(values) for name, values in self._seen.items()}
        return {name: float(values.mean()) for name, values in means.items() if len(values)}


def follow(segmenter: Segmenter, batch: Batch, talk: Talk) -> Tally:
    """Go through a batch of `training.sap.clips.collate_clips`, every clip by a script of its own.

    Args:
        segmenter: The network.
        batch: Of clips of one length.
        talk: How much is said.

    Returns:
        The losses.
    """
    run = _Run(segmenter, batch, talk)
    for step in range(run.frames):
        run.advance(step)
    return run.tally


class _Run:
    """One way through a batch; rows are objects, in the order of their clips."""

    def __init__(self, segmenter: Segmenter, batch: Batch, talk: Talk) -> None:
        self._segmenter, self._talk = segmenter, talk
        clips, self.frames = batch["rgb"].shape[:2]
        self._clip_of_row, objects = torch.nonzero(batch["exists"], as_tuple=True)
        self._masks = batch["masks"][self._clip_of_row, objects]  # (r, n, s, s)
        self._rows = torch.arange(len(self._clip_of_row), device=self._clip_of_row.device)
        randoms = [np.random.default_rng(int(seed)) for seed in batch["seed"]]
        scripts = [draw_script(self.frames, rng) for rng in randoms]
        owners = self._clip_of_row.tolist()
        self._randoms = [randoms[clip] for clip in owners]
        self._scripts: list[Script] = [scripts[clip] for clip in owners]
        self._features = segmenter.look(batch["rgb"].flatten(0, 1), batch["fov"].repeat_interleave(self.frames))
        distance, angle = (batch[name][self._clip_of_row] for name in ("distance", "angle"))
        self._recall = Recall(distance, angle, talk.memory, talk.memories)
        self._answer_size = batch["rgb"].shape[-1] // segmenter.stride
        self.tally = Tally(self._clip_of_row, clips)

    def advance(self, step: int) -> None:
        """Every row's next view."""
        at = [script.order[step] for script in self._scripts]
        opened = [step < script.prompted for script in self._scripts]
        frames = torch.tensor(at, device=self._rows.device)
        seen = rows_of(self._features, self._clip_of_row * self.frames + frames)
        # What is pointed at from the beginning is looked at without memories.
        recalled = [[] if opened[row] else self._recall.frames_for(row, at[row]) for row in range(len(at))]
        attended = self._segmenter.attend(seen, recalled)
        truth = self._masks[self._rows, frames].float()
        shown = [o and script.opening is Opening.MASK for o, script in zip(opened, self._scripts, strict=True)]
        logits, presence, pointers = self._answered(attended, truth, opened, shown, at)
        if any(shown):
            rows = self._rows[torch.tensor(shown)]
            passed, their = self._segmenter.pass_on(rows_of(seen, rows), truth[rows])
            logits, pointers = logits.index_copy(0, rows, passed), pointers.index_copy(0, rows, their)
            there = truth[rows].flatten(1).amax(dim=1)
            presence = presence.index_copy(0, rows, SURE * (2 * there - 1))
        if step + 1 < self.frames:
            memories = self._segmenter.remember(seen, logits, presence, pointers)
            self._recall.keep(self._rows, at, opened, memories)

    def _answered(
        self, attended: Features, truth: Tensor, opened: list[bool], shown: list[bool], at: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (r, a, a), presence (r,), pointers (r, d) after all corrections; of no use where a mask is shown."""
        prompt = self._opening(truth, opened)
        answer = self._segmenter.answer(attended, prompt)
        asked = self._rows[~torch.tensor(shown)]
        for is_open in (True, False):
            rows = asked[[opened[row] == is_open for row in asked.tolist()]]
            self._judge(answer, truth, rows, "first" if is_open else "followed")
        logits, pointers = answer.given()
        presence = answer.presence
        corrected = [at[row] in self._scripts[row].corrected for row in range(len(at))]
        rows = self._rows[torch.tensor(corrected)]
        if not len(rows):
            return logits, presence, pointers
        some, prompt = rows_of(attended, rows), ClickPrompt(*(part[rows] for part in prompt))
        said = logits[rows]
        for _ in range(self._talk.corrections):
            prompt = self._corrected(prompt, said, truth[rows], rows)
            better = self._segmenter.answer(some, prompt)
            self._judge(better, truth[rows], rows, "corrected", numbers=torch.arange(len(rows), device=rows.device))
            said, pointed = better.given()
            presence = presence.index_copy(0, rows, better.presence)
            logits, pointers = logits.index_copy(0, rows, said), pointers.index_copy(0, rows, pointed)
        return logits, presence, pointers

    def _judge(self, answer: Answer, truth: Tensor, rows: Tensor, title: str, numbers: Tensor | None = None) -> None:
        """Count the answers to some rows, which lie at `numbers` of the answer."""
        if not len(rows):
            return
        numbers = rows if numbers is None else numbers
        loss = answer_loss(
            answer.logits[numbers],
            answer.counts[numbers],
            answer.quality[numbers],
            answer.presence[numbers],
            answer.chosen[numbers],
            truth[numbers],
        )
        self.tally.add(rows, loss, title)

    def _opening(self, truth: Tensor, opened: list[bool]) -> ClickPrompt:
        """What is said about each row before anything was answered; nothing where it is not pointed at."""
        count = len(truth)
        points, signs = np.zeros((count, 1, 2), np.float32), np.zeros((count, 1), np.float32)
        boxes = np.full((count, 4), np.nan, np.float32)
        for row in range(count):
            script, rng = self._scripts[row], self._randoms[row]
            if not opened[row] or script.opening is Opening.MASK:
                continue
            mask = truth[row].cpu().numpy() > 0
            box = rough_box(mask, rng) if script.opening is Opening.BOX else None
            spot = uniform_click(mask, rng)
            if box is not None:
                boxes[row] = box
            elif spot is not None:
                points[row, 0], signs[row] = spot, 1
            else:
                # In a view that was drawn and does not hold it, that is said.
                points[row, 0], signs[row] = uniform_click(~mask, rng) or (0.5, 0.5), -1
        size = self._answer_size
        given = [torch.from_numpy(part).to(truth.device) for part in (points, signs, boxes)]
        return ClickPrompt(given[0], given[1], given[2], truth.new_full((count, 1, size, size), torch.nan))

    def _corrected(self, prompt: ClickPrompt, said: Tensor, truth: Tensor, rows: Tensor) -> ClickPrompt:
        """The prompt with one more click where the answer is wrong, and the answer itself."""
        large = F.interpolate(said.detach()[:, None], truth.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
        inside, right = large.cpu().numpy() > 0, truth.cpu().numpy() > 0
        clicks = [correcting_click(inside[n], right[n], self._randoms[row]) for n, row in enumerate(rows.tolist())]
        device = truth.device
        spots = torch.tensor([[click[:2]] for click in clicks], dtype=torch.float32, device=device)
        signs = torch.tensor([[1.0 if click[2] else -1.0] for click in clicks], device=device)
        return prompt._replace(
            points=torch.cat([prompt.points, spots], dim=1),
            signs=torch.cat([prompt.signs, signs], dim=1),
            prior=said.detach()[:, None],
        )
