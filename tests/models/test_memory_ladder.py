"""Too little memory on a device, at every stage: what is done instead, what is said of it, and that nothing is lost."""

import numpy as np
import pytest
import tiny_mtpano
import torch
from safetensors.torch import save_file
from second_device import DEVICE, FullDevice
from tiny_dap import save, tiny
from torch.utils._pytree import tree_leaves

from core.errors import DeviceFull
from core.models import find_model, weights_file
from core.models.dap import Dap
from core.models.mtpano import Mtpano140k
from core.models.pano_s import PanoS
from core.models.runners import TorchRunner
from core.models.store import add_model
from core.progress import Cancelled

__all__ = ["tiny"]


@pytest.fixture
def added(tiny, tmp_path):
    """The weights of a tiny network, added."""
    add_model(save(tiny, tmp_path / "model.pth"))
    return weights_file(find_model("dap"))


@pytest.fixture
def there():
    """The second device exists."""
    with FullDevice() as device:
        yield device


@pytest.fixture
def rgb(painted_photo):
    return painted_photo(64, 128)


def weights_of(model):
    return {name: tensor.to("cpu").clone() for name, tensor in model._runner.network.state_dict().items()}


def is_same(first, second):
    """To the last digits of full precision, which may differ by where in memory the numbers lie."""
    for one, other in ((first.far, second.far), (np.isnan(first.depth), np.isnan(second.depth))):
        assert (one != other).mean() < 1e-3
    known = ~(np.isnan(first.depth) | np.isnan(second.depth))
    np.testing.assert_allclose(first.depth[known], second.depth[known], rtol=1e-4)


def is_near(first, second):
    known = ~(np.isnan(first.depth) | np.isnan(second.depth))
    assert known.mean() > 0.1
    assert np.median(np.abs(first.depth[known] / second.depth[known] - 1)) < 0.05


def is_whole(result):
    """Whether something of the size of the tokens was made in full precision; rotations always are, and are smaller."""
    return any(leaf.dtype == torch.float32 and leaf.numel() > 32 * 64 for leaf in tree_leaves(result))


STAGES = [0.0, 0.4, 0.99, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.1, 0.7))]


def operations(model, rgb, there):
    """How many there are of one prediction whose network lies on the device already."""
    there.count = 0
    model.predict(rgb)
    return there.count


def test_with_enough_memory_nothing_is_said(added, rgb, there):
    model = Dap(added, device=str(DEVICE))
    prediction = model.predict(rgb)
    assert prediction.notes == ()
    assert prediction.device == str(DEVICE)


@pytest.mark.parametrize("share", STAGES)
def test_too_little_memory_for_full_precision_is_enough_for_half(added, rgb, there, share):
    model = Dap(added, device=str(DEVICE))
    before, whole = weights_of(model), model.predict(rgb)
    begin = round(share * operations(model, rgb, there))
    there.count = 0
    there.full = lambda number, result: number > begin and is_whole(result)
    prediction = model.predict(rgb)
    assert prediction.device == str(DEVICE)
    assert len(prediction.notes) == 1
    assert "half precision" in prediction.notes[0]
    is_near(prediction, whole)
    there.full = lambda _number, _result: False
    is_same(model.predict(rgb), whole)
    assert model.predict(rgb).notes == ()
    after = weights_of(model)
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("share", STAGES)
def test_where_half_precision_does_not_fit_either_the_cpu_is_taken(added, rgb, there, share):
    model = Dap(added, device=str(DEVICE))
    before, whole = weights_of(model), model.predict(rgb)
    begin = round(share * operations(model, rgb, there) / 2)  # within the first of the two passes
    there.count = 0
    there.full = lambda number, _result: number > begin
    prediction = model.predict(rgb)
    assert prediction.device == "cpu"
    assert prediction.notes == (f"{DEVICE} had too little free memory, so that the model ran on the cpu.",)
    there.full = lambda _number, _result: False
    is_same(prediction, Dap(added, device="cpu").predict(rgb))
    again = model.predict(rgb)
    assert again.device == str(DEVICE)
    is_same(again, whole)
    after = weights_of(model)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_memory_that_runs_out_while_half_of_the_network_is_on_its_way_costs_nothing(added, rgb, there):
    model = Dap(added, device=str(DEVICE))
    whole = model.predict(rgb)
    there.full = lambda _number, _result: True
    model.predict(rgb)
    for few in (1, 5, 20, 40):
        there.count = 0
        there.full = lambda number, _result, few=few: number > few
        assert model.predict(rgb).device == "cpu"
    there.full = lambda _number, _result: False
    is_same(model.predict(rgb), whole)


