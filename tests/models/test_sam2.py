"""The adapter of SAM 2.1: the four calls, raw outputs, what is refused, a whole object on a panorama."""

import pickle
import sys

import numpy as np
import pytest
import torch
from fixture_rule import picture
from tiny_sam2 import SMALLEST, VIEW, entries_of, save, smallest

import core.models.networks.sam2
from core.errors import ModelUnavailable
from core.models import SEGMENTERS, find_segmenter, load_segmenter, weights_file
from core.models.base import RawClickModel
from core.models.networks.sam2 import Masks, chosen_mask, stability
from core.models.sam2 import Sam2, sam21_tiny
from core.models.store import add_model
from core.panorama import Panorama
from core.progress import Cancelled
from core.scene import Click
from core.segment.features import FeatureStore
from core.segment.network import MemoryFrame, ViewPrompt
from core.segment.options import SegmentOptions
from core.segment.session import SegmentSession

__all__ = ["smallest"]
POINT = (50.5, 40.5)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Opens the small network with the numbers of a seed."""

    made = {}

    def open_seed(seed="public"):
        if seed not in made:
            with pytest.MonkeyPatch.context() as patch:
                folder = tmp_path_factory.mktemp("data")
                patch.setenv("XDG_DATA_HOME", str(folder))
                patch.setattr(core.models.networks.sam2, "TINY", SMALLEST)
                add_model(save(entries_of(seed=seed), folder / "a.pt"), name="sam2.1-tiny")
                made[seed] = sam21_tiny(device="cpu", view_size=VIEW)
        return made[seed]

    return open_seed


@pytest.fixture
def model(opened):
    return opened()


def _prompt(*clicks, prior=None, box=None):
    points = np.array([click[:2] for click in clicks], np.float32).reshape(-1, 2)
    return ViewPrompt(points, np.array([click[2] for click in clicks], np.bool_), box=box, prior=prior)


def _remember(model, features, answer, *, prompted, reading=None):
    reading = answer.chosen if reading is None else reading
    return model.remember(
        features,
        answer.logits[reading],
        presence=answer.presence,
        prompted=prompted,
        pointer=answer.pointers[reading],
    )


def test_a_view_is_answered_as_the_protocol_says(model):
    features = model.encode(picture(VIEW, VIEW))
    seen = model.attend(features, [])
    answer = model.decode(seen, _prompt((*POINT, True)))
    assert answer.logits.shape == (4, model.answer_size, model.answer_size)
    assert answer.logits.dtype == answer.quality.dtype == np.float32
    assert np.isfinite(answer.logits).all()
    assert ((answer.quality > 0) & (answer.quality < 1)).all()
    assert answer.chosen == int(answer.quality[:3].argmax())
    memory = _remember(model, features, answer, prompted=True)
    frames = [MemoryFrame(memory, 1, 0.8, prompted=True), MemoryFrame(memory, -3, 1.0, prompted=False)]
    again = model.decode(model.attend(features, frames), _prompt())
    assert np.isfinite(again.logits).all()
    assert not np.allclose(again.logits, model.decode(seen, _prompt()).logits, atol=1e-3)


def test_features_survive_pickling_and_are_arrays(model):
    features = model.encode(picture(VIEW, VIEW))
    copy = pickle.loads(pickle.dumps(features))
    assert type(copy) is type(features)
    for level, again in zip(features, copy, strict=True):
        assert level.dtype == np.float32
        np.testing.assert_array_equal(level, again)


@pytest.mark.parametrize("seed", ["public", "another"])
def test_a_video_is_followed_as_transformers_follows_it(opened, seed):
    from transformers import Sam2VideoInferenceSession

    model = opened(seed)
    network = model._parts.model
    frames = [picture(VIEW, VIEW, frame=number) for number in range(3)]
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    # From 16 pictures on, a video is as long as can be remembered; those that are not asked for are not looked at.
    video = np.zeros((16, 3, VIEW, VIEW), np.float32)
    video[:3] = ((np.stack(frames) / 255 - mean) / deviation).transpose(0, 3, 1, 2)
    session = Sam2VideoInferenceSession(
        video=torch.from_numpy(video), video_height=VIEW, video_width=VIEW, dtype=torch.float32
    )
    slot = session.obj_id_to_idx(1)
    xy = torch.tensor(POINT).view(1, 1, 1, 2) - 0.5
    session.add_point_inputs(slot, 0, {"point_coords": xy, "point_labels": torch.ones(1, 1, 1, dtype=torch.int32)})
    session.obj_with_new_inputs.append(1)
    expected = [network(session, frame_idx=number).pred_masks[0, 0].numpy() for number in range(3)]

    memories = []
    for number, rgb in enumerate(frames):
        features = model.encode(rgb)
        nearest_first = sorted(memories, key=lambda pair: -pair[0])
        known = [MemoryFrame(kept, number - n, 0.0, prompted=n == 0) for n, kept in nearest_first]
        prompt = _prompt((*POINT, True)) if number == 0 else _prompt()
        answer = model.decode(model.attend(features, known), prompt)
        assert answer.presence > 0
        own = answer.logits[answer.chosen]
        assert np.abs(own - expected[number]).max() < (2e-5 if number == 0 else 1e-3)
        assert expected[number].std() > 0.05
        memories.append((number, _remember(model, features, answer, prompted=number == 0)))


def test_a_click_lies_where_it_was_made(model):
    """The network counts pixels from the middle of the first one, a view from its corner."""
    rgb = picture(VIEW, VIEW)
    raw = model.raw_clicked(rgb, np.array([[50.0, 40.0]], np.float32), np.array([True]), None)
    answer = model.decode(model.attend(model.encode(rgb), []), _prompt((50.5, 40.5, True)))
    np.testing.assert_array_equal(answer.logits, raw["low_res_logits"][[1, 2, 3, 0]])
    np.testing.assert_array_equal(answer.quality, raw["iou"][[1, 2, 3, 0]])
    assert answer.presence == raw["object_score_logit"][0]


def test_negative_clicks_boxes_and_earlier_masks_have_a_say(model):
    seen = model.attend(model.encode(picture(VIEW, VIEW)), [])
    size = model.answer_size
    mask = np.where(np.arange(size)[:, None] < size // 2, 8, -8) * np.ones((size, size))
    prompts = {
        "click": _prompt((*POINT, True)),
        "two": _prompt((*POINT, True), (100, 100, True)),
        "negative": _prompt((*POINT, True), (100, 100, False)),
        "box": _prompt(box=(20, 20, 90, 90)),
        "box and click": _prompt((*POINT, True), box=(20, 20, 90, 90)),
        "mask": _prompt((*POINT, True), prior=mask.astype(np.float32)),
    }
    answers = {name: model.decode(seen, prompt).logits for name, prompt in prompts.items()}
    for name, logits in answers.items():
        for other, others in answers.items():
            assert name == other or np.abs(logits - others).max() > 1e-3, (name, other)


def test_a_mask_that_is_known_in_part_or_without_a_click_is_not_given(model):
    seen = model.attend(model.encode(picture(VIEW, VIEW)), [])
    size = model.answer_size
    whole = np.linspace(-50, 50, size * size, dtype=np.float32).reshape(size, size)
    part = whole.copy()
    part[:3] = np.nan
    click = model.decode(seen, _prompt((*POINT, True))).logits
    np.testing.assert_array_equal(model.decode(seen, _prompt((*POINT, True), prior=part)).logits, click)
    nothing = model.decode(seen, _prompt()).logits
    np.testing.assert_array_equal(model.decode(seen, _prompt(prior=whole)).logits, nothing)
    clamped = model.decode(seen, _prompt((*POINT, True), prior=whole.clip(-32, 32))).logits
    np.testing.assert_array_equal(model.decode(seen, _prompt((*POINT, True), prior=whole)).logits, clamped)


def test_an_object_that_is_not_there_is_nowhere(opened, monkeypatch):
    model = opened()
    bias = model._parts.model.mask_decoder.pred_obj_score_head.proj_out.bias
    monkeypatch.setattr(bias, "data", bias.data - 10)
    features = model.encode(picture(VIEW, VIEW))
    answer = model.decode(model.attend(features, []), _prompt((*POINT, True)))
    assert answer.presence < 0
    assert (answer.logits == -1024).all()
    missing = model._parts.model.no_object_pointer[0].detach().numpy()
    assert all((pointer == missing).all() for pointer in answer.pointers)
    gone, there = (
        model.remember(features, answer.logits[0], presence=presence, prompted=True, pointer=answer.pointers[0])
        for presence in (answer.presence, 1.0)
    )
    mark = model._parts.model.occlusion_spatial_embedding_parameter.detach()
    torch.testing.assert_close(gone.tokens.float(), there.tokens.float() + mark, atol=0.1, rtol=0.02)
    assert float(mark.abs().max()) > 0.1


def test_a_clicked_view_is_remembered_for_certain(model):
    features = model.encode(picture(VIEW, VIEW))
    answer = model.decode(model.attend(features, []), _prompt((*POINT, True)))
    certain, guessed = (_remember(model, features, answer, prompted=prompted).tokens for prompted in (True, False))
    assert certain.shape == ((VIEW // 16) ** 2, 64)
    assert certain.dtype == torch.bfloat16
    assert not torch.equal(certain, guessed)


def test_several_clicks_mean_one_mask_unless_it_is_not_stable():
    logits = torch.full((4, 8, 8), -9.0)
    logits[:, :4] = 9.0
    masks = Masks(logits, torch.tensor([0.1, 0.2, 0.9, 0.3]), torch.tensor(1.0), torch.zeros(4, 256))
    assert stability(logits).tolist() == [1, 1, 1, 1]
    assert chosen_mask(masks, 1) == (2, 2)
    assert chosen_mask(masks, 0) == (2, 2)
    assert chosen_mask(masks, 2) == (0, 0)
    logits[0, 4] = 0.0  # neither inside nor outside
    assert chosen_mask(masks, 2) == (2, 0)
    assert stability(torch.full((1, 4, 4), -1.0)).tolist() == [1]


def test_raw_outputs_of_another_size_are_those_of_a_network_of_that_size(model):
    rgb = picture(96, 96)
    points, positive = np.array([[30, 40], [80, 80]], np.float32), np.array([True, False])
    raw = model.raw_clicked(rgb, points, positive, np.array([10, 10, 60, 70], np.float32))
    assert {name: values.shape for name, values in raw.items()} == {
        "low_res_logits": (4, 24, 24), "iou": (4,), "object_score_logit": (1,)}  # fmt: skip
    assert all(values.dtype == np.float32 for values in raw.values())
    assert isinstance(model, RawClickModel)
    before = model.decode(model.attend(model.encode(picture(VIEW, VIEW)), []), _prompt((*POINT, True)))
    assert before.logits.shape[1] == model.answer_size, "the network itself is as it was"


@pytest.mark.parametrize("shape", [(128, 256), (100, 100), (0, 0)])
def test_other_pictures_are_refused(model, shape):
    with pytest.raises(ModelUnavailable, match="square picture whose sides are multiples of 32") as refused:
        model.raw_clicked(np.zeros((*shape, 3), np.uint8), np.zeros((1, 2), np.float32), np.array([True]), None)
    assert "\n" not in str(refused.value)


def test_views_of_another_kind_are_a_callers_mistake(model):
    for view in (np.zeros((64, 64, 3), np.uint8), np.zeros((VIEW, VIEW, 3), np.float32)):
        with pytest.raises(ValueError, match="expected a view"):
            model.encode(view)
    with pytest.raises(ValueError, match="multiple of 32"):
        sam21_tiny(view_size=100)


def test_raw_outputs_can_be_cancelled_between_encoder_and_decoder(model):
    def cancel(done, total):
        if done:
            raise Cancelled

    with pytest.raises(Cancelled):
        model.raw_clicked(picture(64, 64), np.zeros((1, 2), np.float32), np.array([True]), None, progress=cancel)


def test_an_object_is_followed_around_a_panorama_and_views_are_encoded_once(model, tmp_path):
    rgb = np.roll(picture(128, 256), 90, axis=1)
    clicks = [Click(3.1, 0.1), Click(-2.9, 0.6), Click(0.0, 0.0, positive=False)]
    options = SegmentOptions(memories=2)

    def cut():
        store = FeatureStore(tmp_path / "views")
        session = SegmentSession(model, Panorama(rgb), options, store=store, model=model.name)
        found = session.segment(clicks)
        encoded = session.timings.encoded
        while session.encode_next():
            pass
        return found, encoded

    first, encoded = cut()
    assert encoded > 0
    second, again = cut()
    assert again == 0, "features are found on the disk"
    np.testing.assert_array_equal(first.mask.unpack(), second.mask.unpack())
    assert first.model == "sam2.1-tiny"


def test_the_whole_panorama_in_one_picture_is_answered_too(model):
    from core.segment.options import Order

    session = SegmentSession(model, Panorama(picture(128, 256)), SegmentOptions(order=Order.ERP))
    assert 0 <= session.segment([Click(0.2, 0.1)]).score <= 1


def test_without_the_package_there_is_one_sentence(smallest, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "transformers", None)
    # Files are told apart and taken over all the same.
    assert add_model(save(entries_of(), tmp_path / "sam2.1_hiera_tiny.pt")).model == "sam2.1-tiny"
    with pytest.raises(ModelUnavailable, match=r"transformers.*pip install 'panoviewer\[published\]'") as refused:
        load_segmenter("sam2.1-tiny", device="cpu")
    assert "\n" not in str(refused.value)


def test_missing_and_foreign_weights_are_sentences(smallest, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=r"panoviewer models add FILE --as sam2\.1-tiny") as refused:
        load_segmenter("sam2.1-tiny", device="cpu")
    assert str(refused.value).endswith(str(weights_file(find_segmenter("sam2.1-tiny"))))
    entries = entries_of()
    entries["maskmem_tpos_enc"] = torch.zeros(6, 1, 1, 64)
    del entries["no_obj_ptr"]
    with pytest.raises(ModelUnavailable, match="lacks no_obj_ptr"):
        add_model(save(entries, tmp_path / "a.pt"), name="sam2.1-tiny")


def test_sizes_are_told_apart_and_sap_has_to_be_named(smallest, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    entries = entries_of()
    with pytest.raises(ModelUnavailable, match=r"models sam2\.1-tiny, sap-tiny, got .* --as NAME"):
        add_model(save(entries, tmp_path / "checkpoint.pt"))
    assert add_model(tmp_path / "checkpoint.pt", name="sap-tiny").model == "sap-tiny"
    assert load_segmenter("sap-tiny", device="cpu").name == "sap-tiny"
    (tmp_path / "checkpoint.pt").rename(tmp_path / "sam2.1_hiera_tiny.pt")
    assert add_model(tmp_path / "sam2.1_hiera_tiny.pt").model == "sam2.1-tiny"


def test_every_line_of_the_catalogue_can_be_loaded_and_says_where_it_is_from(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    lines = [spec for spec in SEGMENTERS if spec.name.startswith(("sam2.1-", "sap-"))]
    assert len(lines) == 8
    for spec in lines:
        assert spec.source
        assert spec.licence
        with pytest.raises(ModelUnavailable, match=f"Weights for {spec.name} are missing") as refused:
            load_segmenter(spec.name, device="cpu")
        assert ("models pull" in str(refused.value)) == (spec.hub is not None)


def test_fingerprints_differ_with_the_weights(opened):
    assert opened().fingerprint != opened("another").fingerprint
    assert opened().fingerprint.startswith("sam2.1-tiny-")
    assert isinstance(opened(), Sam2)
