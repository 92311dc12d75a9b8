import numpy as np
import pytest
import torch
from second_device import AppleDevice, SecondDevice, TensorThere

from core.errors import ModelUnavailable
from core.models import devices
from core.models.devices import pick_device
from core.models.pano_s import VIEWS, PanoS


@pytest.fixture
def there():
    with SecondDevice() as device:
        yield device


def test_the_second_device_refuses_tensors_of_the_first(there):
    a = torch.ones(3).to("meta")
    assert isinstance(a + 1, TensorThere)
    np.testing.assert_array_equal((a + a).cpu().numpy(), [2, 2, 2])
    with pytest.raises(RuntimeError, match="one device"):
        a + torch.ones(3)


def test_the_network_runs_wholly_on_a_second_device(small_weights, painted_photo, there):
    rgb = painted_photo(64, 128)
    here = PanoS(small_weights, device="cpu", backend="torch").predict(rgb)
    model = PanoS(small_weights, device="meta")
    crossed = dict(there.copies)
    prediction = model.predict(rgb)
    np.testing.assert_allclose(prediction.depth, here.depth, rtol=1e-5)
    np.testing.assert_allclose(prediction.normals, here.normals, atol=1e-5)
    assert (prediction.classes == here.classes).mean() > 0.999
    # Seven outputs come back, once: all views went in one batch.
    assert there.copies["back"] - crossed["back"] == 7


def test_the_device_is_read_from_the_tensors_that_were_used(small_weights, painted_photo, there):
    model = PanoS(small_weights, device="meta")
    assert model.device == "meta"
    assert model.predict(painted_photo(64, 128)).device == "meta"
    model._runner.network.to("cpu")
    assert model.predict(painted_photo(64, 128)).device == "cpu"


def test_a_batch_gives_what_its_pictures_give_one_by_one(small_weights, painted_photo):
    runner = PanoS(small_weights, device="cpu", backend="torch")._runner
    pictures = np.stack([painted_photo(64, 128, seed) for seed in range(3)]).transpose(0, 3, 1, 2) / np.float32(255)
    together = runner.run(pictures)
    for index in range(3):
        for whole, alone in zip(together, runner.run(pictures[index : index + 1]), strict=True):
            np.testing.assert_allclose(whole[index], alone[0], atol=1e-5)


def test_any_batch_size_gives_the_same_prediction(small_weights, painted_photo):
    rgb = painted_photo(64, 128)
    model = PanoS(small_weights, device="cpu", backend="torch")
    depths = []
    for batch in (1, len(VIEWS), 64):
        model._runner.batch = batch
        depths.append(model.predict(rgb).depth)
    np.testing.assert_allclose(depths[1], depths[0], rtol=1e-5)
    np.testing.assert_array_equal(depths[1], depths[2])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_another_number_type_runs_and_comes_back_as_float32(small_weights, painted_photo, dtype):
    rgb = painted_photo(64, 128)
    model = PanoS(small_weights, device="cpu", backend="torch")
    single = model.predict(rgb)
    model._runner.network.to(dtype)
    other = model.predict(rgb)
    assert other.depth.dtype == other.normals.dtype == np.float32
    tolerance = 1e-4 if dtype == torch.float64 else 0.1
    assert np.nanmedian(np.abs(other.depth / single.depth - 1)) < tolerance


def test_too_little_memory_is_told_in_one_sentence(small_weights, painted_photo, monkeypatch):
    model = PanoS(small_weights, device="cpu", backend="torch")

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(model._runner.network, "forward", full)
    with pytest.raises(ModelUnavailable, match=r"^This computer has too little free memory .*smaller model\.$"):
        model.predict(painted_photo(64, 128))


def test_the_stand_in_for_an_apple_gpu_has_no_doubles_and_lacks_what_is_named():
    with AppleDevice(torch.ops.aten.relu):
        ones = torch.ones(3).to("meta")
        np.testing.assert_array_equal((ones + 1).cpu().numpy(), [2, 2, 2])
        with pytest.raises(TypeError, match="float64"):
            ones.double()
        with pytest.raises(NotImplementedError, match="relu"):
            ones.relu()


def test_an_apple_gpu_is_asked_for_nothing_that_it_lacks(small_weights, painted_photo):
    rgb = painted_photo(64, 128)
    here = PanoS(small_weights, device="cpu", backend="torch").predict(rgb)
    with AppleDevice():
        there = PanoS(small_weights, device="meta").predict(rgb)
    assert (there.device, there.notes) == ("meta", ())
    np.testing.assert_allclose(there.depth, here.depth, rtol=1e-5)


