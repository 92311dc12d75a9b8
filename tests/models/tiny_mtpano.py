"""MTPano in a size that runs in milliseconds, with the published files' names."""

from functools import cache

import pytest
import torch
from fixture_rule import checkpoint

from core.models.mtpano_layout import mtpano_layout
from core.models.networks import mtpano as networks
from core.models.networks.vit import ViTConfig

CONFIG = networks.MtpanoConfig(ViTConfig(64, 4), taps=(0, 1, 2, 3), rows=4, features=16, levels=(8, 8, 16, 16))


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """What a published file of that size would hold; the catalogue expects this size, and added weights lie apart."""
    expect_tiny(monkeypatch, tmp_path)
    return entries()


def expect_tiny(patch, folder):
    """Let the catalogue expect this size, and look for added weights in a folder."""
    patch.setattr(networks, "PUBLISHED", CONFIG)
    patch.setenv("XDG_DATA_HOME", str(folder / "data"))


def entries():
    """What a published file of that size would hold."""
    return {name: value.clone() for name, value in _entries().items()}


@cache
def _entries():
    rays, place = networks.places(CONFIG.rows)
    return {**checkpoint(mtpano_layout(CONFIG).shapes, seed="tiny"), "RayDir": rays, "PE": place}


def save(entries, path, *, prefix="", **around):
    """The path of a file that holds these entries, as the published ones do; `around` are what a training keeps."""
    torch.save({"model": {f"{prefix}{name}": value for name, value in entries.items()}, **around}, path)
    return path
