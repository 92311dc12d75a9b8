"""Tiny perspective networks with random numbers, in folders as the hub publishes them."""

import json

import torch
import transformers as t

VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 56,
}
ADE20K = {"num_labels": 150}
NORMAL = {
    "do_normalize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def depth_anything(**more):
    backbone = t.Dinov2Config(
        **(VISION | {"patch_size": 14, "out_features": ["stage1", "stage2", "stage3", "stage4"]}),
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = t.DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        **more,
    )
    size = {"size": {"height": 56, "width": 56}, "keep_aspect_ratio": True, "ensure_multiple_of": 14}
    return t.DepthAnythingForDepthEstimation(config), size


def dpt(**more):
    config = t.DPTConfig(
        **(VISION | {"patch_size": 16, "image_size": 64}),
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        is_hybrid=False,
        **more,
    )
    return t.DPTForDepthEstimation(config), {"size": {"height": 64, "width": 64}}


def glpn():
    config = t.GLPNConfig(
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=8,
        max_depth=10,
    )
    return t.GLPNForDepthEstimation(config), {"size_divisor": 32, "size": 64, "do_normalize": False}


def zoedepth():
    backbone = t.BeitConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=64,
        patch_size=16,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = t.ZoeDepthConfig(
        backbone_config=backbone,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=32,
        bottleneck_features=32,
        num_attractors=[4, 3, 2, 1],
        bin_embedding_dim=8,
        bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"}],
    )
    size = {"size": {"height": 64, "width": 96}, "keep_aspect_ratio": True, "ensure_multiple_of": 32, "do_pad": True}
    return t.ZoeDepthForDepthEstimation(config), size


def depth_pro():
    vision = {"model_type": "dinov2"} | VISION | {"image_size": 32, "patch_size": 8, "num_hidden_layers": 2}
    config = t.DepthProConfig(
        patch_size=32,
        fusion_hidden_size=8,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[8, 8],
        scaled_images_feature_dims=[8, 8, 8],
        image_model_config=dict(vision),
        patch_model_config=dict(vision),
        fov_model_config=dict(vision),
        use_fov_model=False,
    )
    size = {"size": {"height": 128, "width": 128}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return t.DepthProForDepthEstimation(config), size


def segformer():
    config = t.SegformerConfig(
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        decoder_hidden_size=16,
        num_attention_heads=[1, 1, 2, 2],
        **ADE20K,
    )
    return t.SegformerForSemanticSegmentation(config), {"size": {"height": 64, "width": 64}}


def mask2former():
    backbone = t.SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        image_size=64,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = t.Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        dim_feedforward=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        num_queries=6,
        **ADE20K,
    )
    return t.Mask2FormerForUniversalSegmentation(config), {"size": {"shortest_edge": 64}, "size_divisor": 32}


def write(folder, made, seed=0, **saving):
    """A folder with a network in it whose every number matters."""
    network, preprocessing = made
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        for name, parameter in network.named_parameters():
            if name in ("head.conv3.bias", "head.head.4.bias"):
                parameter.fill_(2.0)  # before a ReLU, which would leave nothing
    network.save_pretrained(folder, **saving)
    (folder / "preprocessor_config.json").write_text(json.dumps(NORMAL | preprocessing))
    return network.eval()
