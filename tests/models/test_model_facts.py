"""What is told of a model before it is run."""

import pytest
from tiny_dap import save, tiny

from core.models import MODELS, SEGMENTERS, find_model, weights_file
from core.models.facts import catalogue_facts, model_facts
from core.models.store import add_model, verify_model
from core.progress import Cancelled

__all__ = ["tiny"]


@pytest.fixture
def published(tiny, tmp_path):
    return save(tiny, tmp_path / "model.pth")


def stop_after(calls):
    """A progress callback that stops the work at that call."""
    heard = []

    def progress(done, total):
        assert 0 <= done <= total
        heard.append(done / total)
        if len(heard) > calls:
            raise Cancelled

    return progress


def test_every_line_of_the_catalogue_is_told_of():
    assert [facts.spec for facts in catalogue_facts()] == [*MODELS, *SEGMENTERS]
    for facts in catalogue_facts():
        if facts.spec.is_bundled:
            assert facts.state == "bundled"
            assert facts.bytes > 1e6


def test_weights_change_what_is_told(published):
    spec = find_model("dap")
    before = model_facts(spec)
    assert (before.state, before.bytes, before.sha256) == ("missing", None, None)
    card = add_model(published)
    after = model_facts(spec)
    assert (after.state, after.bytes, after.sha256) == ("added", card.weights.bytes, card.weights.sha256)
    assert after.to_json()["file"] == str(weights_file(spec))


@pytest.mark.parametrize("calls", [0, 1, 3, 40])
def test_adding_that_was_cancelled_leaves_what_was_added_before(tiny, published, tmp_path, calls):
    card = add_model(published)
    tiny["core.pretrained.norm.bias"] = tiny["core.pretrained.norm.bias"] + 1
    with pytest.raises(Cancelled):
        add_model(save(tiny, tmp_path / "other.pth"), progress=stop_after(calls))
    assert verify_model("dap") == card
    assert len(list(weights_file(find_model("dap")).parent.iterdir())) == 2


def test_comparing_can_be_cancelled(published):
    add_model(published)
    with pytest.raises(Cancelled):
        verify_model("dap", progress=stop_after(0))
