"""`panoviewer bench published`: how answers change when the panorama is turned."""

import pytest
import tiny_dap
import tiny_mtpano

from core.models.store import add_model
from panoviewer.benches.published import DIFFERENCES, TURNS, measure
from panoviewer.benches.rows import Plan

dap, mtpano = tiny_dap.tiny, tiny_mtpano.tiny
PLAN = Plan(width=2048, repeats=1)


@pytest.fixture
def rows(dap, mtpano):
    """By task; the networks are tiny, and their weights by the rule."""
    return {row.task: row for row in measure(PLAN, lambda what: None)}


def test_every_turn_has_a_row_for_all_that_a_network_says(rows):
    for turn in TURNS:
        assert f"dap: depth, {turn}" in rows
        for what, unit, _ in DIFFERENCES:
            assert rows[f"mtpano-140k: {what}, {turn}"].unit is unit
    assert all(row.size == "128 x 64" and "by a rule" in row.note for row in rows.values())


def test_rolled_by_half_nothing_changes_but_in_a_single_pass(rows):
    for task in ("dap: depth", "mtpano-140k: normals", "mtpano-140k: classes"):
        row = rows[f"{task}, rolled by 1/2"]
        assert row.found.value < 1e-6
        assert row.beside.value > 1e-3


def test_added_weights_are_taken_where_there_are_some(dap, mtpano, tmp_path):
    add_model(tiny_dap.save(dap, tmp_path / "model.pth"))
    notes = {row.task.partition(":")[0]: row.note for row in measure(PLAN, lambda what: None)}
    assert "dap.safetensors" in notes["dap"]
    assert "by a rule" in notes["mtpano-140k"]
