"""Weights that the user adds: taken over, checked, removed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_dap import published, save, tiny

from core.errors import ExportError, ModelUnavailable
from core.io.digest import content_sha256
from core.models import find_model, load_model, models_folder, weights_file
from core.models.networks.sam2 import TINY
from core.models.sam2_layout import sam2_layout
from core.models.store import add_model, card_file, read_card, remove_model, verify_model
from core.models.weights import read_metadata

__all__ = ["published", "tiny"]

ROOT = Path(__file__).resolve().parents[2]


def files():
    folder = models_folder()
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_added_weights_run_without_the_published_file(published):
    before = content_sha256(published)
    card = add_model(published)
    assert content_sha256(published) == before
    published.unlink()
    assert card.model == "dap"
    assert card.source.name == "model.pth"
    assert card.source.sha256 == before
    assert files() == ["dap.json", "dap.safetensors"]
    assert read_metadata(weights_file(find_model("dap"))) == {}
    assert load_model("dap", device="cpu")
    assert verify_model("dap") == card == read_card(find_model("dap"))


def test_added_weights_are_also_a_model_by_their_place(published):
    add_model(published)
    assert find_model(str(models_folder())).entry == find_model("dap").entry


def test_the_model_may_be_named(published):
    assert add_model(published, name="dap").model == "dap"


@pytest.mark.parametrize("name", ["pano-s", "click-s", "nonsense", "", "../dap"])
def test_only_models_whose_weights_are_added_can_be_named(published, name):
    for act in (lambda: add_model(published, name=name), lambda: remove_model(name), lambda: verify_model(name)):
        with pytest.raises(ModelUnavailable, match="dap") as refused:
            act()
        assert "\n" not in str(refused.value)
    assert files() == []


def test_a_file_that_belongs_to_no_model_is_refused(tiny, tmp_path):
    with pytest.raises(ModelUnavailable, match="--as"):
        add_model(save({"a": torch.zeros(2)}, tmp_path / "a.pth"))
    with pytest.raises(ModelUnavailable, match="lacks"):
        add_model(save({"a": torch.zeros(2)}, tmp_path / "a.pth"), name="dap")
    assert files() == []


def test_a_file_of_another_model_is_called_by_its_name(published):
    with pytest.raises(ModelUnavailable, match=r"Expected the weights of sam2\.1-tiny, got those of dap; choose"):
        add_model(published, name="sam2.1-tiny")
    with pytest.raises(ModelUnavailable, match=r"weights of mtpano-140k, got those of dap;"):
        add_model(published, name="mtpano-140k")
    assert files() == []


def test_a_file_of_another_size_is_called_by_its_name(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    # Names and shapes tell enough: no number is looked at.
    entries = {"model": {name: torch.zeros(()).expand(shape) for name, shape in sam2_layout(TINY).shapes.items()}}
    path = save(entries, tmp_path / "a.pt")
    with pytest.raises(ModelUnavailable, match=r"weights of sam2\.1-large, got those of sam2\.1-tiny or sap-tiny;"):
        add_model(path, name="sam2.1-large")
    assert files() == []


def test_a_refused_file_leaves_what_was_added_before(tiny, published, tmp_path):
    card = add_model(published)
    tiny["core.pretrained.norm.bias"] = torch.full((64,), float("nan"))
    with pytest.raises(ModelUnavailable, match="not finite"):
        add_model(save(tiny, tmp_path / "other.pth"))
    assert verify_model("dap") == card


def test_another_file_takes_the_place_of_the_first(tiny, published, tmp_path):
    first = add_model(published)
    tiny["core.pretrained.norm.bias"] = tiny["core.pretrained.norm.bias"] + 1
    second = add_model(save(tiny, tmp_path / "other.pth"))
    assert second.weights.sha256 != first.weights.sha256
    assert verify_model("dap") == second
    assert files() == ["dap.json", "dap.safetensors"]


def killed_while_adding(path, number):
    """A process that takes over weights is killed before it renames its n-th file."""
    code = """
import os, signal, sys
sys.path.insert(0, "tests")
from pathlib import Path
from tiny_dap import CONFIG
from core.models.networks import dap
from core.models.store import add_model
dap.PUBLISHED = CONFIG
rename, left = os.replace, int(sys.argv[2])
def replace(*names):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*names)
os.replace = replace
add_model(Path(sys.argv[1]))
"""
    process = subprocess.run(
        [sys.executable, "-c", code, str(path), str(number)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL, process.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed in another way there")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_whoever_is_killed_while_adding_leaves_the_old_weights_or_the_new_ones_with_their_card(
    tiny, published, tmp_path, number
):
    first = add_model(published)
    tiny["core.pretrained.norm.bias"] = tiny["core.pretrained.norm.bias"] + 1
    other = save(tiny, tmp_path / "other.pth")
    killed_while_adding(other, number)
    left = verify_model("dap")
    assert (left == first) == (number < 3)
    assert left.source.name == ("model.pth" if number < 3 else "other.pth")
    assert load_model("dap", device="cpu")
    add_model(published)
    assert verify_model("dap") == first
    remove_model("dap")
    assert [name for name in files() if not name.endswith(".part")] == []


def test_a_changed_bit_is_noticed(published):
    add_model(published)
    path = weights_file(find_model("dap"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="has changed") as refused:
        verify_model("dap")
    assert str(refused.value).endswith(str(path))


CARDS = {
    "missing": None,
    "empty": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "other fields": b'{"model": "dap", "weights": {"name": "a"}, "source": {}}',
    "another model": b'{"model": "pano-s", "weights": {"name": "", "bytes": 1, "sha256": ""}, '
    b'"source": {"name": "", "bytes": 1, "sha256": ""}}',
    "deep": b"[" * 200_000,
    "not text": b"\xff\xfe",
}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_without_a_card_nothing_can_be_compared(published, card):
    add_model(published)
    path = card_file(find_model("dap"))
    path.unlink() if card is None else path.write_bytes(card)
    assert read_card(find_model("dap")) is None
    with pytest.raises(ModelUnavailable, match="add them again") as refused:
        verify_model("dap")
    assert str(refused.value).endswith(str(path))


def test_removed_weights_are_gone(published):
    size = add_model(published).weights.bytes
    assert remove_model("dap") == size
    assert files() == []
    with pytest.raises(ModelUnavailable):
        remove_model("dap")
    with pytest.raises(ModelUnavailable):
        load_model("dap", device="cpu")


def test_a_folder_that_cannot_be_written_is_a_sentence(published):
    models_folder().parent.parent.mkdir(parents=True)
    models_folder().parent.write_text("a file lies where the folder belongs")
    with pytest.raises(ExportError):
        add_model(published)


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have other folders")
def test_weights_follow_the_users_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "panoviewer" / "models"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert models_folder() == Path.home() / ".local" / "share" / "panoviewer" / "models"


def test_the_card_is_plain_json_for_whoever_looks(published):
    card = add_model(published)
    facts = json.loads(card_file(find_model("dap")).read_text())
    assert facts["weights"] == {"name": "dap.safetensors", "bytes": card.weights.bytes, "sha256": card.weights.sha256}
    assert os.path.getsize(weights_file(find_model("dap"))) == card.weights.bytes
