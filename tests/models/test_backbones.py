"""Published transformers become the same transformer here, whichever names their file bears."""

import pytest
import torch
import transformers
from safetensors.torch import save_file

from core.errors import ModelUnavailable
from core.models.backbones import read_backbone
from core.models.networks.vit import ViT

WIDTH, DEPTH = 128, 3


@pytest.fixture(scope="module")
def published():
    """A tiny transformer as Hugging Face builds it, with numbers that matter."""
    config = transformers.DINOv3ViTConfig(
        hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=2, intermediate_size=4 * WIDTH,
        patch_size=16, num_register_tokens=4,
    )  # fmt: skip
    torch.manual_seed(0)
    network = transformers.DINOv3ViTModel(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return network


@pytest.fixture(scope="module")
def face_entries(published):
    return {name.removeprefix("model."): value.clone() for name, value in published.state_dict().items()}


def meta_entries(entries):
    """The same under Meta's names."""
    plain = {
        "cls_token": entries["embeddings.cls_token"],
        "storage_tokens": entries["embeddings.register_tokens"],
        "mask_token": entries["embeddings.mask_token"][0],
        "patch_embed.proj.weight": entries["embeddings.patch_embeddings.weight"],
        "patch_embed.proj.bias": entries["embeddings.patch_embeddings.bias"],
        "rope_embed.periods": 100.0 ** (torch.arange(16) / 16),
        "norm.weight": entries["norm.weight"],
        "norm.bias": entries["norm.bias"],
    }
    for number in range(DEPTH):
        ours, theirs = f"layer.{number}.", f"blocks.{number}."
        bias = torch.cat(
            [
                entries[f"{ours}attention.q_proj.bias"],
                torch.full((WIDTH,), 7.0),
                entries[f"{ours}attention.v_proj.bias"],
            ]
        )
        plain |= {
            f"{theirs}attn.qkv.weight": torch.cat([entries[f"{ours}attention.{part}_proj.weight"] for part in "qkv"]),
            f"{theirs}attn.qkv.bias": bias,
            f"{theirs}attn.qkv.bias_mask": torch.cat([torch.ones(WIDTH), torch.zeros(WIDTH), torch.ones(WIDTH)]),
            f"{theirs}ls1.gamma": entries[f"{ours}layer_scale1.lambda1"],
            f"{theirs}ls2.gamma": entries[f"{ours}layer_scale2.lambda1"],
        }
        pairs = {"attention.o_proj": "attn.proj", "norm1": "norm1", "norm2": "norm2"}
        pairs |= {"mlp.up_proj": "mlp.fc1", "mlp.down_proj": "mlp.fc2"}
        for face, meta in pairs.items():
            plain |= {f"{theirs}{meta}.{end}": entries[f"{ours}{face}.{end}"] for end in ("weight", "bias")}
    return plain


@pytest.mark.parametrize("names", ["face", "face 5", "meta"])
def test_the_blocks_of_a_published_file_say_here_what_they_say_there(names, published, face_entries, tmp_path):
    if names == "meta":
        path = tmp_path / "dinov3.pth"
        torch.save(meta_entries(face_entries), path)
    else:
        path = tmp_path / "model.safetensors"
        blocks = "model.layer." if names == "face 5" else "layer."
        save_file(
            {
                name.replace("layer.", blocks, 1) if name.startswith("layer.") else name: value.contiguous()
                for name, value in face_entries.items()
            },
            path,
        )
    config, state = read_backbone(path)
    assert (config.width, config.depth, config.registers) == (WIDTH, DEPTH, 4)
    vit = ViT(config).eval()
    vit.load_state_dict(state, strict=True)
    picture = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        there = published(picture, output_hidden_states=True)
        said = vit(picture, range(DEPTH))
    torch.testing.assert_close(said[0], there.hidden_states[1], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(vit.norm(said[-1]), there.last_hidden_state, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda entries: entries.pop("blocks.1.ls1.gamma"), r"lacks blocks\.1\.ls1\.gamma"),
        (lambda entries: entries.update({"head.weight": torch.zeros(2)}), r"has in addition head\.weight"),
        (lambda entries: entries.update({"norm.bias": torch.zeros(3)}), r"norm\.bias \(3,\) instead of \(128,\)"),
        (lambda entries: entries["norm.bias"].fill_(torch.nan), "not finite in norm.bias"),
        (lambda entries: entries["blocks.2.attn.qkv.bias_mask"].fill_(1), r"blocks\.2\.attn\.qkv\.bias_mask"),
        (lambda entries: entries.pop("storage_tokens"), "Expected a transformer of DINOv3"),
    ],
)
def test_files_that_are_not_exactly_such_a_transformer_are_refused_in_a_sentence(change, says, face_entries, tmp_path):
    entries = {name: value.clone() for name, value in meta_entries(face_entries).items()}
    change(entries)
    torch.save(entries, tmp_path / "dinov3.pth")
    with pytest.raises(ModelUnavailable, match=says) as refused:
        read_backbone(tmp_path / "dinov3.pth")
    assert str(refused.value).endswith("dinov3.pth")
