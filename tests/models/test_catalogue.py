import re
from importlib import import_module
from importlib.resources import files

import pytest

import core.models
from core.errors import DeviceFull, ModelUnavailable
from core.models import DEFAULT_MODEL, DEVICES, MODELS, ModelSpec, find_model, load_model, weights_file
from core.models.base import Task


class Recorder:
    def __init__(self, device):
        self.device = device


def test_names_are_unique_and_the_default_is_one_of_them():
    names = [spec.name for spec in MODELS]
    assert len(set(names)) == len(names)
    assert DEFAULT_MODEL in names


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_every_entry_points_to_a_class_with_predict_and_says_where_it_is_from(spec):
    module, _, name = spec.entry.partition(":")
    assert callable(getattr(import_module(module), name).predict)
    assert spec.tasks
    assert set(spec.tasks) <= set(Task)
    assert spec.title
    assert spec.source
    assert spec.licence


def test_the_bundled_weights_and_their_card_are_there():
    for name in (find_model("pano-s").weights, "pano_s.json"):
        assert files("resources").joinpath(name).is_file(), name


@pytest.mark.parametrize("device", DEVICES)
def test_a_model_is_loaded_by_name_with_the_device_that_was_asked_for(monkeypatch, device):
    spec = ModelSpec("mine", "Mine", (Task.DEPTH,), f"{__name__}:Recorder", "none", source="here", licence="none")
    monkeypatch.setattr(core.models, "MODELS", (*MODELS, spec))
    assert load_model("mine", device=device).device == device


def test_unknown_names_and_devices_are_sentences_that_name_the_known_ones():
    with pytest.raises(ModelUnavailable, match=r"pano-s.*got nothing-like-it"):
        load_model("nothing-like-it")
    with pytest.raises(ModelUnavailable, match="auto, cpu, cuda, mps, got tpu"):
        load_model("pano-s", device="tpu")


@pytest.mark.parametrize("spec", [*MODELS, *core.models.SEGMENTERS], ids=lambda spec: spec.name)
def test_what_is_not_bundled_says_where_it_lies_or_nothing_and_asks_where_the_licence_forbids(spec):
    if spec.is_bundled:
        assert spec.hub is None
        assert not spec.asks
    elif spec.hub is not None:
        assert len(spec.hub.repo.split("/")) == 2
        assert spec.hub.file
        assert spec.hub.revision
    forbids = re.search(r"non-?commercial|NC|not stated|unknown|no licence", spec.licence)
    assert not forbids or spec.asks, "what forbids or does not say is asked about"


def test_a_model_for_which_there_is_too_little_memory_is_refused_before_it_begins(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(core.models, "available_memory", lambda: 100_000_000)
    with pytest.raises(ModelUnavailable, match="Weights for dap are missing"):
        load_model("dap", device="cpu")
    path = weights_file(find_model("dap"))
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        stream.truncate(1_460_000_000)  # mapped, and no part of what has to be free
    with pytest.raises(DeviceFull, match=r"Expected 610 MB of free memory for the model dap, got 100 MB"):
        load_model("dap", device="cpu")
    monkeypatch.setattr(core.models, "available_memory", lambda: 620_000_000)
    with pytest.raises(ModelUnavailable, match="safetensors"):
        load_model("dap", device="cpu")
    monkeypatch.setattr(core.models, "available_memory", lambda: 1)
    assert load_model("pano-s", device="cpu").predict
