"""How published files name what the networks here hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from core.models.networks.dap import DapConfig
    from core.models.networks.vit import ViTConfig

Tensors = Mapping[str, "Tensor"]
Shape = tuple[int, ...]

VIT_META = {
    "class_token": "cls_token",
    "registers": "storage_tokens",
    "periods": "rope_embed.periods",
    "embed": "patch_embed.proj",
    "norm": "norm",
}
BLOCK_META = {
    "norm_attention": "norm1",
    "attention.qkv.weight": "attn.qkv.weight",
    "attention.project": "attn.proj",
    "scale_attention": "ls1.gamma",
    "norm_mlp": "norm2",
    "mlp.0": "mlp.fc1",
    "mlp.2": "mlp.fc2",
    "scale_mlp": "ls2.gamma",
}
_DPT = {
    "project": "projects",
    "resize": "resize_layers",
    **{f"reduce.{level}": f"scratch.layer{level + 1}_rn" for level in range(4)},
    **{
        f"fuse.{level}.{ours}": f"scratch.refinenet{level + 1}.{theirs}"
        for level in range(4)
        for ours, theirs in (
            ("refine_finer.first", "resConfUnit1.conv1"),
            ("refine_finer.second", "resConfUnit1.conv2"),
            ("refine.first", "resConfUnit2.conv1"),
            ("refine.second", "resConfUnit2.conv2"),
            ("mix", "out_conv"),
        )
    },
    "narrow": "scratch.output_conv1",
    "last": "scratch.output_conv2",
}


@dataclass(frozen=True)
class Layout:
    """What a published file holds and how it becomes what a network here holds.

    Attributes:
        shapes: Every entry of the file, without prefixes such as ``module.``.
        convert: From exactly those entries to the state of the network.
        unfit: Which of those entries have values that the network has no place for.
        aliases: Second names under which a file may hold an entry once more, or instead.
        counters: Entries that are whole numbers.
    """

    shapes: Mapping[str, Shape]
    convert: Callable[[Tensors], dict[str, Tensor]]
    unfit: Callable[[Tensors], list[str]]
    aliases: Mapping[str, str] = field(default_factory=dict)
    counters: Collection[str] = ()


def dap_layout(config: DapConfig) -> Layout:
    """The file of Depth Any Panoramas, whose transformer bears Meta's names and is registered twice."""
    import torch

    from core.models.networks.dap import DapNet

    vit = "core.pretrained.model."
    renames = renames_of_vit(config.vit, VIT_META, BLOCK_META, vit, "blocks")
    renames |= {"second_norm": "core.pretrained.norm"}
    renames |= {f"depth_head.{ours}": f"core.depth_head.{theirs}" for ours, theirs in _DPT.items()}
    renames |= {f"far_head.{ours}": f"core.mask_head.{theirs}" for ours, theirs in _DPT.items()}
    with torch.device("meta"):
        state = {name: tuple(tensor.shape) for name, tensor in DapNet(config).state_dict().items()}
    biases = [f"{vit}blocks.{number}.attn.qkv.bias" for number in range(config.vit.depth)]
    published = {name: published_name(name, renames) for name in state if not _is_split(name)}
    width, features = config.vit.width, config.features
    shapes: dict[str, Shape] = {theirs: state[ours] for ours, theirs in published.items()}
    shapes |= {name: (3 * width,) for bias in biases for name in (bias, f"{bias}_mask")}
    # In the file, and of no use: masking in training, and the coarsest level's unit for a level that is not there.
    shapes[f"{vit}mask_token"] = (1, width)
    for head in ("depth_head", "mask_head"):
        unused = f"core.{head}.scratch.refinenet4.resConfUnit1"
        shapes |= {f"{unused}.conv{number}.weight": (features, features, 3, 3) for number in (1, 2)}
        shapes |= {f"{unused}.conv{number}.bias": (features,) for number in (1, 2)}

    def convert(tensors: Tensors) -> dict[str, Tensor]:
        converted = {ours: tensors[theirs] for ours, theirs in published.items()}
        return converted | split_biases(tensors, biases, "vit.")

    def unfit(tensors: Tensors) -> list[str]:
        return biased_keys(tensors, biases)

    blocks = f"{vit}blocks."
    aliases = {f"core.pretrained.blocks.{name[len(blocks) :]}": name for name in shapes if name.startswith(blocks)}
    return Layout(shapes, convert, unfit, aliases)


def _is_split(name: str) -> bool:
    return name.endswith((".query_bias", ".value_bias"))


def renames_of_vit(
    config: ViTConfig, of_vit: Mapping[str, str], of_block: Mapping[str, str], prefix: str, blocks: str
) -> dict[str, str]:
    """Our names of the parts of a transformer that is called ``vit``, and the published ones."""
    renames = {f"vit.{ours}": f"{prefix}{theirs}" for ours, theirs in of_vit.items()}
    for number in range(config.depth):
        renames |= {
            f"vit.blocks.{number}.{ours}": f"{prefix}{blocks}.{number}.{theirs}" for ours, theirs in of_block.items()
        }
    return renames


def split_biases(tensors: Tensors, biases: Sequence[str], prefix: str) -> dict[str, Tensor]:
    """Biases of query and value of every block, from Meta's, which are masked where keys would have one.

    Args:
        tensors: Entries of the file.
        biases: Their names, block by block; each has its mask beside it.
        prefix: Before our names of them.
    """
    state = {}
    for number, bias in enumerate(biases):
        query, _, value = (tensors[bias] * tensors[f"{bias}_mask"]).chunk(3)
        state[f"{prefix}blocks.{number}.attention.query_bias"] = query
        state[f"{prefix}blocks.{number}.attention.value_bias"] = value
    return state


def biased_keys(tensors: Tensors, biases: Sequence[str]) -> list[str]:
    """Masks that let keys have a bias, which is always masked in the published networks; arguments as above."""
    return [f"{bias}_mask" for bias in biases if (tensors[bias] * tensors[f"{bias}_mask"]).chunk(3)[1].any()]


def published_name(name: str, renames: Mapping[str, str]) -> str:
    """The published name: that of the longest beginning that has one, and the rest as it is."""
    beginning, rest = name, ""
    while beginning not in renames:
        beginning, dot, last = beginning.rpartition(".")
        if not dot:
            raise ValueError(f"no published name for {name}")
        rest = f".{last}{rest}"
    return renames[beginning] + rest