def test_an_operation_that_an_apple_gpu_lacks_is_done_on_the_cpu_and_told(small_weights, painted_photo):
    rgb = painted_photo(64, 128)
    here = PanoS(small_weights, device="cpu", backend="torch").predict(rgb)
    with AppleDevice(torch.ops.aten.conv2d, torch.ops.aten.convolution) as device:
        model = PanoS(small_weights, device="meta")
        there = model.predict(rgb)
        assert there.device == model.device == "cpu"
        assert there.notes == ("meta cannot do all that the model needs, so that it ran on the cpu.",)
        device.lacking = ()
        assert model.predict(rgb).device == "meta"
    np.testing.assert_allclose(there.depth, here.depth, rtol=1e-5)


def test_auto_takes_the_cpu_without_importing_torch_where_there_is_no_driver(monkeypatch):
    monkeypatch.setattr(devices, "_has_nvidia_driver", lambda: False)
    monkeypatch.setattr(devices, "_is_apple", lambda: False)
    for name in ("_cuda_works", "_mps_works"):
        monkeypatch.setattr(devices, name, lambda: pytest.fail("torch was asked"))
    assert pick_device("auto") == "cpu"


@pytest.mark.parametrize(("works", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_a_gpu_only_if_it_computes(monkeypatch, works, expected):
    monkeypatch.setattr(devices, "_has_nvidia_driver", lambda: True)
    monkeypatch.setattr(devices, "_cuda_works", lambda: works)
    monkeypatch.setattr(devices, "_is_apple", lambda: False)
    assert pick_device("auto") == expected


@pytest.mark.parametrize(
    ("nvidia", "apple", "computes", "expected"),
    [(True, True, True, "cuda"), (False, True, True, "mps"), (False, True, False, "cpu"), (False, False, True, "cpu")],
)
def test_auto_takes_cuda_before_mps_before_the_cpu(monkeypatch, nvidia, apple, computes, expected):
    monkeypatch.setattr(devices, "_has_nvidia_driver", lambda: nvidia)
    monkeypatch.setattr(devices, "_cuda_works", lambda: nvidia)
    monkeypatch.setattr(devices, "_is_apple", lambda: apple)
    monkeypatch.setattr(devices, "_mps_works", lambda: computes)
    assert pick_device("auto") == expected


def test_an_apple_gpu_that_is_not_there_is_told_in_one_sentence(monkeypatch):
    devices._mps_works.cache_clear()
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for choice in ("mps", "mps:0"):
        with pytest.raises(ModelUnavailable, match=f"^Device {choice} was asked for.*Apple GPU.*choose cpu or auto"):
            pick_device(choice)
    devices._mps_works.cache_clear()


def test_an_apple_gpu_that_cannot_compute_is_not_taken(monkeypatch):
    devices._mps_works.cache_clear()
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)

    def ones(*_, **__):
        raise RuntimeError("PyTorch is not linked with support for mps devices")

    monkeypatch.setattr(torch, "ones", ones)
    assert not devices._mps_works()
    devices._mps_works.cache_clear()


def test_a_gpu_that_is_not_there_is_told_in_one_sentence(monkeypatch):
    monkeypatch.setattr(devices, "_cuda_works", lambda: False)
    for choice in ("cuda", "cuda:1"):
        with pytest.raises(ModelUnavailable, match=f"^Device {choice} was asked for.*choose cpu or auto"):
            pick_device(choice)
    assert pick_device("cpu") == "cpu"


def test_a_gpu_too_old_for_the_build_is_not_taken(monkeypatch):
    devices._cuda_works.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def ones(*_, **__):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch, "ones", ones)
    assert not devices._cuda_works()
    devices._cuda_works.cache_clear()


def test_a_device_that_torch_does_not_know_is_told_in_one_sentence(small_weights):
    with pytest.raises(ModelUnavailable, match=r"^Device abacus cannot be used"):
        PanoS(small_weights, device="abacus")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_real_gpu_says_what_the_cpu_says(small_weights, painted_photo):
    rgb = painted_photo(128, 256)
    here, there = (PanoS(small_weights, device=name, backend="auto").predict(rgb) for name in ("cpu", "cuda"))
    assert there.device.startswith("cuda")
    assert np.nanpercentile(np.abs(there.depth / here.depth - 1), 99) < 1e-2
