"""The bundled click network by its graphs: the same answers, faster on a CPU, without torch."""

import shutil

import numpy as np
import pytest

from core.errors import ModelUnavailable
from core.models import find_segmenter, load_segmenter, weights_file
from core.models.click_calls import PARTS, GraphCalls, TorchCalls
from core.models.click_s import ClickS
from core.models.graph_runner import graph_file
from core.segment.network import MemoryFrame, ViewPrompt

BUNDLED = weights_file(find_segmenter("click-s"))


@pytest.fixture(scope="module")
def both():
    return [ClickS(device="cpu", backend=backend) for backend in ("onnxruntime", "torch")]


@pytest.fixture
def copy(tmp_path):
    for path in (BUNDLED, *(graph_file(BUNDLED, part) for part in PARTS)):
        shutil.copy(path, tmp_path)
    return tmp_path / BUNDLED.name


def _views(count, size):
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def _prompt(size, clicks):
    random = np.random.default_rng(clicks)
    points = random.uniform(0, size, (clicks, 2)).astype(np.float32)
    prior = random.normal(0, 4, (size // 2, size // 2)).astype(np.float32) if clicks > 1 else None
    return ViewPrompt(points, np.arange(clicks) % 2 == 0, box=None, prior=prior)


def _alike(one, other):
    spread = max(float(np.std(other.astype(np.float32))), 1e-3)
    assert one.shape == other.shape
    assert one.dtype == other.dtype
    # Features are kept in half precision, of which the last digit may fall on either side.
    assert np.abs(one.astype(np.float32) - other.astype(np.float32)).max() < 2e-2 * spread


@pytest.mark.parametrize(("count", "size"), [(1, 128), (5, 96), (2, 160)])
def test_views_of_any_number_and_size_are_read_alike(both, count, size):
    views, fovs = _views(count, size), np.linspace(0.3, 1.7, count)
    ones, others = (model.encode_views(views, fovs, centred=True) for model in both)
    for one, other in zip(ones, others, strict=True):
        _alike(one, other)


@pytest.mark.parametrize("clicks", [0, 1, 4])
def test_any_number_of_clicks_is_answered_alike(both, clicks):
    features = both[1].encode_views(_views(2, 128), [0.5, 1.0], centred=False)
    prompts = [_prompt(128, clicks), _prompt(128, max(clicks - 1, 0))]
    for one, other in zip(*(model.decode_views(features, prompts) for model in both), strict=True):
        assert np.abs(one.logits - other.logits).max() < 1e-4 * np.abs(other.logits).max()
        np.testing.assert_allclose(one.quality, other.quality, atol=1e-4)
        assert one.presence == pytest.approx(other.presence, abs=1e-3)


def test_what_is_remembered_is_read_alike(both):
    size = both[0].view_size
    features = both[1].encode(_views(1, size)[0])
    logits = np.random.default_rng(0).normal(0, 3, (size // 2, size // 2)).astype(np.float32)
    tokens = [model.remember(features, logits, presence=2.0, prompted=True, pointer=None) for model in both]
    _alike(*tokens)
    memories = [MemoryFrame(tokens[1], 1, 0.8, True), MemoryFrame(tokens[1][::-1].copy(), -2, 1.5, False)]
    for count in (1, 2):
        attended = [model.attend(features, memories[:count]) for model in both]
        assert not np.array_equal(attended[0].body, features.body)
        _alike(attended[0].body, attended[1].body)


def test_graphs_are_taken_where_they_lie_beside_the_weights_and_what_is_kept_tells_by_whom(copy):
    model = ClickS(copy, device="cpu")
    assert isinstance(model._calls, GraphCalls)
    assert model.device == "cpu"
    by_torch = ClickS(copy, device="cpu", backend="torch")
    assert isinstance(by_torch._calls, TorchCalls)
    assert model.fingerprint != by_torch.fingerprint

    graph_file(copy, "memory").unlink()
    assert isinstance(ClickS(copy, device="cpu")._calls, TorchCalls)


def test_graphs_of_other_weights_are_not_run(copy, caplog):
    graph = graph_file(copy, "decoder")
    graph.write_bytes(graph.read_bytes().replace(b"weights_header_sha256", b"weights_header_sha257"))
    assert isinstance(ClickS(copy, device="cpu")._calls, TorchCalls)
    assert "PyTorch is used instead" in caplog.text
    with pytest.raises(ModelUnavailable, match="got one for others; export both again"):
        ClickS(copy, device="cpu", backend="onnxruntime")


def test_a_backend_that_cannot_be_had_is_told_in_a_sentence(copy):
    with pytest.raises(ModelUnavailable, match="runs on the CPU, got device cuda; choose cpu or auto"):
        ClickS(copy, device="cuda", backend="onnxruntime")
    for part in PARTS:
        graph_file(copy, part).unlink()
    with pytest.raises(ModelUnavailable, match="got none; write it with 'panoviewer models export'"):
        ClickS(copy, device="cpu", backend="onnxruntime")
    with pytest.raises(ModelUnavailable, match=r"sam2\.1-tiny runs on torch, got the backend onnxruntime"):
        load_segmenter("sam2.1-tiny", device="cpu", backend="onnxruntime")
