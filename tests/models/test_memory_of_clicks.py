"""Too little memory for click networks and perspective ones, at every stage; and what an Apple GPU lacks."""

import numpy as np
import pytest
import tiny_published
import torch
from safetensors.torch import save_file
from second_device import DEVICE, AppleDevice, FullDevice
from tiny_sam2 import SMALLEST, VIEW, entries_of, save
from torch.utils._pytree import tree_leaves

import core.models.networks.sam2
from core.models.click_s import ClickS, ClickSConfig
from core.models.perspective import Perspective
from core.models.runners import TorchRunner
from core.models.sam2 import sam21_tiny
from core.models.store import add_model
from core.panorama import Panorama
from core.scene import Click
from core.segment.network import MemoryFrame, TellsDetours, ViewPrompt
from core.segment.options import SegmentOptions
from core.segment.session import SegmentSession

SMALL = ClickSConfig(view_size=64, centred_size=32, widths=(8, 16, 16, 32), layers=(1, 1), memory_layers=1)
TOLD = (f"{DEVICE} had too little free memory, so that the model ran on the cpu.",)
LACKING = (f"{DEVICE} cannot do all that the model needs, so that it ran on the cpu.",)
CALLS = ("encode", "attend", "decode", "remember")


@pytest.fixture
def there():
    """The second device exists."""
    with FullDevice() as device:
        yield device


@pytest.fixture(scope="module")
def click_s(tmp_path_factory):
    """Opens a small network on a device."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "click_s.safetensors"
    numbers = {name: value.contiguous() for name, value in SMALL.build().state_dict().items()}
    save_file(numbers, path, metadata=SMALL.to_metadata())
    return lambda device: ClickS(path, device=str(device))


@pytest.fixture
def sam(monkeypatch, tmp_path):
    """Opens a small network of the other kind on a device."""
    pytest.importorskip("transformers")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(core.models.networks.sam2, "TINY", SMALLEST)
    add_model(save(entries_of(), tmp_path / "a.pt"), name="sam2.1-tiny")
    return lambda device: sam21_tiny(device=str(device), view_size=VIEW)


@pytest.fixture(params=["click_s", "sam"])
def opened(request):
    """Opens each kind of click network."""
    return request.getfixturevalue(request.param)


class Asked:
    """A network asked each of its four calls with the same values each time, those of another network."""

    def __init__(self, model):
        size = model.view_size
        self.view = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
        self.prompt = ViewPrompt(np.float32([[size / 3, size / 2]]), np.array([True]))
        self.features = model.encode(self.view)
        self.answer = model.decode(model.attend(self.features, []), self.prompt)
        self.memory = MemoryFrame(self.of(model, "remember"), 1, 0.8, prompted=True)

    def of(self, model, call):
        """What a network says in one of its calls."""
        if call == "encode":
            return model.encode(self.view)
        if call == "attend":
            return model.attend(self.features, [self.memory])
        if call == "decode":
            return model.decode(self.features, self.prompt)
        answer, chosen = self.answer, self.answer.chosen
        pointer = None if answer.pointers is None else answer.pointers[chosen]
        return model.remember(
            self.features, answer.logits[chosen], presence=answer.presence, prompted=True, pointer=pointer
        )


def network_of(model):
    """The torch module behind a model."""
    return getattr(model, "_calls", model)._runner.network


def numbers(said):
    """All arrays of an answer."""
    if hasattr(said, "logits"):
        said = (said.logits, said.quality, np.float32(said.presence), said.chosen)
    return [np.asarray(leaf.float() if torch.is_tensor(leaf) else leaf, np.float32) for leaf in tree_leaves(said)]


def is_same(first, second):
    for one, other in zip(numbers(first), numbers(second), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-2 * max(1e-3, float(np.abs(other).max())))


@pytest.mark.parametrize(
    "call", ["encode", "decode", *(pytest.param(call, marks=pytest.mark.slow) for call in ("attend", "remember"))]
)
def test_a_click_network_goes_on_with_the_cpu_wherever_memory_runs_out(opened, there, call):
    here = opened("cpu")
    asked = Asked(here)
    expected = asked.of(here, call)
    model = opened(DEVICE)
    assert isinstance(model, TellsDetours)
    before = {name: value.to("cpu").clone() for name, value in network_of(model).state_dict().items()}
    asked.of(model, call)  # some of what it needs is kept from then on
    there.count = 0
    is_same(asked.of(model, call), expected)
    assert (model.device, model.told) == (str(DEVICE), ())
    total = there.count
    assert total > 3
    for share in (0.0, 0.4, 0.95):
        there.count, few = 0, round(share * total)
        there.full = lambda number, _result, few=few: number > few
        is_same(asked.of(model, call), expected)
        assert (model.device, model.told) == ("cpu", TOLD)
        there.full = lambda _number, _result: False
        is_same(asked.of(model, call), expected)
        assert model.device == str(DEVICE), "the memory is free again"
    after = {name: value.to("cpu") for name, value in network_of(model).state_dict().items()}
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_network_that_does_not_fit_when_it_is_loaded_is_asked_on_the_cpu(opened, there, monkeypatch):
    here = opened("cpu")
    asked = Asked(here)
    placed = TorchRunner._placed

    def fill(runner, rung):
        there.full = lambda _number, _result: True
        return placed(runner, rung)

    monkeypatch.setattr(TorchRunner, "_placed", fill)
    model = opened(DEVICE)
    is_same(asked.of(model, "encode"), asked.of(here, "encode"))
    assert (model.device, model.told) == ("cpu", TOLD)
    there.full = lambda _number, _result: False


def test_views_that_do_not_fit_together_are_read_in_smaller_batches(click_s, there):
    views = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    fovs = [0.3, 0.5, 0.8, 1.1, 1.5]
    prompts = [ViewPrompt(np.float32([[16, 16]]), np.array([True]))] * 5
    here = click_s("cpu")
    features = here.encode_views(views, fovs, centred=True)
    model = click_s(DEVICE)
    there.full = lambda _number, result: any(leaf.ndim == 4 and leaf.shape[0] > 2 for leaf in tree_leaves(result))
    # Weights are not views: only what has the batch in front is counted.
    counted = there.full
    there.full = lambda number, result: (
        counted(number, result) and any(leaf.ndim == 4 and leaf.shape[0] in (3, 4, 5) for leaf in tree_leaves(result))
    )
    is_same(model.encode_views(views, fovs, centred=True), features)
    for one, other in zip(model.decode_views(features, prompts), here.decode_views(features, prompts), strict=True):
        is_same(one, other)
    assert model.device == str(DEVICE)
    assert model.told == (f"{DEVICE} had too little free memory for several pictures at once.",)


def test_an_object_is_cut_out_though_memory_runs_out_on_the_way(click_s, there, painted_photo):
    panorama = Panorama(painted_photo(64, 128))
    options = SegmentOptions(views=24)
    here = SegmentSession(click_s("cpu"), panorama, options).segment([Click(0.2, 0.1)])
    model = click_s(DEVICE)
    there.count = 0
    there.full = lambda number, _result: number % 700 == 699
    found = SegmentSession(model, panorama, options).segment([Click(0.2, 0.1)])
    there.full = lambda _number, _result: False
    assert model.told == TOLD
    assert (found.mask - here.mask).solid_angle() + (here.mask - found.mask).solid_angle() < 0.02


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a small perspective network."""
    pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("published") / "tiny-dpt"
    tiny_published.write(path, tiny_published.dpt())
    return path


