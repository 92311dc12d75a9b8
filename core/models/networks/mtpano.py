"""The network of MTPano (arXiv:2602.05330): classes, depth and normals of a panorama from one DINOv3 transformer.

Its features are kept twice, once as what stays the same when the camera turns (classes, depth) and once as what does
not (normals); small heads for six tasks let the two exchange what they know before a decoder for each task.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.mtpano_decoder import DenseHead, Neck, SemanticHead, doubled
from core.models.networks.vit import VIT_L, ViT, ViTConfig, is_sensible

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
TASKS = ("semseg", "depth", "normals")
"""What it says."""
HELPERS = {"grad": 2, "sdf": 1, "point": 3}
"""What it learned beside that, with channels: the picture's gradients, the distance to its edges, points in space."""
TURNING = ("normals", "point")
"""Tasks whose answers change when the camera turns."""
EXCHANGE = ("grad", "sdf", "semseg", "depth", "normals", "point")
"""The order in which the bridges read the tasks' features."""
_ORDER = ("depth", "normals", "semseg")
"""In which the tasks are answered: the one whose answer is largest last, which then waits for nobody."""
_LAYER_NORM_EPSILON = 1e-6
_CONFIG_KEY = "mtpano"
_STEADY = tuple(task for task in EXCHANGE if task not in TURNING)


@dataclass(frozen=True)
class MtpanoConfig:
    """Sizes of the network; the defaults are those of the published one.

    Attributes:
        vit: The transformer.
        taps: Its four blocks that are looked at.
        rows: Of patches; the network knows no other size.
        features: Channels between the transformer and the decoders.
        levels: Channels of the decoders at their four levels.
        classes: How many classes it knows.
    """

    vit: ViTConfig = VIT_L
    taps: tuple[int, int, int, int] = (5, 11, 17, 23)
    rows: int = 32
    features: int = 256
    levels: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    classes: int = 150

    @property
    def height(self) -> int:
        """Rows of the pictures that it reads."""
        return self.rows * self.vit.patch

    def to_metadata(self) -> dict[str, str]:
        """Text for the file of weights."""
        return {_CONFIG_KEY: json.dumps(asdict(self))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> MtpanoConfig:
        """The reverse of `to_metadata`; without a description, the published sizes.

        Raises:
            ValueError: The description is none of such a network.
        """
        if _CONFIG_KEY not in metadata:
            return PUBLISHED
        try:
            values = json.loads(metadata[_CONFIG_KEY])
            vit = ViTConfig(**values["vit"])
            taps, levels = tuple(values["taps"]), tuple(values["levels"])
            config = cls(vit, taps, values["rows"], values["features"], levels, values["classes"])
            numbers = (*asdict(vit).values(), *taps, *levels, config.rows, config.features, config.classes)
            if not all(type(number) is int for number in numbers):
                raise TypeError("sizes must be whole numbers")
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"no description of an mtpano network: {error}") from error
        sensible = (
            is_sensible(vit, taps)
            and 2 <= config.rows <= 256
            and config.rows % 2 == 0
            and len(levels) == 4
            and all(0 < number <= 4096 for number in (*levels, config.features))
            and config.features % Bridge.heads == 0
            and config.classes == 150
        )
        if not sensible:
            raise ValueError("an mtpano network cannot have the sizes that its file describes")
        return config


PUBLISHED = MtpanoConfig()


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=_LAYER_NORM_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        normed: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return normed


class Mixer(nn.Module):
    """A convolution near the equator, a wide one of each channel near the poles, and a blend between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.equator = nn.Conv2d(channels, channels, 3, padding=1)
        self.pole = nn.Conv2d(channels, channels, (3, 9), padding=(1, 4), groups=channels)

    def forward(self, x: Tensor, rays: Tensor) -> Tensor:
        """Same shape as the input; `rays` are (1, 3, h, w), the second the vertical."""
        share = rays[:, 1:2].abs()
        out: Tensor = (1 - share) * self.equator(x) + share * self.pole(x)
        return out


class Steady(nn.Module):
    """A residual block through a bottleneck."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, bottleneck, 1)
        self.mix = Mixer(bottleneck)
        self.widen = nn.Conv2d(bottleneck, channels, 1)

    def inner(self, x: Tensor, rays: Tensor) -> Tensor:
        """What is to be added."""
        out: Tensor = self.widen(F.gelu(self.mix(F.gelu(self.narrow(x)), rays)))
        return out

    def forward(self, x: Tensor, rays: Tensor, place: Tensor) -> Tensor:  # noqa: ARG002
        """Same shape as the input; `place` has no say."""
        return x + self.inner(x, rays)


