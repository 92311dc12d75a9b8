"""Estimates of seconds and memory: from a rate that is measured once."""

import json
from dataclasses import replace

import pytest

from core.folders import cache_folder
from core.models import expected as module
from core.models import find_model
from core.models.expected import SHARE, expected, matrix_rate


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_rate_is_measured_once_and_remembered(monkeypatch):
    rate = matrix_rate()
    assert 1e8 < rate < 1e15
    monkeypatch.setattr(module, "_measured", lambda: pytest.fail("it was measured again"))
    assert matrix_rate() == rate


def test_seconds_are_operations_over_the_share_of_the_rate(monkeypatch):
    monkeypatch.setattr(module, "_measured", lambda: 1e11)
    spec = replace(find_model("dap"), operations=SHARE * 5e11, peak_bytes=3)
    assert expected(spec).seconds == pytest.approx(5)
    assert expected(spec).peak_bytes == 3
    nothing = expected(replace(spec, operations=0.0, peak_bytes=0))
    assert (nothing.seconds, nothing.peak_bytes) == (None, None)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"a": 1}', b"\xff", b"[" * 50_000, b"1" * 100_000])
def test_a_damaged_memory_is_measured_anew_and_replaced(monkeypatch, content):
    monkeypatch.setattr(module, "_measured", lambda: 2e11)
    cache_folder().mkdir(parents=True)
    (cache_folder() / "matrix_rate.json").write_bytes(content)
    assert matrix_rate() == 2e11
    assert 2e11 in json.loads((cache_folder() / "matrix_rate.json").read_bytes()).values()


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity", '"fast"', "null"])
def test_a_rate_that_cannot_be_is_not_believed(monkeypatch, rate):
    monkeypatch.setattr(module, "_measured", lambda: 2e11)
    matrix_rate()
    path = cache_folder() / "matrix_rate.json"
    key = next(iter(json.loads(path.read_bytes())))
    path.write_text(f"{{{json.dumps(key)}: {rate}}}")
    assert matrix_rate() == 2e11


def test_where_nothing_can_be_remembered_there_is_an_estimate_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_measured", lambda: 2e11)
    (tmp_path / "panoviewer").write_text("a file lies where the folder belongs")
    assert matrix_rate() == 2e11
