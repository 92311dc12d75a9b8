import hashlib
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import core.models
from core.errors import ModelUnavailable
from core.models import DEFAULT_SEGMENTER, SEGMENTERS, find_segmenter, load_segmenter, weights_file
from core.models.click_s import MAX_BYTES, ClickS, ClickSConfig
from core.models.pano_classes import PanoClasses
from core.models.weights import read_metadata
from core.segment.network import MemoryFrame, ViewPrompt
from core.segment.ranking import ranking_text, read_ranking

SMALL = ClickSConfig(view_size=64, centred_size=32, widths=(8, 16, 16, 32), layers=(1, 1), memory_layers=1)


def _save(config, path):
    torch.manual_seed(0)
    network = config.build()
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path, metadata=config.to_metadata())
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return _save(SMALL, tmp_path_factory.mktemp("weights") / "click_s.safetensors")


@pytest.fixture(scope="module")
def model(weights):
    return ClickS(weights, device="cpu")


def _view(seed, size=64):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)


def _prompt(*clicks, prior=None, box=None):
    points = np.array([click[:2] for click in clicks], np.float32).reshape(-1, 2)
    positive = np.array([click[2] for click in clicks], np.bool_)
    return ViewPrompt(points, positive, box=box, prior=prior)


def test_a_view_is_answered_as_the_protocol_says(model):
    features = model.encode(_view(0))
    answer = model.decode(features, _prompt((20.5, 30.5, True)))
    assert answer.logits.shape == (3, model.answer_size, model.answer_size)
    assert answer.logits.dtype == answer.quality.dtype == np.float32
    assert np.isfinite(answer.logits).all()
    assert answer.quality.shape == (3,)
    assert ((answer.quality >= 0) & (answer.quality <= 1)).all()
    assert answer.chosen == 1
    memory = model.remember(features, answer.logits[1], presence=answer.presence, prompted=True, pointer=None)
    attended = model.attend(features, [MemoryFrame(memory, 1, 0.8, True), MemoryFrame(memory, -3, 1.0, False)])
    again = model.decode(attended, _prompt())
    assert np.isfinite(again.logits).all()
    assert not np.allclose(again.logits, model.decode(features, _prompt()).logits)


def test_features_and_memories_survive_pickling_and_are_arrays(model):
    features = model.encode(_view(0))
    copy = pickle.loads(pickle.dumps(features))
    assert type(copy) is type(features)
    for level, again in zip(features, copy, strict=True):
        np.testing.assert_array_equal(level, again)
    memory = model.remember(features, np.zeros((32, 32), np.float32), presence=1.0, prompted=True, pointer=None)
    assert memory.shape == (2 * 2 + 1, 64)


def test_a_stack_of_views_is_answered_like_each_view_alone(model):
    views = np.stack([_view(seed, 32) for seed in range(3)])
    fovs = [0.3, 0.8, 1.6]
    prompts = [
        _prompt((16, 16, True)),
        _prompt((16, 16, True), (3, 5, False)),
        _prompt(box=(4, 4, 20, 28), prior=np.full((16, 16), 2, np.float32)),
    ]
    together = model.decode_views(model.encode_views(views, fovs, centred=True), prompts)
    for k, answer in enumerate(together):
        alone = model.decode_views(model.encode_views(views[k : k + 1], fovs[k : k + 1], centred=True), prompts[k:][:1])
        np.testing.assert_allclose(answer.logits, alone[0].logits, atol=2e-3)
        np.testing.assert_allclose(answer.quality, alone[0].quality, atol=1e-3)


def test_without_memories_a_view_is_a_first_sight(model):
    features = model.encode(_view(0))
    assert model.attend(features, []) is features


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": _prompt((20, 30, False))},
        {"prompt": _prompt((40, 10, True))},
        {"prompt": _prompt((20, 30, True), (40, 10, False))},
        {"prompt": _prompt((20, 30, True), box=(2, 2, 40, 40))},
        {"prompt": _prompt((20, 30, True), prior=np.full((32, 32), 3, np.float32))},
    ],
)
def test_every_part_of_a_prompt_is_heard(model, change):
    features = model.encode(_view(0))
    plain = model.decode(features, _prompt((20, 30, True)))
    other = model.decode(features, change["prompt"])
    assert np.abs(other.logits - plain.logits).max() > 1e-3


def test_an_unknown_prior_says_nothing(model):
    features = model.encode(_view(0))
    unknown = np.full((32, 32), np.nan, np.float32)
    told = model.decode(features, _prompt((20, 30, True), prior=unknown))
    np.testing.assert_array_equal(told.logits, model.decode(features, _prompt((20, 30, True))).logits)


def test_the_field_of_view_and_where_the_click_is_are_heard(model):
    view = _view(0, 32)[None]
    narrow, wide = (model.encode_views(view, [fov], centred=True) for fov in (0.2, 1.7))
    free = model.encode_views(view, [0.2], centred=False)
    assert np.abs(narrow.seen - wide.seen).max() > 1e-3
    assert np.abs(narrow.seen - free.seen).max() > 1e-3


