"""How the published files of SAM 2.1 name what the classes of transformers hold.

Entries and shapes are written out here, so that a file can be told from others, and taken over, without that package.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.models.layouts import Layout, Shape, Tensors

if TYPE_CHECKING:
    from torch import Tensor

    from core.models.networks.sam2 import Sam2Config

Rows = Iterator[tuple[str, str, Shape]]
"""Names in the file, names here, shapes."""

WIDTH = 256
"""Channels behind the encoder."""
_MEMORY = 64
_MASKS = 4
_HIDDEN = 2048
_GAUSS = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
_GAUSS_HERE = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")
_POINT = "sam_prompt_encoder.point_embeddings.{}.weight"
_POINTS_HERE = "prompt_encoder.point_embed.weight"


def sam2_layout(config: Sam2Config) -> Layout:
    """The file of one size, also after a further training, as SAP's are."""
    import torch

    names, shapes = {}, {}
    for theirs, ours, shape in _rows(config):
        names[ours] = theirs
        shapes[theirs] = shape
    points = [_POINT.format(kind) for kind in range(4)]
    shapes |= dict.fromkeys(points, (1, WIDTH)) | {_GAUSS: (2, WIDTH // 2)}

    def convert(tensors: Tensors) -> dict[str, Tensor]:
        converted = {ours: tensors[theirs] for ours, theirs in names.items()}
        converted[_POINTS_HERE] = torch.cat([tensors[point] for point in points])
        return converted | dict.fromkeys(_GAUSS_HERE, tensors[_GAUSS])

    return Layout(shapes, convert, unfit=lambda _: [])


def _rows(config: Sam2Config) -> Rows:
    yield "maskmem_tpos_enc", "memory_temporal_positional_encoding", (7, 1, 1, _MEMORY)
    yield "no_mem_embed", "no_memory_embedding", (1, 1, WIDTH)
    yield "no_mem_pos_enc", "no_memory_positional_encoding", (1, 1, WIDTH)
    yield "no_obj_ptr", "no_object_pointer", (1, WIDTH)
    yield "no_obj_embed_spatial", "occlusion_spatial_embedding_parameter", (1, _MEMORY)
    yield from _layer("mask_downsample", "mask_downsample", 1, 1, 4, 4)
    yield from _mlp("obj_ptr_proj", "object_pointer_proj", WIDTH, WIDTH, WIDTH, WIDTH)
    yield from _layer("obj_ptr_tpos_proj", "temporal_positional_encoding_projection_layer", _MEMORY, WIDTH)
    yield from _encoder(config)
    yield from _memory_attention()
    yield from _memory_encoder()
    yield from _prompt_encoder()
    yield from _mask_decoder()


def _encoder(config: Sam2Config) -> Rows:
    trunk, backbone = "image_encoder.trunk", "vision_encoder.backbone"
    side = config.windows[0]
    yield f"{trunk}.pos_embed", f"{backbone}.pos_embed", (1, config.width, config.background, config.background)
    yield f"{trunk}.pos_embed_window", f"{backbone}.pos_embed_window", (1, config.width, side, side)
    yield from _layer(f"{trunk}.patch_embed.proj", f"{backbone}.patch_embed.projection", config.width, 3, 7, 7)
    number, before = 0, config.width
    for width, count in zip(config.widths, config.blocks, strict=True):
        for _ in range(count):
            theirs, ours = (f"{place}.blocks.{number}" for place in (trunk, backbone))
            yield from _layer(f"{theirs}.norm1", f"{ours}.layer_norm1", before)
            yield from _layer(f"{theirs}.attn.qkv", f"{ours}.attn.qkv", 3 * width, before)
            yield from _layer(f"{theirs}.attn.proj", f"{ours}.attn.proj", width, width)
            yield from _layer(f"{theirs}.norm2", f"{ours}.layer_norm2", width)
            yield from _mlp(f"{theirs}.mlp", f"{ours}.mlp", width, 4 * width, width)
            if before != width:
                yield from _layer(f"{theirs}.proj", f"{ours}.proj", width, before)
            number, before = number + 1, width
    for level, width in enumerate(reversed(config.widths)):
        theirs, ours = f"image_encoder.neck.convs.{level}.conv", f"vision_encoder.neck.convs.{level}"
        yield from _layer(theirs, ours, WIDTH, width, 1, 1)


def _memory_attention() -> Rows:
    for number in range(4):
        layer = f"memory_attention.layers.{number}"
        yield from _attention(f"{layer}.self_attn", WIDTH, WIDTH)
        yield from _attention(f"{layer}.cross_attn_image", WIDTH, _MEMORY)
        yield from _layer(f"{layer}.linear1", f"{layer}.linear1", _HIDDEN, WIDTH)
        yield from _layer(f"{layer}.linear2", f"{layer}.linear2", WIDTH, _HIDDEN)
        for norm in (1, 2, 3):
            yield from _layer(f"{layer}.norm{norm}", f"{layer}.layer_norm{norm}", WIDTH)
    yield from _layer("memory_attention.norm", "memory_attention.layer_norm", WIDTH)


def _memory_encoder() -> Rows:
    encoder, channels = "memory_encoder.mask_downsampler.encoder", 1
    for number in range(4):
        layer = f"memory_encoder.mask_downsampler.layers.{number}"
        yield from _layer(f"{encoder}.{3 * number}", f"{layer}.conv", 4 * channels, channels, 3, 3)
        yield from _layer(f"{encoder}.{3 * number + 1}", f"{layer}.layer_norm", 4 * channels)
        channels *= 4
    yield from _layer(f"{encoder}.12", "memory_encoder.mask_downsampler.final_conv", WIDTH, channels, 1, 1)
    yield from _layer("memory_encoder.pix_feat_proj", "memory_encoder.feature_projection", WIDTH, WIDTH, 1, 1)
    for number in range(2):
        theirs, ours = f"memory_encoder.fuser.layers.{number}", f"memory_encoder.memory_fuser.layers.{number}"
        yield f"{theirs}.gamma", f"{ours}.scale", (WIDTH,)
        yield from _layer(f"{theirs}.dwconv", f"{ours}.depthwise_conv", WIDTH, 1, 7, 7)
        yield from _layer(f"{theirs}.norm", f"{ours}.layer_norm", WIDTH)
        yield from _layer(f"{theirs}.pwconv1", f"{ours}.pointwise_conv1", 4 * WIDTH, WIDTH)
        yield from _layer(f"{theirs}.pwconv2", f"{ours}.pointwise_conv2", WIDTH, 4 * WIDTH)
    yield from _layer("memory_encoder.out_proj", "memory_encoder.projection", _MEMORY, WIDTH, 1, 1)


def _prompt_encoder() -> Rows:
    theirs, ours = "sam_prompt_encoder", "prompt_encoder"
    for name in ("not_a_point_embed", "no_mask_embed"):
        yield f"{theirs}.{name}.weight", f"{ours}.{name}.weight", (1, WIDTH)
    steps, embed = f"{theirs}.mask_downscaling", f"{ours}.mask_embed"
    yield from _layer(f"{steps}.0", f"{embed}.conv1", 4, 1, 2, 2)
    yield from _layer(f"{steps}.1", f"{embed}.layer_norm1", 4)
    yield from _layer(f"{steps}.3", f"{embed}.conv2", 16, 4, 2, 2)
    yield from _layer(f"{steps}.4", f"{embed}.layer_norm2", 16)
    yield from _layer(f"{steps}.6", f"{embed}.conv3", WIDTH, 16, 1, 1)


def _mask_decoder() -> Rows:
    theirs, ours, half = "sam_mask_decoder", "mask_decoder", WIDTH // 2
    for name, count in (("iou_token", 1), ("mask_tokens", _MASKS), ("obj_score_token", 1)):
        yield f"{theirs}.{name}.weight", f"{ours}.{name}.weight", (count, WIDTH)
    for number in range(2):
        place = f"transformer.layers.{number}"
        for name, width in (
            ("self_attn", WIDTH),
            ("cross_attn_token_to_image", half),
            ("cross_attn_image_to_token", half),
        ):
            for a, b, shape in _attention(f"{place}.{name}", width, WIDTH):
                yield f"{theirs}.{a}", f"{ours}.{b}", shape
        for norm in (1, 2, 3, 4):
            yield from _layer(f"{theirs}.{place}.norm{norm}", f"{ours}.{place}.layer_norm{norm}", WIDTH)
        yield from _mlp(f"{theirs}.{place}.mlp", f"{ours}.{place}.mlp", WIDTH, _HIDDEN, WIDTH)
    for a, b, shape in _attention("transformer.final_attn_token_to_image", half, WIDTH):
        yield f"{theirs}.{a}", f"{ours}.{b}", shape
    yield from _layer(f"{theirs}.transformer.norm_final_attn", f"{ours}.transformer.layer_norm_final_attn", WIDTH)
    for number, name, shape in ((0, "upscale_conv1", (WIDTH, 64, 2, 2)), (3, "upscale_conv2", (64, 32, 2, 2))):
        # Growing convolutions have their inputs first.
        yield f"{theirs}.output_upscaling.{number}.weight", f"{ours}.{name}.weight", shape
        yield f"{theirs}.output_upscaling.{number}.bias", f"{ours}.{name}.bias", (shape[1],)
    yield from _layer(f"{theirs}.output_upscaling.1", f"{ours}.upscale_layer_norm", 64)
    for name, width in (("conv_s0", 32), ("conv_s1", 64)):
        yield from _layer(f"{theirs}.{name}", f"{ours}.{name}", width, WIDTH, 1, 1)
    heads = [(f"output_hypernetworks_mlps.{mask}", 32) for mask in range(_MASKS)]
    for name, width in (*heads, ("iou_prediction_head", _MASKS), ("pred_obj_score_head", 1)):
        yield from _mlp(f"{theirs}.{name}", f"{ours}.{name}", WIDTH, WIDTH, WIDTH, width)


def _layer(theirs: str, ours: str, *shape: int) -> Rows:
    """A weight whose outputs come first, and a bias."""
    yield f"{theirs}.weight", f"{ours}.weight", shape
    yield f"{theirs}.bias", f"{ours}.bias", shape[:1]


def _mlp(theirs: str, ours: str, *widths: int) -> Rows:
    """Layers from each width to the next; those between the first and the last are counted here by themselves."""
    last = len(widths) - 2
    for number in range(last + 1):
        name = "proj_in" if number == 0 else "proj_out" if number == last else f"layers.{number - 1}"
        yield from _layer(f"{theirs}.layers.{number}", f"{ours}.{name}", widths[number + 1], widths[number])


def _attention(place: str, width: int, read: int) -> Rows:
    """Four layers; keys and values are made from `read` channels. The place is called alike in both."""
    yield from _layer(f"{place}.q_proj", f"{place}.q_proj", width, WIDTH)
    for name in ("k_proj", "v_proj"):
        yield from _layer(f"{place}.{name}", f"{place}.{name}", width, read)
    yield from _layer(f"{place}.out_proj", f"{place}.o_proj", WIDTH, width)
