import json
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from core.errors import ModelUnavailable
from core.models.pano_s import PanoS
from core.models.weights import data_offset, header_digest, load_strictly, read_metadata


@pytest.fixture
def copy(small_weights, tmp_path):
    """The weights and their graph, to be damaged."""
    for suffix in (".safetensors", ".onnx"):
        shutil.copy(small_weights.with_suffix(suffix), tmp_path / f"small{suffix}")
    return tmp_path / "small.safetensors"


def _rewrite(path, change):
    tensors, metadata = load_file(path), read_metadata(path)
    change(tensors)
    save_file(tensors, path, metadata=metadata)


def test_missing_weights_are_told_in_one_sentence_with_the_path_last(tmp_path):
    path = tmp_path / "pano_s.safetensors"
    with pytest.raises(ModelUnavailable, match="got no file") as error:
        PanoS(path)
    assert str(error.value).endswith(str(path))
    assert "\n" not in str(error.value)


def test_a_missing_tensor_is_named(copy):
    _rewrite(copy, lambda tensors: tensors.pop("stem.conv.weight"))
    with pytest.raises(ModelUnavailable, match=r"lacks stem\.conv\.weight"):
        PanoS(copy, device="cpu", backend="torch")


def test_an_unexpected_tensor_is_named(copy):
    _rewrite(copy, lambda tensors: tensors.update(extra=torch.zeros(2)))
    with pytest.raises(ModelUnavailable, match="has in addition extra"):
        PanoS(copy, device="cpu", backend="torch")


def test_a_tensor_of_another_shape_is_named_with_both(copy):
    _rewrite(copy, lambda tensors: tensors.update({"heads.bias": torch.zeros(2)}))
    with pytest.raises(ModelUnavailable, match=r"heads\.bias \(2,\) instead of \(9,\)"):
        PanoS(copy, device="cpu", backend="torch")


def test_a_tensor_that_is_not_finite_is_named(copy):
    _rewrite(copy, lambda tensors: tensors["heads.bias"].fill_(float("nan")))
    with pytest.raises(ModelUnavailable, match=r"not finite in heads\.bias"):
        PanoS(copy, device="cpu", backend="torch")


def test_whole_numbers_instead_of_real_ones_are_named(copy):
    _rewrite(copy, lambda tensors: tensors.update({"heads.bias": torch.zeros(9, dtype=torch.int32)}))
    with pytest.raises(ModelUnavailable, match=r"heads\.bias torch\.int32 instead of torch\.float32"):
        PanoS(copy, device="cpu", backend="torch")


def test_many_differences_are_counted_not_listed(copy):
    _rewrite(copy, lambda tensors: [tensors.pop(name) for name in sorted(tensors)[:10]])
    with pytest.raises(ModelUnavailable, match="and 7 more") as error:
        PanoS(copy, device="cpu", backend="torch")
    assert len(str(error.value)) < 600


def test_a_refused_file_leaves_the_network_as_it_was(copy, small_config):
    network = small_config.build()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    _rewrite(copy, lambda tensors: tensors["heads.bias"].fill_(float("inf")))
    with pytest.raises(ModelUnavailable):
        load_strictly(network, copy)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_half_precision_weights_are_loaded_into_single(copy, small_config):
    _rewrite(copy, lambda tensors: tensors.update({k: v.half() for k, v in tensors.items() if v.is_floating_point()}))
    network = small_config.build()
    load_strictly(network, copy)
    assert network.heads.bias.dtype == torch.float32


def test_a_file_above_the_limit_is_not_opened(copy, small_config):
    with pytest.raises(ModelUnavailable, match="at most 0 MB"):
        load_strictly(small_config.build(), copy, max_bytes=1000)


@pytest.mark.parametrize("backend", ["auto", "torch", "onnxruntime"])
@given(share=st.floats(0, 0.999))
@settings(max_examples=15, deadline=None)
def test_a_truncated_file_is_refused(small_weights, tmp_path_factory, backend, share):
    folder = tmp_path_factory.mktemp("cut")
    whole = small_weights.read_bytes()
    (folder / "small.safetensors").write_bytes(whole[: int(share * len(whole))])
    shutil.copy(small_weights.with_suffix(".onnx"), folder / "small.onnx")
    with pytest.raises(ModelUnavailable):
        PanoS(folder / "small.safetensors", device="cpu", backend=backend)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\x03\x04 a zip", b"\x80\x02}q\x00.", b"\xff" * 64, struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 200_000) + b"[" * 200_000,
        struct.pack("<Q", 72) + json.dumps({"a": {"dtype": "F32", "shape": [9**9], "data_offsets": [0, 4]}})
        .ljust(72).encode() + b"0000",
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable) as error:
        PanoS(path)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(str(path))


def test_a_folder_is_not_a_file_of_weights(tmp_path):
    with pytest.raises(ModelUnavailable):
        PanoS(tmp_path)


def test_an_enormous_header_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "sparse.safetensors"
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", 99 << 20))
        stream.truncate(100 << 20)
    with pytest.raises(ModelUnavailable, match="header of at most 16 MB"):
        read_metadata(path)


def test_the_digest_depends_on_names_and_places_not_on_numbers(copy):
    before = header_digest(copy)
    _rewrite(copy, lambda tensors: tensors["heads.bias"].fill_(3.0))
    assert header_digest(copy) == before
    _rewrite(copy, lambda tensors: tensors.update(extra=torch.zeros(2)))
    assert header_digest(copy) != before


def test_the_data_begin_where_the_format_says(copy):
    content = copy.read_bytes()
    header = json.loads(content[8 : data_offset(copy)])
    begin, end = header["heads.bias"]["data_offsets"]
    stored = np.frombuffer(content[data_offset(copy) :][begin:end], np.float32)
    np.testing.assert_array_equal(stored, load_file(copy)["heads.bias"].numpy())


def test_a_graph_reads_the_numbers_of_the_file_beside_it(copy, painted_photo):
    before = PanoS(copy, backend="onnxruntime").read(painted_photo(64, 128)).camera_height
    _rewrite(copy, lambda tensors: tensors["scene_numbers.bias"].add_(0.5))
    after = PanoS(copy, backend="onnxruntime").read(painted_photo(64, 128)).camera_height
    assert after == pytest.approx(before * np.exp(0.5), rel=1e-4)


def test_a_graph_for_other_weights_is_not_used(copy, caplog):
    _rewrite(copy, lambda tensors: tensors.update({"heads.bias": torch.zeros(9, dtype=torch.float64)}))
    with pytest.raises(ModelUnavailable, match="graph"):
        PanoS(copy, backend="onnxruntime")
    assert type(PanoS(copy, device="cpu")._runner).__name__ == "TorchRunner"
    assert "PyTorch is used instead" in caplog.text


def test_a_broken_graph_is_not_used(copy, caplog):
    copy.with_suffix(".onnx").write_bytes(b"\x08\x01broken")
    with pytest.raises(ModelUnavailable, match="graph"):
        PanoS(copy, backend="onnxruntime")
    assert type(PanoS(copy, device="cpu")._runner).__name__ == "TorchRunner"
    assert "PyTorch is used instead" in caplog.text


def test_a_prediction_on_the_cpu_does_not_import_torch(small_weights):
    code = (
        "import sys, numpy as np; from pathlib import Path; from core.models.pano_s import PanoS;"
        f"PanoS(Path({str(small_weights)!r}), device='cpu').predict(np.zeros((64, 128, 3), np.uint8));"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=280)
