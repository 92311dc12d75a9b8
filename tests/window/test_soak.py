"""Panorama after panorama in one window: memory is looked at on the way."""

from panoviewer.benches import soak
from panoviewer.benches.rows import Plan


def test_memory_is_told_along_the_way_and_what_it_grew(application, opengl, monkeypatch):
    monkeypatch.setattr(soak, "TURNS", 2)
    told = []
    rows = list(soak.measure(Plan(width=256, repeats=5), told.append))
    assert len(told) == 10
    assert rows[0].found.count == 10
    memory = [row for row in rows if row.task.startswith("memory after")]
    assert [row.task for row in memory] == [f"memory after {n} panoramas" for n in range(1, 11)]
    assert all(row.found.value > 50e6 for row in memory)
    assert rows[-1].found.value == max(0.0, memory[-1].found.value / memory[1].found.value - 1)
