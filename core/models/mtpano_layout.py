"""How the published file of MTPano names what the network here holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.models.layouts import Layout, Shape, Tensors, published_name, renames_of_vit

if TYPE_CHECKING:
    from torch import Tensor

    from core.models.networks.mtpano import MtpanoConfig

VIT_FACE = {
    "class_token": "embeddings.cls_token",
    "registers": "embeddings.register_tokens",
    "embed": "embeddings.patch_embeddings",
    "norm": "norm",
}
BLOCK_FACE = {
    "norm_attention": "norm1",
    "attention.query_bias": "attention.q_proj.bias",
    "attention.value_bias": "attention.v_proj.bias",
    "attention.project": "attention.o_proj",
    "scale_attention": "layer_scale1.lambda1",
    "norm_mlp": "norm2",
    "mlp.0": "mlp.up_proj",
    "mlp.2": "mlp.down_proj",
    "scale_mlp": "layer_scale2.lambda1",
}
_BLOCK = {
    "narrow": "conv1",
    "mix.equator": "spatial_process.equator_conv",
    "mix.pole": "spatial_process.pole_conv",
    "widen": "conv2",
    "modulate": "geo_mlp",
}
_BRIDGE = {
    "squeeze": "kv_squeeze",
    "norm_query": "norm1_q",
    "norm_key": "norm1_kv",
    "query": "cross_attn.to_q",
    "key": "cross_attn.to_k",
    "value": "cross_attn.to_v",
    "project": "cross_attn.proj",
    "norm_mlp": "norm2",
    "mlp.0": "mlp.fc1",
    "mlp.2": "mlp.fc2",
}
_HEADS = {
    "head.semseg.first": "heads.semseg.head.0",
    "head.semseg.norm": "heads.semseg.head.1",
    "head.semseg.last": "heads.semseg.head.4",
    **{
        f"head.{task}.{ours}": f"heads.{task}.head.{theirs}"
        for task in ("depth", "normals")
        for ours, theirs in (("narrow", 0), ("last.0", 2), ("last.2", 4))
    },
}
_UNITS = {"refine_finer": "residual_layer1", "refine": "residual_layer2"}
_STATISTICS = {".mean": ".running_mean", ".variance": ".running_var"}


def mtpano_layout(config: MtpanoConfig) -> Layout:
    """The file of MTPano, whose transformer bears the names of Hugging Face and keeps query, key and value apart."""
    import torch

    from core.models.networks.mtpano import MtpanoNet
    from core.models.networks.vit import rope_periods

    renames = _renames(config)
    with torch.device("meta"):
        state = {name: tuple(tensor.shape) for name, tensor in MtpanoNet(config).state_dict().items()}
    blocks = range(config.vit.depth)
    joined = {
        f"vit.blocks.{number}.attention.qkv.weight": [
            f"backbone.layer.{number}.attention.{part}_proj.weight" for part in "qkv"
        ]
        for number in blocks
    }
    published = {
        name: _of_statistics(name, published_name(name, renames))
        for name in state
        if name not in joined and name != "vit.periods"
    }
    width = config.vit.width
    shapes: dict[str, Shape] = {theirs: state[ours] for ours, theirs in published.items()}
    shapes |= {part: (width, width) for parts in joined.values() for part in parts}
    shapes |= _unused(config)
    counters = {
        name.removesuffix("running_mean") + "num_batches_tracked" for name in shapes if name.endswith(".running_mean")
    }
    shapes |= dict.fromkeys(counters, ())

    def convert(tensors: Tensors) -> dict[str, Tensor]:
        converted = {ours: tensors[theirs] for ours, theirs in published.items()}
        converted |= {ours: torch.cat([tensors[part] for part in parts]) for ours, parts in joined.items()}
        return {**converted, "vit.periods": rope_periods()}

    return Layout(shapes, convert, unfit=lambda _: [], counters=counters)


def _renames(config: MtpanoConfig) -> dict[str, str]:
    from core.models.networks.mtpano import HELPERS, TASKS

    renames = renames_of_vit(config.vit, VIT_FACE, BLOCK_FACE, "backbone.", "layer")
    renames |= {"rays": "RayDir", "place": "PE", **_HEADS}
    for ours, short, long in (("steady", "inv", "invariant"), ("turning", "var", "variant")):
        for level in range(4):
            for number in range(2):
                place = f"feature_grouping.{level}.{long}_layers.{number}"
                renames |= {f"group.{level}.{ours}.{number}.{a}": f"{place}.{b}" for a, b in _BLOCK.items()}
        renames |= {f"bridge_{ours}.{a}": f"bfe_{long}.{b}" for a, b in _BRIDGE.items()}
        renames |= {
            f"gather_{ours}.mix": f"aggregator_{short}.fusion_conv.0",
            f"gather_{ours}.norm": f"aggregator_{short}.fusion_conv.1",
            f"inject_{ours}": f"{short}_injectors",
        }
    for kind, tasks in (("aux_heads", TASKS), ("extended_heads", HELPERS)):
        for task in tasks:
            renames[f"task_head.{task}.extract"] = f"{kind}.{task}.feature_extractor"
            renames[f"task_head.{task}.classify"] = f"{kind}.{task}.classifier"
    for task in TASKS:
        renames |= {f"inject_task.{task}": f"aux_injectors.{task}", f"adapt.{task}": f"task_adapters.{task}"}
        for level in range(4):
            renames |= _renames_of_neck(f"neck.{task}", f"necks.{task}", level)
    return renames


def _renames_of_neck(ours: str, theirs: str, level: int) -> dict[str, str]:
    """One level of a decoder; its fusions are published from coarse to fine and here counted as their levels."""
    fusion = f"{theirs}.fusion_stage.layers.{3 - level}"
    renames = {
        f"{ours}.readout.{level}": f"{theirs}.reassemble_stage.readout_projects.{level}.0",
        f"{ours}.project.{level}": f"{theirs}.reassemble_stage.layers.{level}.projection",
        f"{ours}.resize.{level}": f"{theirs}.reassemble_stage.layers.{level}.resize",
        f"{ours}.reduce.{level}": f"{theirs}.convs.{level}",
        f"{ours}.fuse.{level}.mix": f"{fusion}.projection",
    }
    for unit, published in _UNITS.items():
        for number, name in enumerate(("first", "second"), 1):
            renames[f"{ours}.fuse.{level}.{unit}.{name}"] = f"{fusion}.{published}.convolution{number}"
            renames[f"{ours}.fuse.{level}.{unit}.{name}_norm"] = f"{fusion}.{published}.batch_norm{number}"
    return renames


def _of_statistics(ours: str, theirs: str) -> str:
    """The published name with that of a batch normalisation's statistics, which are called otherwise here."""
    for end, published in _STATISTICS.items():
        if ours.endswith(end):
            return theirs.removesuffix(end) + published
    return theirs


def _unused(config: MtpanoConfig) -> dict[str, Shape]:
    """In the file, and of no use: masking in training, and the coarsest levels' units for levels that are not there."""
    from core.models.networks.mtpano import TASKS

    features = config.features
    shapes: dict[str, Shape] = {"backbone.embeddings.mask_token": (1, 1, config.vit.width)}
    for task in TASKS:
        for number in (1, 2):
            unit = f"necks.{task}.fusion_stage.layers.0.residual_layer1"
            shapes[f"{unit}.convolution{number}.weight"] = (features, features, 3, 3)
            for value in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{unit}.batch_norm{number}.{value}"] = (features,)
    return shapes
