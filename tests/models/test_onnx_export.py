"""Graphs say what the networks say, for any number of pictures and for the sizes that they call free."""

import shutil
import sys
import threading
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from tiny_dap import CONFIG, save, tiny  # noqa: F401 - a fixture
from tiny_mtpano import save as save_mtpano
from tiny_mtpano import tiny as tiny_mtpano  # noqa: F401 - a fixture

import core.models
from core.errors import ExportError, ModelUnavailable
from core.models import find_model, graph_runner, load_model, load_segmenter, weights_file
from core.models.click_s import ClickSConfig
from core.models.dap import Dap
from core.models.graph_runner import graph_file, open_graph, run_graph
from core.models.networks.graphs import click_s_graphs
from core.models.onnx_export import export_onnx, write_graph
from core.models.pano_s import PanoS
from core.models.store import add_model, remove_model
from core.progress import Cancelled

RELATIVE = 1e-4
TINY_CLICK_S = ClickSConfig(64, 64, (8, 16, 16, 32), (1, 1), 1)


def says_the_same(graph, call, *inputs):
    """Compare a graph with a torch call; (batch, ...) tensors."""
    session = onnxruntime.InferenceSession(graph)
    names = [given.name for given in session.get_inputs()]
    found = session.run(None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})
    with torch.inference_mode():
        wanted = call(*inputs)
    wanted = [wanted] if isinstance(wanted, torch.Tensor) else list(wanted)
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == tuple(theirs.shape)
        assert float(np.abs(theirs.numpy()).max()) > 0
        assert np.abs(ours - theirs.numpy()).max() <= RELATIVE * np.abs(theirs.numpy()).max()


