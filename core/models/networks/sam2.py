"""SAM 2.1 (arXiv:2408.00714) on the model classes of transformers, as steps of which each does one thing.

The classes of transformers hold the layers; what is done with them is said here, because their own loops over a video
choose the memories by themselves, keep everything they ever saw, and return one mask of the four.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from torch import nn

STRIDE = 16
"""Pixels of a picture along each side of a cell of its coarse features."""
CELLS_TO_LOGITS = 4
LIMIT = 32.0
"""Logits that are fed back are held within this, as in the training."""
ABSENT = -1024.0
"""The logit everywhere in a picture that does not show the object."""
NEGATIVE, POSITIVE, BOX_BEGIN, BOX_END = 0, 1, 2, 3
"""What a point of a prompt is."""

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STABLE, _STABLE_WITHIN = 0.98, 0.05
_MEMORY_SCALE, _MEMORY_SHIFT = 20.0, -10.0
_TEMPERATURE = 10_000.0
_CONFIG_KEY = "sam2"


@dataclass(frozen=True)
class Sam2Config:
    """The encoder of one size of the network; everything behind it is alike in all of them.

    Source: the published configurations sam2.1_hiera_*.yaml.

    Attributes:
        width: Channels of its first stage; each stage doubles them.
        heads: Of the first stage; each stage doubles them.
        blocks: Of each stage.
        everywhere: The blocks that look beyond their window.
        windows: Cells along each side of a window, of each stage.
        background: Cells along each side of the coarse part of the code of places.
    """

    width: int = 96
    heads: int = 1
    blocks: tuple[int, int, int, int] = (1, 2, 7, 2)
    everywhere: tuple[int, ...] = (5, 7, 9)
    windows: tuple[int, int, int, int] = (8, 4, 14, 7)
    background: int = 7

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(self.width << stage for stage in range(4))

    def to_metadata(self, view_size: int) -> dict[str, str]:
        """Text for a file of weights that was trained on views of this size."""
        return {_CONFIG_KEY: json.dumps({**asdict(self), "view_size": view_size})}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> tuple[Sam2Config, int] | None:
        """The reverse of `to_metadata`; None for a file that says nothing, as the published ones.

        Raises:
            ValueError: The text describes no network of this kind.
        """
        if _CONFIG_KEY not in metadata:
            return None
        try:
            values = json.loads(metadata[_CONFIG_KEY])
            width, heads, background, view = (values[key] for key in ("width", "heads", "background", "view_size"))
            blocks, everywhere, windows = (tuple(values[key]) for key in ("blocks", "everywhere", "windows"))
            if not all(type(n) is int for n in (width, heads, background, view, *blocks, *everywhere, *windows)):
                raise TypeError("sizes must be whole numbers")
        except (KeyError, TypeError, RecursionError, json.JSONDecodeError) as error:
            raise ValueError(f"no description of a network: {error}") from error
        sensible = (
            0 < heads <= 16
            and 0 < width <= 1024
            and width % heads == 0
            and 0 < background <= 64
            and 32 <= view <= 4096
            and view % 32 == 0
            and len(blocks) == len(windows) == 4
            and all(0 < number <= 64 for number in (*blocks, *windows))
            and all(0 <= number < sum(blocks) for number in everywhere)
        )
        if not sensible:
            raise ValueError(f"a network cannot have {values}")
        return cls(width, heads, blocks, everywhere, windows, background), view

    def build(self, size: int, *, device: str = "meta") -> nn.Module:
        """A `transformers.Sam2VideoModel` for square pictures.

        Args:
            size: Pixels along each side, a multiple of 32. The parameters do not depend on it.
            device: Of the parameters; on "meta" they wait for those of a file, elsewhere they are random.

        Raises:
            ImportError: There is no package transformers, or one without this network.
        """
        from transformers import Sam2VideoConfig, Sam2VideoModel

        cells = size // STRIDE
        config = Sam2VideoConfig(
            vision_config={
                "backbone_config": {
                    "model_type": "sam2_hiera_det_model",
                    "hidden_size": self.width,
                    "num_attention_heads": self.heads,
                    "image_size": [size, size],
                    "blocks_per_stage": list(self.blocks),
                    "embed_dim_per_stage": list(self.widths),
                    "num_attention_heads_per_stage": [self.heads << stage for stage in range(4)],
                    "window_size_per_stage": list(self.windows),
                    "global_attention_blocks": list(self.everywhere),
                    "window_positional_embedding_background_size": [self.background] * 2,
                },
                "backbone_channel_list": list(reversed(self.widths)),
                "backbone_feature_sizes": [[cells << level] * 2 for level in (2, 1, 0)],
            },
            prompt_encoder_config={"image_size": size, "patch_size": STRIDE},
            image_size=size,
            memory_attention_rope_feat_sizes=[cells, cells],
        )
        with torch.device(device):
            model: nn.Module = Sam2VideoModel(config)
        # Tables that no file of weights holds.
        attention: Any = model.memory_attention
        with torch.device("cpu" if device == "meta" else device):
            attention.position_ids = attention.precompute_positions(config)
            attention.rotary_emb = type(attention.rotary_emb)(config)
        return model


TINY = Sam2Config()
SMALL = Sam2Config(blocks=(1, 2, 11, 2), everywhere=(7, 10, 13))
BASE_PLUS = Sam2Config(width=112, heads=2, blocks=(2, 3, 16, 3), everywhere=(12, 16, 20), background=14)
LARGE = Sam2Config(width=144, heads=2, blocks=(2, 6, 36, 4), everywhere=(23, 33, 43), windows=(8, 4, 16, 8))


class Maps(NamedTuple):
    """What the encoder says about a picture.

    Attributes:
        fine: (1, 32, h, w) at a quarter of the picture's size.
        middle: (1, 64, h, w) at an eighth.
        coarse: (1, 256, h, w) at a sixteenth.
    """

    fine: Tensor
    middle: Tensor
    coarse: Tensor


class Masks(NamedTuple):
    """What the decoder says about an object in a picture.

    Attributes:
        logits: (4, h, w), > 0 inside: of the single mask first, then of the three that are told apart. Not clamped.
        quality: (4,) estimates of their IoU, in [0, 1].
        presence: () logit of the object being there at all.
        tokens: (4, 256) from which the masks were made.
    """

    logits: Tensor
    quality: Tensor
    presence: Tensor
    tokens: Tensor


class Sam2Parts:
    """The steps of the network; each takes and returns tensors on the model's device, of one picture and object.

    Args:
        model: Of `Sam2Config.build`, with its weights.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model: Any = model

    def encode(self, rgb: Tensor) -> Maps:
        """A picture, (1, 3, s, s) sRGB in [0, 1]."""
        return self.maps(*self.levels(rgb))

    def levels(self, rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the image encoder alone says about (n, 3, s, s) pictures: at a quarter, an eighth, a sixteenth."""
        mean, deviation = (rgb.new_tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
        fine, middle, coarse = self.model.vision_encoder((rgb - mean) / deviation).fpn_hidden_states
        return fine, middle, coarse

    def maps(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Maps:
        """The same as the decoder reads it: two of its layers make the finer ones thinner."""
        decoder = self.model.mask_decoder
        return Maps(decoder.conv_s0(fine), decoder.conv_s1(middle), coarse)

    def first_sight(self, coarse: Tensor) -> Tensor:
        """Coarse features of a picture that is looked at without memories."""
        seen: Tensor = coarse + self.model.no_memory_embedding.reshape(1, -1, 1, 1)
        return seen

    def attend(self, coarse: Tensor, memories: Tensor, slots: Tensor, pointers: Tensor, offsets: Tensor) -> Tensor:
        """Coarse features that know the object's looks in other pictures.

        Args:
            coarse: Of `encode`.
            memories: (m, t, 64) of `remember`, m at least 1.
            slots: (m,) whole numbers: 0 for a picture with a prompt, n in 1 to 6 for the n-th before this one.
            pointers: (p, 256) of `pointers`.
            offsets: (p,) how long ago each was seen, 1 for as long as can be remembered.
        """
        model, (_, channels, height, width) = self.model, coarse.shape

        def flat(maps: Tensor) -> Tensor:
            return maps.flatten(2).permute(2, 0, 1)

        def places(part: nn.Module, depth: int) -> Tensor:
            encoding: Any = part.position_encoding
            return flat(encoding((1, depth, height, width), coarse.device, coarse.dtype))

        depth = memories.shape[-1]
        times = model.memory_temporal_positional_encoding[slots - 1]  # slot 0 has the last one
        codes = (places(model.memory_encoder, depth)[None] + times).reshape(-1, 1, depth)
        parts = pointers.shape[1] // depth
        waves = model.temporal_positional_encoding_projection_layer(_waves(offsets, pointers.shape[1]))
        attended: Tensor = model.memory_attention(
            flat(coarse),
            torch.cat([memories.reshape(-1, 1, depth), pointers.reshape(-1, 1, depth)]),
            places(model.vision_encoder.neck, channels),
            torch.cat([codes, waves.repeat_interleave(parts, dim=0)[:, None]]),
            parts * pointers.shape[0],
        )
        return attended.reshape(-1, channels).T.reshape(1, channels, height, width)

    def decode(self, maps: Maps, points: Tensor, kinds: Tensor, mask: Tensor | None) -> Masks:
        """The object in a picture.

        Args:
            maps: Of `encode`, the coarse ones after `first_sight` or `attend`.
            points: (n, 2) pixels (x, y), 0 in the middle of the first one; n may be 0. The corners of a box count as
                two points, before the others.
            kinds: (n,) whole numbers, one of those above each.
            mask: (1, 1, h, w) logits at a quarter of the picture's size, within `LIMIT`; None when nothing is known.
        """
        if not len(points):
            # "No point", to which the encoder adds another one.
            points, kinds = points.new_zeros(1, 2), kinds.new_full((1,), -1)
        return self.masks(maps, *self.model.prompt_encoder(points[None, None], kinds[None, None], None, mask))

    def masks(self, maps: Maps, sparse: Tensor, dense: Tensor) -> Masks:
        """The object in a picture by what the encoder of prompts made of points and a mask."""
        model, decoder = self.model, self.model.mask_decoder
        own = [decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight]
        tokens, cells = decoder.transformer(
            torch.cat([torch.cat(own)[None, None], sparse], dim=2),
            maps.coarse + dense,
            model.get_image_wide_positional_embeddings(),
            None,
        )
        grown = decoder.upscale_conv1(cells.transpose(2, 3).reshape(maps.coarse.shape)) + maps.middle
        grown = decoder.upscale_conv2(decoder.activation(decoder.upscale_layer_norm(grown))) + maps.fine
        grown = decoder.activation(grown)[0]
        found = tokens[0, 0, 2 : 2 + decoder.num_mask_tokens]
        heads = decoder.output_hypernetworks_mlps
        weights = torch.stack([head(token) for head, token in zip(heads, found, strict=True)])
        return Masks(
            (weights @ grown.flatten(1)).reshape(-1, *grown.shape[1:]),
            decoder.iou_prediction_head(tokens[0, 0, 1]),
            decoder.pred_obj_score_head(tokens[0, 0, 0])[0],
            found,
        )

    def pointers(self, masks: Masks) -> Tensor:
        """(4, 256) what is kept of the object beside the pictures' memories, for each mask."""
        found: Tensor = self.model.object_pointer_proj(masks.tokens)
        return torch.where(masks.presence > 0, found, self.model.no_object_pointer.expand_as(found))

    def remember(self, coarse: Tensor, logits: Tensor, presence: float, *, prompted: bool) -> Tensor:
        """A memory of a picture; see `memory`."""
        return self.memory(coarse, logits, coarse.new_tensor(presence), torch.tensor(prompted, device=coarse.device))

    def memory(self, coarse: Tensor, logits: Tensor, presence: Tensor, prompted: Tensor) -> Tensor:
        """A memory of a picture, (t, 64).

        Args:
            coarse: Of `encode`.
            logits: (h, w) of the object in it, at a quarter of the picture's size.
            presence: () logit of the object being there at all.
            prompted: () bool: what was clicked on is taken for certain.
        """
        model, size = self.model, tuple(side * CELLS_TO_LOGITS for side in logits.shape)
        large = functional.interpolate(logits[None, None], size, mode="bilinear", align_corners=False)
        share = torch.where(prompted, (large > 0).to(large.dtype), large.sigmoid())
        memory, _ = model.memory_encoder(coarse, share * _MEMORY_SCALE + _MEMORY_SHIFT)
        memory = memory + (presence <= 0) * model.occlusion_spatial_embedding_parameter[..., None, None]
        kept: Tensor = memory[0].flatten(1).T
        return kept


def stability(logits: Tensor) -> Tensor:
    """(4,) how little each mask depends on where exactly its border is drawn; 1 for one that is not there at all."""
    inner, outer = ((logits > edge).sum(dim=(1, 2)) for edge in (_STABLE_WITHIN, -_STABLE_WITHIN))
    return torch.where(outer > 0, inner / outer, 1.0)


def chosen_mask(masks: Masks, points: int) -> tuple[int, int]:
    """Which mask is taken, and whose pointer.

    One point may mean several things, of which the one with the best estimate is taken. More of them mean one; it is
    replaced by the best of the others when it is not stable.

    Args:
        masks: Of `Sam2Parts.decode`.
        points: How many were given; a box counts as two.
    """
    best = 1 + int(masks.quality[1:].argmax())
    if points <= 1:
        return best, best
    return (0 if float(stability(masks.logits)[0]) >= _STABLE else best), 0


def _waves(offsets: Tensor, depth: int) -> Tensor:
    """(p, depth) sines, then cosines, of numbers at falling frequencies, each frequency twice."""
    half = depth // 2
    exponents = 2 * (torch.arange(half, dtype=torch.float32, device=offsets.device) // 2) / half
    angles = offsets[:, None] / _TEMPERATURE**exponents
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
