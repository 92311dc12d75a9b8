"""SAM 2.1 with a small encoder, in the layout of the published files."""

import pytest
import torch
from fixture_rule import checkpoint

import core.models.networks.sam2
from core.models.networks.sam2 import Sam2Config
from core.models.sam2_layout import sam2_layout

SMALLEST = Sam2Config(width=8, blocks=(1, 1, 2, 1), everywhere=(3,))
VIEW = 128


def entries_of(config=SMALLEST, seed="public"):
    """What a published file would hold."""
    return checkpoint(sam2_layout(config).shapes, seed)


def save(entries, path):
    """A file as it is published."""
    torch.save({"model": entries}, path)
    return path


@pytest.fixture
def smallest(monkeypatch):
    """The catalogue's tiny network is this one."""
    monkeypatch.setattr(core.models.networks.sam2, "TINY", SMALLEST)