@pytest.fixture
def tiles(folder):
    """Opens it on a device."""
    return lambda device: Perspective(folder / "model.safetensors", device=str(device))


def near(first, second, error):
    known = np.isfinite(first.depth) & np.isfinite(second.depth)
    assert known.mean() > 0.5
    assert np.median(np.abs(first.depth[known] / second.depth[known] - 1)) < error


def test_a_perspective_network_goes_down_the_same_ladder(tiles, there, painted_photo):
    rgb = painted_photo(64, 128)
    here = tiles("cpu").predict(rgb)
    model = tiles(DEVICE)
    there.count = 0
    whole = model.predict(rgb)
    assert (whole.device, whole.notes) == (str(DEVICE), ())
    near(whole, here, 1e-3)

    there.full = lambda _number, result: any(
        leaf.ndim == 4 and leaf.shape[0] == model.network.batch for leaf in tree_leaves(result)
    )
    fewer = model.predict(rgb)
    assert "several pictures at once" in fewer.notes[0]
    assert fewer.device == str(DEVICE)
    near(fewer, here, 1e-3)

    there.full = lambda _number, result: any(
        leaf.dtype == torch.float32 and leaf.ndim == 3 and leaf.numel() > 100 for leaf in tree_leaves(result)
    )
    half = model.predict(rgb)
    assert "half precision" in half.notes[0]
    assert half.device == str(DEVICE)
    near(half, here, 0.2)

    there.full = lambda _number, _result: True
    assert model.predict(rgb).notes == TOLD
    there.full = lambda _number, _result: False
    again = model.predict(rgb)
    assert (again.device, again.notes) == (str(DEVICE), ())
    near(again, whole, 1e-3)


def test_a_perspective_network_that_cannot_be_halved_runs_on_the_cpu(tiles, there, painted_photo):
    model = tiles(DEVICE)

    def full(_number, result):
        leaves = tree_leaves(result)
        if any(leaf.dtype == torch.bfloat16 and leaf.ndim == 3 for leaf in leaves):
            raise RuntimeError("mat1 and mat2 must have the same dtype, but got BFloat16 and Float")
        return any(leaf.dtype == torch.float32 and leaf.ndim == 3 and leaf.numel() > 100 for leaf in leaves)

    there.full = full
    prediction = model.predict(painted_photo(64, 128))
    there.full = lambda _number, _result: False
    assert (prediction.device, prediction.notes) == ("cpu", TOLD)


def test_an_apple_gpu_is_asked_for_no_doubles_by_a_click_network(opened):
    here = opened("cpu")
    asked = Asked(here)
    expected = {call: asked.of(here, call) for call in CALLS}
    with AppleDevice() as device:
        model = opened(DEVICE)
        for call in CALLS:
            is_same(asked.of(model, call), expected[call])
            assert (model.device, model.told) == (str(DEVICE), ())
        device.lacking = (torch.ops.aten.conv2d, torch.ops.aten.convolution)
        is_same(asked.of(model, "encode"), expected["encode"])
        assert (model.device, model.told) == ("cpu", LACKING)


def test_an_apple_gpu_is_asked_for_no_doubles_by_a_perspective_network(tiles, painted_photo):
    with AppleDevice():
        prediction = tiles(DEVICE).predict(painted_photo(64, 128))
    assert (prediction.device, prediction.notes) == (str(DEVICE), ())
