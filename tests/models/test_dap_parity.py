"""The network of Depth Any Panoramas says what the published code says, with weights that take a user's way in."""

import hashlib
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from fixture_rule import DATA, SHARED, checkpoint, drawn, fixed, listed, picture, probe_rows

from core.models import find_model, weights_file
from core.models.checkpoints import converted
from core.models.dap import Dap, published_layout
from core.models.networks.dap import PUBLISHED, DapNet
from core.models.networks.dpt import resized
from core.models.networks.vit import rope_periods
from core.models.onnx_export import export_onnx
from core.models.store import add_model, verify_model

SMALL = DATA / "dap_64x128.npz"
LARGE = SHARED / "dap_256x512.npz"
CHECKS = [line.split("\t") for line in (DATA / "weights_check.tsv").read_text().splitlines()[1:]]
OUTPUT_LIMITS = 2e-5, 2e-6
"""Greatest and mean difference."""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check[0]}:{check[1]}")
def test_the_rule_draws_the_numbers_that_the_references_were_made_with(check):
    _, name, shape, first, total, absolute = check
    shape = tuple(int(number) for number in shape.strip("()").split(",") if number.strip())
    values = drawn("public", name, shape).astype(np.float64)
    np.testing.assert_allclose(values.ravel()[:3], [float(number) for number in first.split()], rtol=1e-8)
    assert values.sum() == pytest.approx(float(total), rel=1e-7, abs=1e-6)
    assert np.abs(values).sum() == pytest.approx(float(absolute), rel=1e-7)


@pytest.mark.parametrize(
    ("height", "width", "frame", "sha256"),
    [
        (64, 128, 0, "e277a20416beb6da86a1fa7da0d544566e74a09d75f24add30c63deb1d0d4a40"),
        (256, 512, 0, "9c7debc4641029029f1563319061a56b406f6925e78f729d29a12cd3a2d59ae7"),
        (512, 1024, 0, "089d98f6fecee6b4ed9dff8fc66835b80fa0d978eb00bd4d4ebda2c4c057b715"),
    ],
)
def test_the_picture_is_the_one_that_the_references_were_made_from(height, width, frame, sha256):
    assert hashlib.sha256(picture(height, width, 0.0, frame).tobytes()).hexdigest() == sha256


def test_the_published_file_holds_exactly_what_is_expected_of_it():
    layout, published = published_layout(), listed(DATA / "dap_state_dict.tsv")
    assert {**layout.shapes, **{name: layout.shapes[of] for name, of in layout.aliases.items()}} == published
    assert len(published) == 858


@pytest.fixture(scope="module")
def entries():
    """What the published file would hold, by the rule."""
    return checkpoint(listed(DATA / "dap_state_dict.tsv"))


@pytest.fixture(scope="module")
def network(entries):
    """The network with these numbers, checked and converted as those of a file are."""
    path = Path("model.pth")
    with torch.device("meta"):
        network = DapNet(PUBLISHED)
    network.load_state_dict(converted(entries, published_layout(), path), assign=True)
    return network.eval()


@pytest.fixture
def added(entries, tmp_path, monkeypatch):
    """The model after a user has added the published file."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = tmp_path / "model.pth"
    torch.save({f"module.{name}": value for name, value in entries.items()}, path)
    add_model(path)
    path.unlink()
    verify_model("dap")
    yield Dap(device="cpu")
    weights_file(find_model("dap")).unlink()  # 1.5 GB that nobody wants to keep


@contextmanager
def _probed(network, height, width):
    """The tensors inside a network by the names of the references, filled by its next run on a picture of a size."""
    seen, hooks = {}, []
    # Of what the fusions say, level by level, after it has been enlarged: at once by the published code, and by this
    # one when it is read.
    sizes = [(height // divisor, width // divisor) for divisor in (2, 4, 8, 16)]

    def watch(part, name, arrange=lambda output: output):
        hooks.append(part.register_forward_hook(lambda _part, _given, output: seen.update({name: arrange(output)})))

    watch(network.vit.embed, "patch_embed", lambda output: output.permute(0, 2, 3, 1).contiguous())
    for number in (0, 4, 11, 17, 23):
        watch(network.vit.blocks[number], f"block{number:02}_out")

    def note_inputs(_part, given):
        seen.update({f"decoder_input{level}": value for level, value in enumerate(given[0])})

    hooks.append(network.depth_head.register_forward_pre_hook(note_inputs))
    for title, head in (("depth_head", network.depth_head), ("mask_head", network.far_head)):
        for level in range(4):
            watch(head.resize[level], f"{title}/resize{level}")
            watch(head.reduce[level], f"{title}/layer{level + 1}_rn")
            watch(head.fuse[level], f"{title}/refinenet{level + 1}", partial(resized, size=sizes[level]))
        watch(head.narrow, f"{title}/output_conv1")
        watch(head.last, f"{title}/logits")
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _differences(network, run, reference):
    """(name, limit, measured) of every stored array.

    Of outputs the greatest and the mean difference, of probes the greatest over their standard deviation.
    """
    stored = dict(np.load(reference))
    height, width = stored["pred_depth"].shape
    rgb = picture(height, width)
    assert hashlib.sha256(rgb.tobytes()).hexdigest() == str(stored.pop("input_sha256"))
    with _probed(network, height, width) as seen:
        outputs = run(rgb)
    rows = []
    for name in ("pred_depth", "pred_mask"):
        difference = np.abs(outputs[name].astype(np.float64) - stored.pop(name))
        rows.append((f"{name} max", OUTPUT_LIMITS[0], difference.max()))
        rows.append((f"{name} mean", OUTPUT_LIMITS[1], difference.mean()))
    for name, tensor in seen.items():
        rows += probe_rows(stored, name, tensor)
    assert not stored, f"not compared: {sorted(stored)}"
    return rows


def test_every_stored_array_of_64_by_128_is_met(network, broken):
    def run(rgb):
        with torch.inference_mode():
            depth, far = network(torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255)
        return {"pred_depth": depth[0, 0].numpy(), "pred_mask": far[0, 0].numpy()}

    assert not broken(_differences(network, run, SMALL))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("reference", [SMALL, LARGE], ids=lambda path: path.stem)
def test_every_stored_array_is_met_by_a_model_that_a_user_has_added(added, reference, broken):
    if not reference.is_file():
        pytest.skip(f"needs {reference}")
    assert not broken(_differences(added._runner.network, added.raw, reference))


def test_rotations_have_the_published_periods():
    np.testing.assert_allclose(rope_periods(), fixed("rope_embed.periods", (16,)), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_its_graph_says_what_the_published_code_says(added):
    (graph,) = export_onnx("dap")
    outputs = Dap(device="cpu", backend="onnxruntime").raw(picture(64, 128))
    graph.unlink()
    stored = np.load(SMALL)
    for name, values in outputs.items():
        difference = np.abs(values.astype(np.float64) - stored[name])
        assert difference.max() <= OUTPUT_LIMITS[0]
        assert difference.mean() <= OUTPUT_LIMITS[1]