def pictures(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def arbitrary(network, seed=0):
    """Numbers that make every part of a network matter."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network.eval()


def stored(network, path, metadata=None):
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path, metadata=metadata)
    return path


@pytest.mark.parametrize("batch", [1, 3])
def test_pano_s_reads_any_number_of_pictures(small_weights, batch):
    network = PanoS(small_weights, backend="torch", device="cpu")._runner.network
    says_the_same(small_weights.with_suffix(".onnx"), network, pictures(batch, 3, 64, 128))


def test_whoever_opens_a_graph_without_the_program_hears_no_complaints(small_weights, bundled_weights, capfd):
    for weights in (small_weights, bundled_weights):
        onnxruntime.InferenceSession(weights.with_suffix(".onnx"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_dap_is_exported_beside_its_weights_and_reads_pictures_of_any_size(tiny, tmp_path):  # noqa: F811
    add_model(save(tiny, tmp_path / "model.pth"))
    weights = weights_file(find_model("dap"))
    steps = []
    (graph,) = export_onnx("dap", progress=lambda done, total: steps.append(done / total))
    assert graph == weights.with_suffix(".onnx")
    assert steps == sorted(steps)
    assert steps[-1] == 1
    assert graph.stat().st_size < 400_000
    model = Dap(device="cpu", backend="torch")
    network = model._runner.network
    for shape in ((1, 3, 64, 128), (2, 3, 48, 96), (1, 3, 96, 80)):
        says_the_same(graph, network, pictures(*shape))
    rgb = (pictures(64, 128, 3) * 255).to(torch.uint8).numpy()
    other = load_model("dap", device="cpu", backend="onnxruntime")
    assert type(other._runner).__name__ == "OnnxRunner"
    np.testing.assert_allclose(other.predict(rgb).depth, model.predict(rgb).depth, rtol=RELATIVE)

    def cancel(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        other.raw(rgb, progress=cancel)
    remove_model("dap")
    assert not graph.exists()


@pytest.mark.slow
def test_mtpano_is_exported_beside_its_weights_and_says_the_same_on_both_backends(tiny_mtpano, tmp_path):  # noqa: F811
    add_model(save_mtpano(tiny_mtpano, tmp_path / "mtpano_model_140k.pth.tar"), name="mtpano-140k")
    (graph,) = export_onnx("mtpano-140k")
    model = load_model("mtpano-140k", device="cpu", backend="torch")
    says_the_same(graph, model._runner.network, pictures(1, 3, 64, 128))
    other = load_model("mtpano-140k", device="cpu", backend="onnxruntime")
    assert type(other._runner).__name__ == "OnnxRunner"
    rgb = (pictures(64, 128, 3) * 255).to(torch.uint8).numpy()
    ours, theirs = model.predict(rgb), other.predict(rgb)
    np.testing.assert_allclose(theirs.depth, ours.depth, atol=RELATIVE * np.nanmax(ours.depth))
    # A vector of nearly no length may turn a little; most do not.
    assert np.nanmean(np.abs(theirs.normals - ours.normals)) < RELATIVE
    np.testing.assert_array_equal(np.isnan(theirs.normals), np.isnan(ours.normals))
    assert len(np.unique(ours.classes)) > 3
    assert (theirs.classes == ours.classes).mean() > 0.999
    for name, values in model.raw(rgb).items():
        np.testing.assert_allclose(other.raw(rgb)[name], values, atol=RELATIVE * np.abs(values).max())


@pytest.fixture(scope="module")
def click_s():
    return arbitrary(TINY_CLICK_S.build())


def exported(network, part, folder):
    """The graph of one part, and what it stands for."""
    weights = stored(network, folder / "click.safetensors", TINY_CLICK_S.to_metadata())
    (graph,) = (graph for graph in click_s_graphs(network, TINY_CLICK_S.view_size) if graph.part == part)
    return write_graph(graph, weights, graph_file(weights, part)), graph.call


@pytest.mark.slow
def test_click_s_reads_any_number_of_memories(click_s, tmp_path):
    graph, call = exported(click_s, "attention", tmp_path)
    assert graph.name == "click_attention.onnx"
    for batch, frames in ((1, 1), (2, 4)):
        about = [pictures(batch, frames) for _ in range(3)]
        valid = torch.ones(batch, frames, dtype=torch.bool)
        valid[0, 0] = False
        levels = pictures(batch, 32, 4, 4), pictures(batch, 32, 4, 4) + 1
        says_the_same(graph, call, *levels, pictures(batch, frames, 5, 64), *about, valid)


@pytest.mark.slow
def test_click_s_remembers_views_of_any_size(click_s, tmp_path):
    graph, call = exported(click_s, "memory", tmp_path)
    for batch, size in ((1, 4), (3, 6)):
        says_the_same(
            graph, call, pictures(batch, 32, size, size), pictures(batch, 1, 8 * size, 8 * size), pictures(batch)
        )


@pytest.mark.slow
def test_click_s_decodes_any_number_of_clicks(click_s, tmp_path):
    graph, call = exported(click_s, "decoder", tmp_path)
    for batch, size, clicks in ((1, 64, 1), (2, 96, 5)):
        with torch.inference_mode():
            pyramid = click_s.encode(pictures(batch, 3, size, size), torch.ones(batch), torch.ones(batch))
        prior = pictures(batch, 1, size // 2, size // 2) * 8 - 4
        prior[:, :, :4] = torch.nan
        box = torch.tensor([[10.0, 12.0, 40.0, 50.0], [torch.nan] * 4])[:batch]
        signs = torch.tensor([1.0, -1.0, 1.0, 0.0, -1.0])[None, :clicks].expand(batch, -1)
        levels = (pyramid.half, pyramid.quarter, pyramid.eighth, pyramid.body)
        says_the_same(graph, call, *levels, pictures(batch, clicks, 2) * size, signs, box, prior)
    without = pyramid._replace(seen=pyramid.body)
    with torch.inference_mode():
        from core.models.networks.click_prompts import ClickPrompt

        none = ClickPrompt(torch.zeros(batch, 0, 2), torch.zeros(batch, 0), box, prior)
        wanted = click_s.decode(without, none).logits.numpy()
    blank = {"points": np.zeros((batch, 1, 2), np.float32), "signs": np.zeros((batch, 1), np.float32)}
    given = {"box": box.numpy(), "prior": prior.numpy(), **blank}
    given |= {name: getattr(pyramid, name).numpy() for name in ("half", "quarter", "eighth", "body")}
    logits = onnxruntime.InferenceSession(graph).run(["logits"], given)[0]
    assert np.abs(logits - wanted).max() <= RELATIVE * np.abs(wanted).max()


@pytest.mark.slow
def test_the_bundled_click_network_is_exported_in_four_parts(tmp_path):
    written = export_onnx("click-s", tmp_path / "out")
    parts = ("encoder", "decoder", "attention", "memory")
    assert [path.name for path in written] == ["click_s.safetensors", *(f"click_s_{part}.onnx" for part in parts)]
    for path in written[1:]:
        onnx.checker.check_model(str(path), full_check=True)
    network = load_segmenter("click-s", device="cpu", backend="torch")._calls._runner.network
    for size in (128, 256):
        encode = network.encode
        says_the_same(written[1], encode, pictures(2, 3, size, size), torch.ones(2), torch.zeros(2))


def test_a_folder_of_the_users_own_gets_the_graph_and_its_weights(small_weights, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(small_weights, own / "mine.safetensors")
    (own / "mine.json").write_text('{"model": "pano-s"}')
    monkeypatch.setattr("core.models.onnx_export.write_graph", lambda graph, weights, path: path)
    told = []
    written = export_onnx(str(own), tmp_path / "deep/er/theirs.onnx", tell=told.append)
    assert told == [f"{own}: writing graph 1 of 1"]
    assert [path.name for path in written] == ["theirs.safetensors", "theirs.onnx"]
    assert written[0].read_bytes() == (own / "mine.safetensors").read_bytes()
    assert export_onnx(str(own)) == [own / "mine.onnx"]


def test_other_weights_of_the_graphs_name_are_left_alone(tiny, tmp_path):  # noqa: F811
    add_model(save(tiny, tmp_path / "model.pth"))
    others = tmp_path / "out" / "mine.safetensors"
    others.parent.mkdir()
    others.write_bytes(b"the only copy")
    with pytest.raises(ExportError, match="choose another name"):
        export_onnx("dap", others.with_suffix(".onnx"))
    assert others.read_bytes() == b"the only copy"
    assert list(others.parent.iterdir()) == [others]


def test_a_cancelled_export_leaves_no_graph(tiny, tmp_path):  # noqa: F811
    add_model(save(tiny, tmp_path / "model.pth"))

    def cancel(done, total):
        if done > 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        export_onnx("dap", tmp_path / "out", progress=cancel)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_packages_are_named_before_anything_is_written(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelUnavailable, match=f"{package} is not installed; run: pip install onnx onnxscript"):
        export_onnx("pano-s", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_cancelled_ends_and_another_one_follows(small_weights):
    session = open_graph(small_weights.with_suffix(".onnx"), small_weights)
    given = {"rgb": np.zeros((1, 3, 64, 128), np.float32)}
    before = run_graph(session, given)
    assert len(before) == 7
    for ours, theirs in zip(run_graph(session, given), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ModelUnavailable, match="could not run the graph"):
        run_graph(session, {"rgb": np.zeros((1, 3, 64, 64), np.float32)})


def test_a_run_is_cancelled_while_it_goes_on(small_weights, monkeypatch):
    monkeypatch.setattr(graph_runner, "_POLL_S", 0.0)
    session = open_graph(small_weights.with_suffix(".onnx"), small_weights)

    def cancel(done, total):
        raise Cancelled

    before = threading.active_count()
    with pytest.raises(Cancelled):
        run_graph(session, {"rgb": np.zeros((1, 3, 64, 128), np.float32)}, cancel)
    assert threading.active_count() == before
    assert len(run_graph(session, {"rgb": np.zeros((1, 3, 64, 128), np.float32)})) == 7


def test_a_model_that_runs_on_torch_alone_says_so(monkeypatch):
    monkeypatch.setattr(core.models, "MODELS", (replace(find_model("pano-s"), backends=("torch",)),))
    with pytest.raises(ModelUnavailable, match="runs on torch, got the backend onnxruntime"):
        load_model("pano-s", backend="onnxruntime")


@pytest.mark.parametrize(
    ("count", "free", "expected"),
    [("2", 64e9, "OnnxRunner"), ("1", 64e9, "TorchRunner"), ("2", 3e9, "TorchRunner")],
)
def test_a_large_graph_is_taken_unasked_where_it_is_faster_and_fits(
    tiny,  # noqa: F811
    tmp_path,
    monkeypatch,
    count,
    free,
    expected,
):
    add_model(save(tiny, tmp_path / "model.pth"))
    graph_file(weights_file(find_model("dap")), "").write_bytes(b"a graph")
    monkeypatch.setattr("core.models.runners.OnnxRunner", type("OnnxRunner", (), {"__init__": lambda *_: None}))
    monkeypatch.setattr("core.models.runners.available_memory", lambda: free)
    monkeypatch.setenv("OMP_NUM_THREADS", count)
    assert type(Dap(device="cpu")._runner).__name__ == expected
    assert type(Dap(device="cpu", backend="torch")._runner).__name__ == "TorchRunner"


def test_bundled_models_want_a_place(tmp_path):
    with pytest.raises(ModelUnavailable, match="-o FOLDER"):
        export_onnx("pano-s")


def test_a_model_that_cannot_be_exported_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("core.models.onnx_export._KINDS", {"core.models.dap": None})
    with pytest.raises(ModelUnavailable, match="exported to ONNX, dap, got pano-s"):
        export_onnx("pano-s", tmp_path)
