"""Perspective networks fetched by their names: told first, whole or not at all, taken up, compared, removed."""

import hashlib

import numpy as np
import pytest

pytest.importorskip("transformers")

import tiny_published
from fake_hub import COMMIT, hub

from core.errors import ModelUnavailable
from core.models import load_model
from core.models.base import Task
from core.models.facts import catalogue_facts
from core.models.perspective_folder import cached_folder, own_folder
from core.models.perspective_hub import look_folder, pull_folder
from core.models.store import remove_model, verify_model
from core.progress import Cancelled

__all__ = ["hub"]
NAME = "some-lab/tiny-depth"
README = "---\nlibrary_name: transformers\nlicense: {}\n---\n# A network\nlicense: mit\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Contents of a published folder, by name."""
    folder = tmp_path_factory.mktemp("published")
    tiny_published.write(folder, tiny_published.dpt())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def offered(files, hub, monkeypatch, tmp_path):
    """The server has them; what is fetched lies apart."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    hub.files = {f"{NAME}/{name}": content for name, content in files.items()}
    hub.files |= {f"{NAME}/README.md": README.format("apache-2.0").encode(), f"{NAME}/pytorch_model.bin": b"\x80\x04."}
    return hub


def asked_for(hub):
    return {path.rpartition("/")[2] for method, path, _ in hub.requests if method == "GET"}


def test_licence_size_and_time_are_known_before_the_weights_are_fetched(offered, files):
    offer = look_folder(NAME)
    assert asked_for(offered) == {"config.json", "preprocessor_config.json", "README.md"}
    assert (offer.name, offer.task, offer.licence, offer.asks) == (NAME, Task.DEPTH, "apache-2.0", False)
    assert offer.bytes == len(files["model.safetensors"])
    assert 0 < offer.expected_seconds < 100
    assert not offer.is_here
    assert cached_folder(NAME) is None


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        (README.format("cc-by-nc-4.0"), "cc-by-nc-4.0"),
        ("---\nlicense: other\nlicense_name: own-terms\n---\n", "own-terms"),
        ("license: mit\n", "not stated by the publisher"),
        (None, "not stated by the publisher"),
    ],
)
def test_about_a_licence_that_may_restrict_one_is_asked(offered, head, licence):
    place = f"{NAME}/README.md"
    del offered.files[place]
    if head is not None:
        offered.files[place] = head.encode()
    offer = look_folder(NAME)
    assert (offer.licence, offer.asks) == (licence, True)


def test_a_fetched_network_is_a_model_by_its_name(offered, files):
    steps = []
    folder = pull_folder(look_folder(NAME), progress=lambda done, total: steps.append(done / total))
    assert steps == sorted(steps)
    assert folder == cached_folder(NAME)
    assert {path.name for path in folder.iterdir()} >= {"config.json", "model.safetensors", "README.md"}
    assert "pytorch_model.bin" not in asked_for(offered)
    assert load_model(NAME, device="cpu").predict(np.zeros((32, 64, 3), np.uint8)).model == NAME
    (facts,) = (facts for facts in catalogue_facts() if facts.spec.name == NAME)
    assert (facts.state, facts.spec.licence) == ("added", "apache-2.0")
    assert look_folder(NAME).is_here
    assert verify_model(NAME).weights.sha256 == hashlib.sha256(files["model.safetensors"]).hexdigest()
    with (folder / "model.safetensors").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ModelUnavailable, match="changed since"):
        verify_model(NAME)
    assert remove_model(NAME) > len(files["model.safetensors"])
    assert cached_folder(NAME) is None
    assert not own_folder(NAME).exists()
    with pytest.raises(ModelUnavailable, match="models pull"):
        remove_model(NAME)


def test_a_transfer_that_is_given_up_goes_on_where_it_was(offered, files):
    offered.stalls = 32768
    offer = look_folder(NAME)

    def stop(_done, _total):
        if offered.silent.is_set():
            raise Cancelled

    with pytest.raises(Cancelled):
        pull_folder(offer, progress=stop)
    assert cached_folder(NAME) is None
    offered.release()
    offer = look_folder(NAME)
    assert 0 < offer.arrived <= 32768
    offered.requests.clear()
    pull_folder(offer)
    assert offered.gotten() == [offer.arrived]
    assert (cached_folder(NAME) / "model.safetensors").read_bytes() == files["model.safetensors"]


def test_several_files_of_weights_are_fetched(offered, files, tmp_path):
    network = tiny_published.write(tmp_path / "whole", tiny_published.dpt())
    network.save_pretrained(tmp_path / "parts", max_shard_size="40KB")
    del offered.files[f"{NAME}/model.safetensors"]
    offered.files |= {f"{NAME}/{path.name}": path.read_bytes() for path in (tmp_path / "parts").iterdir()}
    offer = look_folder(NAME)
    assert len(offer.files) > 1
    pull_folder(offer)
    assert load_model(NAME, device="cpu")
    assert verify_model(NAME)


def test_what_is_not_what_was_announced_is_not_added(offered):
    offered.tag = "ab" * 32
    with pytest.raises(ModelUnavailable, match="as the server announces"):
        pull_folder(look_folder(NAME))
    assert cached_folder(NAME) is None


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("model.safetensors", "safetensors"),
        ("config.json", "hf download"),
        ("preprocessor_config.json", "preprocessor"),
    ],
)
def test_what_is_no_network_for_panoramas_is_told_before_anything_large_is_fetched(offered, missing, told):
    del offered.files[f"{NAME}/{missing}"]
    with pytest.raises(ModelUnavailable, match=told) as refused:
        look_folder(NAME)
    assert "\n" not in str(refused.value)
    assert "model.safetensors" not in asked_for(offered)


@pytest.mark.parametrize("name", ["dap", "../x/y", "a/b/c", "", "a/.."])
def test_only_names_of_the_hub_are_asked_for(hub, name):
    with pytest.raises(ModelUnavailable, match="owner/name"):
        look_folder(name)
    assert hub.requests == []


def test_the_version_that_was_fetched_is_the_one_that_was_offered(offered):
    pull_folder(look_folder(NAME))
    assert cached_folder(NAME).name == COMMIT