def test_what_is_compared_with_publications_is_never_in_half_precision(added, rgb, there):
    model = Dap(added, device=str(DEVICE))
    there.full = lambda _number, result: is_whole(result)
    raw = model.raw(rgb)
    assert model.device == "cpu"
    there.full = lambda _number, _result: False
    expected = Dap(added, device="cpu").raw(rgb)
    for name, values in expected.items():
        np.testing.assert_allclose(raw[name], values, rtol=1e-4, atol=1e-5)


def test_whoever_has_enough_on_the_way_down_is_heard(added, rgb, there):
    model = Dap(added, device=str(DEVICE))
    whole = model.predict(rgb)
    there.full = lambda _number, _result: True

    def stop(done, total):
        if done / total > 0.2:
            raise Cancelled

    with pytest.raises(Cancelled):
        model.predict(rgb, progress=stop)
    there.full = lambda _number, _result: False
    is_same(model.predict(rgb), whole)


FULL = {
    "of torch": torch.OutOfMemoryError("out of memory"),
    "of the system": MemoryError(),
    "of the allocator": RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_on_the_cpu_there_is_no_half_precision_but_a_sentence(added, rgb, monkeypatch, error):
    model = Dap(added, device="cpu")
    whole = model.predict(rgb)
    seen = []

    def full(pictures):
        seen.append(pictures.dtype)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(model._runner.network, "forward", full)
        with pytest.raises(DeviceFull) as refused:
            model.predict(rgb)
    assert "too little free memory" in str(refused.value)
    assert "choose cpu" not in str(refused.value), "it runs there already"
    assert set(seen) == {torch.float32}
    is_same(model.predict(rgb), whole)


def test_another_error_of_the_network_is_not_taken_for_too_little_memory(added, rgb, monkeypatch):
    model = Dap(added, device="cpu")

    def wrong(_pictures):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(model._runner.network, "forward", wrong)
    with pytest.raises(RuntimeError, match="multiplied"):
        model.predict(rgb)


def test_pictures_that_do_not_fit_together_are_read_one_by_one(small_config, painted_photo, there, tmp_path):
    torch.manual_seed(0)
    weights = {name: tensor.contiguous() for name, tensor in small_config.build().state_dict().items()}
    save_file(weights, tmp_path / "small.safetensors", metadata=small_config.to_metadata())
    photo = painted_photo(64, 128)
    alone = PanoS(tmp_path / "small.safetensors", device="cpu", backend="torch").predict(photo)
    model = PanoS(tmp_path / "small.safetensors", device=str(DEVICE), backend="torch")
    there.full = lambda _number, result: any(leaf.ndim == 4 and leaf.shape[0] > 1 for leaf in tree_leaves(result))
    prediction = model.predict(photo)
    assert prediction.device == str(DEVICE)
    assert "several pictures at once" in prediction.notes[0]
    np.testing.assert_allclose(prediction.depth, alone.depth, rtol=1e-5)


@pytest.mark.parametrize("few", [0, 30])
def test_a_network_that_does_not_even_fit_on_the_device_runs_on_the_cpu(added, there, rgb, monkeypatch, few):
    placed = TorchRunner._placed

    def fill(runner, rung):
        there.count = 0
        there.full = lambda number, _result: number > few
        return placed(runner, rung)

    monkeypatch.setattr(TorchRunner, "_placed", fill)
    model = Dap(added, device=str(DEVICE))
    prediction = model.predict(rgb)
    assert prediction.device == model.device == "cpu"
    assert prediction.notes
    there.full = lambda _number, _result: False


@pytest.mark.slow
def test_mtpano_goes_down_the_same_ladder(there, painted_photo, monkeypatch, tmp_path):
    tiny_mtpano.expect_tiny(monkeypatch, tmp_path)
    add_model(tiny_mtpano.save(tiny_mtpano.entries(), tmp_path / "mtpano.pth.tar"), name="mtpano-140k")
    model = Mtpano140k(device=str(DEVICE))
    rgb = painted_photo(model._height, 2 * model._height)
    whole = model.predict(rgb)
    assert whole.device == str(DEVICE)
    there.full = lambda _number, _result: True
    prediction = model.predict(rgb)
    assert prediction.device == "cpu"
    assert len(prediction.notes) == 1
    there.full = lambda _number, result: any(
        leaf.dtype == torch.float32 and leaf.numel() > 20_000 for leaf in tree_leaves(result)
    )
    half = model.predict(rgb)
    assert "half precision" in half.notes[0]
    assert half.device == str(DEVICE)
    there.full = lambda _number, _result: False
    np.testing.assert_allclose(model.predict(rgb).depth, whole.depth, rtol=1e-4)
