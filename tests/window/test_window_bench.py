"""`panoviewer bench window`: real clouds and a real window, small."""

import pytest

from panoviewer.benches import window as bench
from panoviewer.benches.rows import Plan


def test_points_are_sent_and_every_step_of_the_window_is_timed(application, needs_opengl):
    rows = list(bench.measure(Plan(width=256, repeats=1), lambda what: None))
    assert all(row.found is not None and row.found.value >= 0 for row in rows)
    tasks = [row.task for row in rows]
    assert any("sent to the 3D view" in task for task in tasks)
    for step in ("opening", "looking around", "estimating", "changing layers", "building the cloud", "exporting"):
        assert f"longest block while {step}" in tasks


def test_without_a_screen_the_bench_says_so(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    if not bench.sys.platform.startswith("linux"):
        pytest.skip("only there a screen may be missing")
    (row,) = bench.measure(Plan(width=256, repeats=1), lambda what: None)
    assert row.found is None
    assert "DISPLAY" in row.note
