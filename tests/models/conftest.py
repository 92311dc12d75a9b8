"""Weights of pano-s with arbitrary numbers, in a folder like `resources`."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import save_file

from core.models.pano_s import PanoSConfig

SHARED = Path(__file__).resolve().parents[2] / "../shared/data/panoramas"
SMALL = PanoSConfig(("wall", "floor", "sky", "tree"), height=64, widths=(8, 16, 16, 32), layers=2)


def write_random_weights(config, path, *, seed=0):
    """Numbers that make every part of the network matter, also those that start at zero."""
    import torch

    torch.manual_seed(seed)
    network = config.build().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path, metadata=config.to_metadata())
    return network


@pytest.fixture(scope="session")
def small_config():
    """A network small enough to run in milliseconds."""
    return SMALL


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory):
    """Its weights, with a graph beside them."""
    from core.models.networks.graphs import pano_s_graph
    from core.models.onnx_export import write_graph

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    write_graph(pano_s_graph(write_random_weights(SMALL, path), SMALL.height), path)
    return path


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory):
    """Weights of the network as it is shipped, but arbitrary ones; no graph."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    write_random_weights(PanoSConfig(SMALL.class_names), path)
    return path


@pytest.fixture(scope="session")
def bundled_weights():
    """What is shipped."""
    path = Path(__file__).resolve().parents[2] / "resources/pano_s.safetensors"
    if not path.is_file():
        pytest.skip("pano-s has not been trained yet: no resources/pano_s.safetensors")
    return path


@pytest.fixture(scope="session")
def real_photo():
    """Reads a photograph by the beginning of its name."""

    def read(name):
        found = sorted(SHARED.glob(f"{name}*.jpg"))
        if not found:
            pytest.skip(f"needs the photographs of {SHARED}")
        return np.ascontiguousarray(cv2.imread(str(found[0]))[..., ::-1])

    return read


@pytest.fixture(scope="session")
def painted_photo():
    """Makes a picture with something else everywhere, of any height and width."""

    def paint(height, width, seed=0):
        rng = np.random.default_rng(seed)
        coarse = rng.integers(0, 256, (6, 12, 3)).astype(np.float32)
        wrapped = np.concatenate([coarse, coarse[:, :1]], axis=1)
        smooth = cv2.resize(wrapped, (width + 1, height), interpolation=cv2.INTER_LINEAR)[:, :width]
        return np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)

    return paint
