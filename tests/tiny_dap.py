"""Depth Any Panoramas in a size that runs in milliseconds, with the published file's names."""

import pytest
import torch
from fixture_rule import checkpoint

import core.models.dap
from core.models.networks import dap as networks
from core.models.networks.vit import ViTConfig

CONFIG = networks.DapConfig(ViTConfig(64, 4), taps=(0, 1, 2, 3), levels=(8, 8, 16, 16), features=16, height=64)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """What a published file of that size would hold; the catalogue expects this size, and added weights lie apart."""
    monkeypatch.setattr(networks, "PUBLISHED", CONFIG)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    layout = core.models.dap.published_layout()
    shapes = dict(layout.shapes) | {alias: layout.shapes[name] for alias, name in layout.aliases.items()}
    return checkpoint(shapes, seed="tiny")


@pytest.fixture
def published(tiny, monkeypatch, tmp_path):
    """Such a file, as training on several devices names its entries; what is chosen lies apart, too."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return save({f"module.{name}": value for name, value in tiny.items()}, tmp_path / "model.pth")


def save(entries, path, **options):
    """The path of a file that holds these entries."""
    torch.save(entries, path, **options)
    return path