@pytest.mark.parametrize(
    "views", [np.zeros((1, 40, 40, 3), np.uint8), np.zeros((1, 32, 32, 3), np.float32), np.zeros((32, 32, 3), np.uint8)]
)
def test_views_of_another_kind_are_a_mistake_of_the_caller(model, views):
    with pytest.raises(ValueError, match="expected views"):
        model.encode_views(views, [1.0], centred=False)


@pytest.mark.parametrize("step", ["encode", "decode", "attend", "remember"])
def test_too_little_memory_is_told_in_one_sentence_whatever_was_being_done(model, monkeypatch, step):
    features = model.encode(_view(0))
    answer = model.decode(features, _prompt((20.5, 30.5, True)))
    memory = MemoryFrame(
        model.remember(features, answer.logits[1], presence=1.0, prompted=True, pointer=None), 1, 0.8, True
    )

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(model._calls._runner.network, step, full)
    with pytest.raises(ModelUnavailable, match=r"^This computer has too little free memory .*smaller model\.$"):
        {
            "encode": lambda: model.encode(_view(0)),
            "decode": lambda: model.decode(features, _prompt((20.5, 30.5, True))),
            "attend": lambda: model.attend(features, [memory]),
            "remember": lambda: model.remember(features, answer.logits[1], presence=1.0, prompted=True, pointer=None),
        }[step]()


def test_every_view_has_a_field_of_view(model):
    with pytest.raises(ValueError, match="field of view for each of 2 views"):
        model.encode_views(np.zeros((2, 32, 32, 3), np.uint8), [1.0], centred=False)


def test_the_fingerprint_follows_the_weights(model, weights, tmp_path):
    assert ClickS(weights, device="cpu").fingerprint == model.fingerprint
    tensors = load_file(weights)
    tensors["no_memory"] += 1e-3
    other = tmp_path / "other.safetensors"
    save_file(tensors, other, metadata=read_metadata(weights))
    assert ClickS(other, device="cpu").fingerprint != model.fingerprint


def test_the_description_travels_with_the_weights(model):
    assert model.config == SMALL
    assert (model.view_size, model.answer_size, model.centred_size) == (64, 32, 32)


def test_weights_of_another_network_are_refused_in_a_sentence_with_the_path_last(weights, tmp_path):
    other = tmp_path / "other.safetensors"
    save_file(load_file(weights), other, metadata={"pano_s": "{}"})
    with pytest.raises(ModelUnavailable, match="Expected the weights of click-s") as error:
        ClickS(other, device="cpu")
    assert str(error.value).endswith(str(other))
    save_file(load_file(weights), other, metadata=replace(SMALL, memory_layers=2).to_metadata())
    with pytest.raises(ModelUnavailable, match="lacks"):
        ClickS(other, device="cpu")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"view_size": 1}', ClickSConfig(view_size=100).to_metadata()["click_s"],
     ClickSConfig(widths=(7, 8, 8, 32)).to_metadata()["click_s"], ClickSConfig(layers=(1, 99)).to_metadata()["click_s"],
     ClickSConfig(widths=(8, 8, 8, 40)).to_metadata()["click_s"]],
)  # fmt: skip
def test_a_description_that_makes_no_sense_is_refused(text):
    with pytest.raises(ValueError, match="click-s"):
        ClickSConfig.from_metadata({"click_s": text})


def test_the_network_as_shipped_fits_into_its_limit():
    network = ClickSConfig().build()
    parameters = sum(value.numel() for value in network.parameters())
    assert 2e6 < parameters < 4e6
    assert 4 * parameters < MAX_BYTES


def test_the_catalogue_knows_the_bundled_click_network():
    assert DEFAULT_SEGMENTER == find_segmenter("click-s").name == "click-s"
    with pytest.raises(ModelUnavailable, match=r"click-s.*got pano-s"):
        find_segmenter("pano-s")


def test_a_click_network_is_loaded_by_name(monkeypatch, weights):
    monkeypatch.setattr(core.models.click_s, "weights_file", lambda _spec: weights)
    assert load_segmenter("click-s", device="cpu").view_size == SMALL.view_size
    with pytest.raises(ModelUnavailable, match="auto, cpu, cuda, mps, got tpu"):
        load_segmenter("click-s", device="tpu")


def test_names_of_click_networks_are_unique():
    assert len({spec.name for spec in SEGMENTERS}) == len(SEGMENTERS)


def test_pieces_are_known_by_whom_they_were_learned_from(tmp_path, caplog):
    shipped = weights_file(find_segmenter("click-s"))
    digest = hashlib.sha256(shipped.read_bytes()).hexdigest()
    ranker, rule = read_ranking(shipped.with_name("click_s_ranking.json"), digest)
    # Who changes the bundled dense network learns the rule again.
    assert rule.reads == PanoClasses().fingerprint
    assert ClickS(device="cpu").whole_key != ""

    shutil.copy(shipped, tmp_path / "other.safetensors")
    other = replace(rule, reads="pano-s-of-yesterday")
    (tmp_path / "other_ranking.json").write_text(ranking_text(ranker, digest, other))
    model = ClickS(tmp_path / "other.safetensors", device="cpu")
    assert model.whole_key == ""
    assert "rank --pieces-only" in caplog.text
