"""Published checkpoints: every form of the same file is read, every difference is named, nothing in them is run."""

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tiny_dap import save, tiny

from core.errors import ModelUnavailable
from core.models.checkpoints import converted, open_checkpoint
from core.models.dap import published_layout
from core.models.networks import dap as networks

__all__ = ["tiny"]
BLOCK = "core.pretrained.model.blocks.0."
ALIAS = "core.pretrained.blocks.0."


def read(path):
    with open_checkpoint(path) as entries:
        state = converted(entries, published_layout(), path)
        return {name: tensor.clone() for name, tensor in state.items()}


def sentence(path):
    with pytest.raises(ModelUnavailable) as refused:
        read(path)
    text = str(refused.value)
    assert "\n" not in text
    assert len(text) < 800
    assert text.endswith(str(path))
    return text


def without_aliases(entries):
    return {name: value for name, value in entries.items() if not name.startswith("core.pretrained.blocks.")}


def only_aliases(entries):
    return {name: value for name, value in entries.items() if not name.startswith("core.pretrained.model.blocks.")}


FORMS = {
    "plain": lambda e, p: save(e, p / "a.pth"),
    "module": lambda e, p: save({f"module.{n}": v for n, v in e.items()}, p / "a.pth"),
    "module twice": lambda e, p: save({f"module.module.{n}": v for n, v in e.items()}, p / "a.pt"),
    "compiled": lambda e, p: save({f"_orig_mod.module.{n}": v for n, v in e.items()}, p / "a.pth"),
    "under model": lambda e, p: save({"model": e, "optimizer": {"state": {0: {}}}, "epoch": 3}, p / "a.pth.tar"),
    "under state_dict": lambda e, p: save({"state_dict": {f"module.{n}": v for n, v in e.items()}}, p / "a.pt"),
    "before 1.6": lambda e, p: save(e, p / "a.pth", _use_new_zipfile_serialization=False),
    "parameters": lambda e, p: save({n: torch.nn.Parameter(v) for n, v in e.items()}, p / "a.pth"),
    "first names": lambda e, p: save(without_aliases(e), p / "a.pth"),
    "second names": lambda e, p: save(only_aliases(e), p / "a.pth"),
    "copies": lambda e, p: save({n: v.clone() for n, v in e.items()}, p / "a.pth"),
    "double": lambda e, p: save({n: v.double() for n, v in e.items()}, p / "a.pth"),
    "other strides": lambda e, p: save({n: v.T.contiguous().T if v.ndim == 2 else v for n, v in e.items()}, p / "a.pt"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_the_same_file_gives_the_same_numbers(tiny, tmp_path, form):
    expected = read(save(tiny, tmp_path / "reference.pth"))
    state = read(form(tiny, tmp_path))
    assert state.keys() == expected.keys() == networks.DapNet(networks.PUBLISHED).state_dict().keys()
    assert all(torch.equal(value, expected[name]) for name, value in state.items())
    assert all(value.dtype == torch.float32 for value in state.values())


def test_a_safetensors_file_gives_the_same_numbers(tiny, tmp_path):
    expected = read(save(tiny, tmp_path / "reference.pth"))
    save_file({f"module.{n}": v.contiguous() for n, v in without_aliases(tiny).items()}, tmp_path / "a.safetensors")
    state = read(tmp_path / "a.safetensors")
    assert all(torch.equal(value, expected[name]) for name, value in state.items())


def test_half_precision_is_read(tiny, tmp_path):
    state = read(save({name: value.half() for name, value in tiny.items()}, tmp_path / "a.pth"))
    np.testing.assert_array_equal(state["second_norm.weight"], tiny["core.pretrained.norm.weight"].half().float())


def test_the_keys_bias_is_masked(tiny, tmp_path):
    state = read(save(tiny, tmp_path / "a.pth"))
    thirds = tiny[f"{BLOCK}attn.qkv.bias"].chunk(3)
    assert torch.equal(state["vit.blocks.0.attention.query_bias"], thirds[0])
    assert torch.equal(state["vit.blocks.0.attention.value_bias"], thirds[2])


def test_a_mask_that_lets_a_bias_of_keys_through_is_refused(tiny, tmp_path):
    for value in (torch.ones(192), torch.full((192,), 0.5)):
        tiny[f"{BLOCK}attn.qkv.bias_mask"] = tiny[f"{ALIAS}attn.qkv.bias_mask"] = value
        assert f"{BLOCK}attn.qkv.bias_mask" in sentence(save(tiny, tmp_path / "a.pth"))


def test_every_entry_is_missed(tiny, tmp_path):
    layout = published_layout()
    path = tmp_path / "a.pth"
    plain = without_aliases(tiny)
    for name in layout.shapes:
        with pytest.raises(ModelUnavailable) as refused:
            converted({other: value for other, value in plain.items() if other != name}, layout, path)
        assert f"lacks {name};" in str(refused.value)


def test_every_entry_of_another_shape_is_named_with_both(tiny, tmp_path):
    layout = published_layout()
    plain = without_aliases(tiny)
    for name, shape in layout.shapes.items():
        with pytest.raises(ModelUnavailable) as refused:
            converted({**plain, name: torch.zeros(*shape, 2)}, layout, tmp_path / "a.pth")
        assert f"{name} {(*shape, 2)} instead of {shape};" in str(refused.value)


def test_an_entry_too_many_is_named(tiny, tmp_path):
    for name, value in (
        ("extra", torch.zeros(2)),
        ("core.pretrained.blocks.99.ls1.gamma", torch.zeros(2)),
        ("epoch", 3),
    ):
        assert f"has in addition {name};" in sentence(save({**tiny, name: value}, tmp_path / "a.pth"))


def test_all_that_differs_is_told_in_one_sentence(tiny, tmp_path):
    plain = without_aliases(tiny)
    missing, reshaped, strange, *_ = plain
    plain[f"{missing}_"] = plain.pop(missing)
    plain |= {reshaped: torch.zeros(7), strange: "text"}
    said = sentence(save(plain, tmp_path / "a.pth"))
    assert (
        f"lacks {missing}, and has in addition {missing}_, and holds something else than numbers in {strange}" in said
    )
    assert f", and has other shapes: {reshaped} (7,) instead of" in said


def test_many_differences_are_counted(tiny, tmp_path):
    fewer = dict(list(without_aliases(tiny).items())[10:])
    assert "and 7 more" in sentence(save(fewer, tmp_path / "a.pth"))


def test_second_names_with_other_numbers_are_refused(tiny, tmp_path):
    tiny[f"{ALIAS}ls1.gamma"] = tiny[f"{ALIAS}ls1.gamma"] + 1
    assert f"two values of one entry: {ALIAS}ls1.gamma and {BLOCK}ls1.gamma" in sentence(save(tiny, tmp_path / "a.pth"))


def test_a_second_name_with_another_shape_is_refused(tiny, tmp_path):
    tiny[f"{ALIAS}ls1.gamma"] = torch.zeros(3)
    assert f"{ALIAS}ls1.gamma" in sentence(save(tiny, tmp_path / "a.pth"))


def test_a_name_with_and_without_a_prefix_is_refused(tiny, tmp_path):
    assert "prefix" in sentence(save({**tiny, "module.core.pretrained.norm.bias": torch.zeros(64)}, tmp_path / "a.pth"))


STRANGE = {
    "text": "abc",
    "number": 3.0,
    "list": [1.0] * 64,
    "sparse": torch.zeros(64).to_sparse(),
    "meta": torch.zeros(64, device="meta"),
    "whole numbers": torch.zeros(64, dtype=torch.int64),
    "complex": torch.zeros(64, dtype=torch.complex64),
    "truth": torch.zeros(64, dtype=torch.bool),
    "not finite": torch.full((64,), float("nan")),
    "infinite": torch.full((64,), float("inf")),
}


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_entry_that_is_no_tensor_of_real_numbers_is_named(tiny, tmp_path, value):
    assert "core.pretrained.norm.bias" in sentence(
        save({**tiny, "core.pretrained.norm.bias": value}, tmp_path / "a.pth")
    )


@pytest.mark.parametrize("content", [[1, 2], "text", 5, None, torch.zeros(3)], ids=type)
def test_a_file_without_tensors_by_name_is_refused(tiny, tmp_path, content):
    sentence(save(content, tmp_path / "a.pth"))


def test_names_of_any_kind_are_told_in_one_line(tiny, tmp_path):
    for name in ("a\nb", "\x1b[31mred", "x" * 100_000, 7, ("a", "b")):
        sentence(save({**tiny, name: torch.zeros(1)}, tmp_path / "a.pth"))


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("form", ["archive", "before 1.6", "pickle", "in the optimizer", "as a key"])
def test_nothing_in_a_file_is_run(tiny, tmp_path, form):
    made, path = tmp_path / "made by the file", tmp_path / "a.pth"
    evil = Runs(made)
    if form == "pickle":
        path.write_bytes(pickle.dumps({**tiny, "extra": evil}))
    elif form == "in the optimizer":
        save({"model": tiny, "optimizer": evil}, path)
    elif form == "as a key":
        save({**tiny, (evil, 1): torch.zeros(1)}, path)
    else:
        save({**tiny, "extra": evil}, path, _use_new_zipfile_serialization=form == "archive")
    assert "nothing in it was run" in sentence(path)
    assert not made.exists()


def test_what_a_file_asks_for_is_named(tiny, tmp_path):
    assert "posix.mkdir" in sentence(save({"extra": Runs(tmp_path / "made")}, tmp_path / "a.pth"))


def test_a_whole_module_is_not_taken(tiny, tmp_path):
    assert "torch.nn.modules.linear.Linear" in sentence(save(torch.nn.Linear(2, 2), tmp_path / "a.pth"))


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused(tiny, tmp_path):
    plain, packed = save(tiny, tmp_path / "plain.pth"), tmp_path / "a.pth"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.namelist():
            target.writestr(entry, source.read(entry))
    assert "unpacks to more" in sentence(packed)


def test_an_archive_that_claims_numbers_that_are_not_in_it_is_refused(tiny, tmp_path):
    plain, cut = save(tiny, tmp_path / "plain.pth"), tmp_path / "a.pth"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(cut, "w") as target:
        for entry in source.namelist():
            content = source.read(entry)
            target.writestr(entry, content[:8] if "/data/" in entry else content)
    sentence(cut)


OTHERS = {
    "empty": b"",
    "text": b"no checkpoint at all",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "bare archive": b"PK\x03\x04",
    "empty archive": b"PK\x05\x06" + bytes(18),
    "pickle of nothing": b"\x80\x02}q\x00.",
    "deep": b"\x80\x02" + b"(" * 20_000 + b".",
    "long": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60),
    "bytes that are claimed": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_a_file_of_another_kind_is_a_sentence(tiny, tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    sentence(path)


def test_what_is_no_file_is_a_sentence(tiny, tmp_path):
    for suffix in (".pth", ".safetensors"):
        sentence(tmp_path / f"missing{suffix}")
        (tmp_path / f"folder{suffix}").mkdir()
        sentence(tmp_path / f"folder{suffix}")
        if hasattr(os, "mkfifo"):
            os.mkfifo(tmp_path / f"pipe{suffix}")
            sentence(tmp_path / f"pipe{suffix}")
    assert ".safetensors" in sentence(tmp_path / "model.h5")


def test_an_enormous_file_is_not_opened(tiny, tmp_path):
    for suffix in (".pth", ".safetensors"):
        with (tmp_path / f"a{suffix}").open("wb") as stream:
            stream.truncate(9 << 30)
        assert "at most" in sentence(tmp_path / f"a{suffix}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A small checkpoint of three tensors in each form, as bytes."""
    folder = tmp_path_factory.mktemp("whole")
    entries = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4), "c": torch.zeros(1, 2)}
    save_file(entries, folder / "a.safetensors")
    save(entries, folder / "a.pth")
    save(entries, folder / "a.pt", _use_new_zipfile_serialization=False)
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def read_or_refuse(folder, suffix, content):
    path = folder / f"a{suffix}"
    path.write_bytes(content)
    try:
        with open_checkpoint(path) as entries:
            return {name: value.numpy() for name, value in entries.items() if isinstance(value, torch.Tensor)}
    except ModelUnavailable as error:
        assert "\n" not in str(error)  # noqa: PT017
        return None


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@settings(max_examples=60)
@given(share=st.floats(0, 0.99))
def test_a_truncated_file_is_refused(whole, tmp_path_factory, suffix, share):
    content = whole[suffix]
    assert read_or_refuse(tmp_path_factory.mktemp("cut"), suffix, content[: int(share * len(content))]) is None


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@settings(max_examples=150)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_and_nothing_else(whole, tmp_path_factory, suffix, data):
    content = bytearray(whole[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    read_or_refuse(tmp_path_factory.mktemp("damaged"), suffix, bytes(content))


NO_ROOM = """
import resource, sys
from pathlib import Path

import torch

from core.errors import DeviceFull
from core.models.weights import load_strictly

path, size = Path(sys.argv[1]), int(sys.argv[2])
with torch.device("meta"):
    network = torch.nn.Linear(8192, 8192, bias=False)
before = resource.getrlimit(resource.RLIMIT_AS)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + size // 2, before[1]))
try:
    load_strictly(network, path)
except DeviceFull as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, before)
load_strictly(network, path)
print("and read")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's here")
def test_weights_for_which_there_is_no_room_are_a_sentence(tmp_path):
    path = tmp_path / "large.safetensors"
    size = 4 * 8192**2
    header = json.dumps({"weight": {"dtype": "F32", "shape": [8192, 8192], "data_offsets": [0, size]}}).encode()
    with path.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.truncate(8 + len(header) + size)
    # In a process of its own: the limit would be one for the threads of all other tests, too.
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, path, str(size)], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    sentence, last = done.stdout.splitlines()
    assert "too little free memory" in sentence
    assert last == "and read"
