"""The command line inside the test's process."""

import pytest
from fake_model import SPEC

import core.models
from panoviewer import cli


@pytest.fixture
def in_process(monkeypatch):
    """The command line inside this process, with the fake model: quick."""
    monkeypatch.setattr(core.models, "MODELS", (SPEC,))
    return lambda *args: cli.main([str(arg) for arg in args])