class Turning(Steady):
    """The same, scaled and shifted by what the place on the sphere says."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__(channels, bottleneck)
        self.modulate = nn.Sequential(nn.Conv2d(5, bottleneck, 1), nn.ReLU(), nn.Conv2d(bottleneck, 2 * channels, 1))

    def forward(self, x: Tensor, rays: Tensor, place: Tensor) -> Tensor:
        """Same shape as the input; `place` is (1, 2, h, w), angles from the top and around."""
        scale, shift = self.modulate(torch.cat([rays, place], dim=1)).chunk(2, dim=1)
        out: Tensor = x + self.inner(x, rays) * (1 + scale) + shift
        return out


class Grouping(nn.Module):
    """Splits a level of the transformer into what turns with the camera and what does not."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.steady = nn.ModuleList(Steady(channels, bottleneck) for _ in range(2))
        self.turning = nn.ModuleList(Turning(channels, bottleneck) for _ in range(2))

    def forward(self, x: Tensor, rays: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """(b, channels, h, w) each."""
        steady = turning = x
        for block in self.steady:
            steady = block(steady, rays, place)
        for block in self.turning:
            turning = block(turning, rays, place)
        return steady, turning

    def last_layers(self) -> list[nn.Module]:
        """Of the blocks that turn, which begin as if they were not there."""
        blocks = [cast(Turning, block) for block in self.turning]
        return [layer for block in blocks for layer in (block.widen, block.modulate[2])]


class Gather(nn.Module):
    """Four levels in one map of few channels."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(4 * channels, features, 1, bias=False)
        self.norm = ChannelNorm(features)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """(b, features, h, w)."""
        return F.gelu(self.norm(self.mix(torch.cat(levels, dim=1))))


class TaskHead(nn.Module):
    """A task's features and a coarse answer, which is for training only."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.extract = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1, bias=False),
            ChannelNorm(features),
            nn.GELU(),
            nn.Conv2d(features, features, 1, bias=False),
            ChannelNorm(features),
            nn.GELU(),
        )
        self.classify = nn.Conv2d(features, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The features, same shape as the input."""
        out: Tensor = self.extract(x)
        return out


class Bridge(nn.Module):
    """Lets a map attend to the features of all tasks.

    Args:
        features: Channels.
        own: The tasks of the map's own group. What it learns from the features of others does not reach them in
            training (gradient truncation), unless `truncates` is False. The published code cuts behind the squeeze of
            the others' features, which then never learns; here it is cut before it.
    """

    heads = 4
    truncates = True

    def __init__(self, features: int, own: Collection[str]) -> None:
        super().__init__()
        self.own = frozenset(own)
        self.squeeze = nn.ModuleDict({task: nn.Conv2d(features, features, 3, stride=2, padding=1) for task in EXCHANGE})
        self.norm_query = nn.LayerNorm(features)
        self.norm_key = nn.LayerNorm(features)
        self.query = nn.Linear(features, features)
        self.key = nn.Linear(features, features)
        self.value = nn.Linear(features, features)
        self.project = nn.Linear(features, features)
        self.norm_mlp = nn.LayerNorm(features)
        self.mlp = nn.Sequential(nn.Linear(features, 4 * features), nn.GELU(), nn.Linear(4 * features, features))

    def forward(self, x: Tensor, of_tasks: Mapping[str, Tensor]) -> Tensor:
        """Same shape as the input."""
        tokens = x.flatten(2).transpose(1, 2)
        others = [self.squeeze[task](self._told(task, of_tasks)).flatten(2).transpose(1, 2) for task in EXCHANGE]
        known = self.norm_key(torch.cat(others, dim=1))
        query, key, value = self.query(self.norm_query(tokens)), self.key(known), self.value(known)
        mixed = F.scaled_dot_product_attention(self._split(query), self._split(key), self._split(value))
        tokens = tokens + self.project(mixed.transpose(1, 2).flatten(2))
        out: Tensor = tokens + self.mlp(self.norm_mlp(tokens))
        return out.transpose(1, 2).reshape(x.shape)

    def _told(self, task: str, of_tasks: Mapping[str, Tensor]) -> Tensor:
        return of_tasks[task].detach() if self.truncates and task not in self.own else of_tasks[task]

    def _split(self, x: Tensor) -> Tensor:
        batch, count, _ = x.shape
        return x.reshape(batch, count, self.heads, -1).transpose(1, 2)


class MtpanoNet(nn.Module):
    """Pictures in, classes, depth and normals out."""

    rays: Tensor
    place: Tensor

    def __init__(self, config: MtpanoConfig) -> None:
        super().__init__()
        self.config = config
        width, features, rows = config.vit.width, config.features, config.rows
        channels = {"semseg": config.classes, "depth": 1, "normals": 3, **HELPERS}
        self.vit = ViT(config.vit)
        rays, place = places(rows)
        self.register_buffer("rays", rays)
        self.register_buffer("place", place)
        self.group = nn.ModuleList(Grouping(width, features) for _ in range(4))
        self.gather_steady = Gather(width, features)
        self.gather_turning = Gather(width, features)
        self.task_head = nn.ModuleDict({task: TaskHead(features, count) for task, count in channels.items()})
        self.bridge_steady = Bridge(features, _STEADY)
        self.bridge_turning = Bridge(features, TURNING)
        self.inject_steady = nn.ModuleList(nn.Conv2d(features, width, 1) for _ in range(4))
        self.inject_turning = nn.ModuleList(nn.Conv2d(features, width, 1) for _ in range(4))
        self.inject_task = nn.ModuleDict(
            {task: nn.ModuleList(nn.Conv2d(features, width, 1) for _ in range(4)) for task in TASKS}
        )
        self.adapt = nn.ModuleDict({task: nn.ModuleList(_adapter(width) for _ in range(4)) for task in TASKS})
        self.neck = nn.ModuleDict({task: Neck(width, config.levels, features, rows) for task in TASKS})
        self.head = nn.ModuleDict(
            {
                "semseg": SemanticHead(features, config.classes),
                "depth": DenseHead(features, 1),
                "normals": DenseHead(features, 3),
            }
        )

    @property
    def height(self) -> int:
        """Rows of the pictures that it reads, which have twice as many columns."""
        return self.config.height

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Classes, depth and normals of every pixel.

        Args:
            pictures: (b, 3, h, w) sRGB in [0, 1], of the one size that it knows: 512 x 1024.

        Returns:
            Logits (b, classes, h, w), metres along the ray (b, 1, h, w), vectors (b, 3, h, w) of any length.
        """
        semseg, depth, normals = self.with_small_classes(pictures)
        return doubled(semseg), depth, normals

    def with_small_classes(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same with logits of half the size, which `doubled` and `doubled_rows` enlarge; a quarter the memory."""
        answers = self._answers(*self._features(pictures))
        return answers["semseg"], F.relu(answers["depth"]), answers["normals"]

    def taught(self, pictures: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What a training looks at: the answers, and the coarse ones of all six tasks.

        Args:
            pictures: As for `forward`.

        Returns:
            Of `TASKS` what `forward` says; of `EXCHANGE` (b, channels, h, w), enlarged from the patches' grid.
        """
        class_tokens, steady, turning, of_tasks = self._features(pictures)
        coarse = self.coarse(of_tasks)
        answers = self._answers(class_tokens, steady, turning, of_tasks)
        answers["semseg"], answers["depth"] = doubled(answers["semseg"]), F.relu(answers["depth"])
        return answers, coarse

    def taught_coarsely(self, pictures: Tensor) -> dict[str, Tensor]:
        """The coarse answers alone, of which only the small heads and what gathers their input learn."""
        with torch.no_grad():
            _, steady, turning = self._groups(pictures)
        return self.coarse(self._heard(self.gather_steady(steady), self.gather_turning(turning)))

    def coarse(self, of_tasks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """(b, channels, h, w) the small heads' answers in pixels."""
        heads = {task: cast(TaskHead, head) for task, head in self.task_head.items()}
        size = (self.height, 2 * self.height)
        return {
            task: F.interpolate(head.classify(of_tasks[task]), size, mode="bilinear", align_corners=False)
            for task, head in heads.items()
        }

    def _groups(self, pictures: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Class tokens, and what is steady and what turns, of each level."""
        mean, deviation = (pictures.new_tensor(value)[:, None, None] for value in (MEAN, DEVIATION))
        levels = self.vit((pictures - mean) / deviation, self.config.taps)
        class_tokens = [level[:, :1].clone() for level in levels]
        maps = [self._grid(level) for level in levels]
        del levels
        groups = [group(level, self.rays, self.place) for group, level in zip(self.group, maps, strict=True)]
        return class_tokens, [pair[0] for pair in groups], [pair[1] for pair in groups]

    def _heard(self, all_steady: Tensor, all_turning: Tensor) -> dict[str, Tensor]:
        return {task: head(all_turning if task in TURNING else all_steady) for task, head in self.task_head.items()}

    def _features(self, pictures: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor], dict[str, Tensor]]:
        """As `_groups`, after all tasks have told what they know; and the features of each task."""
        class_tokens, steady, turning = self._groups(pictures)
        all_steady, all_turning = self.gather_steady(steady), self.gather_turning(turning)
        of_tasks = self._heard(all_steady, all_turning)
        bridged = self.bridge_steady(all_steady, of_tasks), self.bridge_turning(all_turning, of_tasks)
        for number in range(4):
            steady[number] = steady[number] + self.inject_steady[number](bridged[0])
            turning[number] = turning[number] + self.inject_turning[number](bridged[1])
        return class_tokens, steady, turning, of_tasks

    def _answers(
        self, class_tokens: list[Tensor], steady: list[Tensor], turning: list[Tensor], of_tasks: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Logits of half the size, raw depth and vectors."""
        answers = {}
        for task in _ORDER:
            inject = cast(nn.ModuleList, self.inject_task[task])
            adapt = cast(nn.ModuleList, self.adapt[task])
            read = []
            for number, base in enumerate(turning if task in TURNING else steady):
                own = base + inject[number](of_tasks[task]) + adapt[number](base)
                read.append(torch.cat([class_tokens[number], own.flatten(2).transpose(1, 2)], dim=1))
            answers[task] = self.head[task](self.neck[task](read))
        return answers

    @torch.no_grad()
    def start_fresh(self, *, metres: float) -> None:
        """Draw numbers with which it can be trained from nothing.

        What the published code starts at zero does: the last layers of the blocks that turn, of the adapters, and all
        that is injected. Depth starts at some metres, as before a last ReLU at zero half of it would never learn.

        Args:
            metres: The depth that it says everywhere, about.
        """
        self.vit.start_fresh()
        last = [layer for group in self.group for layer in cast(Grouping, group).last_layers()]
        last += [
            cast(nn.Sequential, adapter)[3] for each in self.adapt.values() for adapter in cast(nn.ModuleList, each)
        ]
        last += [*self.inject_steady, *self.inject_turning]
        last += [layer for each in self.inject_task.values() for layer in cast(nn.ModuleList, each)]
        for layer in last:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        nn.init.constant_(cast(Tensor, cast(TaskHead, self.task_head["depth"]).classify.bias), metres)
        nn.init.constant_(cast(Tensor, cast(DenseHead, self.head["depth"]).last[2].bias), metres)

    def steps(self) -> list[nn.Module]:
        """Its larger parts in the order in which they run, for whoever wants to know how far it is."""
        blocks = [*self.vit.blocks[: self.config.taps[-1] + 1], *self.group]
        for task in _ORDER:
            neck = cast(Neck, self.neck[task])
            blocks += [*cast(nn.ModuleList, self.adapt[task]), *reversed(neck.fuse), self.head[task]]
        return blocks

    def _grid(self, tokens: Tensor) -> Tensor:
        patches = tokens[:, self.config.vit.first_patch :]
        return patches.transpose(1, 2).reshape(patches.shape[0], patches.shape[2], self.config.rows, -1)


def _adapter(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False), ChannelNorm(width), nn.GELU(), nn.Conv2d(width, width, 1)
    )


def places(rows: int) -> tuple[Tensor, Tensor]:
    """Directions (1, 3, rows, 2 rows) and angles (1, 2, rows, 2 rows) on the grid that the network was trained with.

    Unlike everywhere else here, its first and last rows are the poles and its first and last columns the same meridian.
    """
    down = torch.linspace(0, 1, rows)[:, None].expand(-1, 2 * rows) * math.pi
    around = torch.linspace(0, 1, 2 * rows)[None].expand(rows, -1) * 2 * math.pi
    rays = torch.stack([down.sin() * around.cos(), down.cos(), down.sin() * around.sin()])
    return rays[None], torch.stack([down, around])[None]
