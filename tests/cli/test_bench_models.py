"""Networks are measured one by one in processes of their own, with what they compute beside."""

import json
import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_sam2 import smallest
from torch import nn
from torch.export import Dim

from core.models import find_model, find_segmenter
from core.models.networks.graphs import Graph
from panoviewer import cli
from panoviewer.arguments import UsageError
from panoviewer.benches import models, network_run, networks
from panoviewer.benches.network_run import Task, answer
from panoviewer.benches.networks import NETWORKS, Network, find_network
from panoviewer.benches.report import table
from panoviewer.benches.rows import Plan, Row, Unit, at_least, sample_of

__all__ = ["smallest"]
SIDE = 64


def _graphs(network):
    given = {"rgb": torch.zeros(2, SIDE)}
    return [Graph("half", network, given, ("said",), {"rgb": {0: Dim("batch")}})]


TINY = Network("tiny", "1 x 64", lambda: nn.Linear(SIDE, 32), _graphs, lambda _: {"rgb": [1, SIDE]}, peak_goal=1.0)


@pytest.fixture
def tiny(monkeypatch):
    """Measured in this process."""
    monkeypatch.setattr(network_run, "find_network", lambda name: TINY)
    monkeypatch.setattr(models, "_process", lambda task, threads: answer(task))
    monkeypatch.setattr(network_run, "MATRIX", 64)


def test_a_network_is_measured_on_both_backends_beside_the_rate_of_products(tiny):
    told = []
    rows = list(models.measure(Plan(repeats=2), told.append, networks=(TINY,)))
    assert told == ["tiny: random weights and graphs", "tiny, 1 threads", "tiny, 2 threads"]
    assert [row.unit for row in rows] == [Unit.SECONDS, Unit.SHARE, Unit.BYTES] * 2
    seconds, share, peak = rows[:3]
    assert seconds.task == "tiny half, 0.00 GFLOP"
    assert seconds.other == "onnxruntime"
    assert seconds.found.count == seconds.beside.count == 2
    assert share.found.value > 0
    assert share.goal is None, "goals are about large transformers"
    assert peak.found.value > 1e7
    assert peak.is_met is False
    assert "NO" in table(rows)


def test_without_the_packages_that_export_torch_is_measured_alone(tiny, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    rows = list(models.measure(Plan(repeats=1), lambda what: None, networks=(TINY,)))
    assert all(row.beside is None for row in rows)
    assert "onnxscript is not installed" in rows[0].note


def test_a_network_that_cannot_be_measured_is_a_row_and_the_others_follow(tiny, monkeypatch):
    def process(task, threads):
        if task.network == "broken":
            raise UsageError("Measuring broken failed (torch): too little memory")
        return answer(task)

    monkeypatch.setattr(models, "_process", process)
    broken = replace(TINY, name="broken")
    rows = list(models.measure(Plan(repeats=1), lambda what: None, networks=(broken, TINY)))
    assert [row.task.split()[0] for row in rows] == ["broken:", *["tiny", "tiny", "tiny:"] * 2]
    assert rows[0].found is None
    assert "too little memory" in table(rows)


def test_precisions_of_a_gpu_are_measured_beside_float32(tiny, monkeypatch):
    monkeypatch.setattr(models, "ON_GPU", {"torch": "float32", "bfloat16": "bfloat16"})
    prepared = {"operations": {"half": 2e12}}
    rates = {"torch": 7e9, "bfloat16": 3e9}
    real = models._process
    monkeypatch.setattr(
        models, "_process", lambda task, threads: {"rate": rates[task.backend]} if task.do == "rate" else real(task, 1)
    )
    rows = list(models._gpu_rows(TINY, Task("run", "tiny", _prepared_folder()), prepared))
    assert [row.task for row in rows] == [
        "tiny half on the GPU, float32, 2.00 TFLOP",
        "tiny half on the GPU, float32: share of 7 GFLOP/s",
        "tiny: memory on the GPU, float32",
        "tiny half on the GPU, bfloat16, 2.00 TFLOP",
        "tiny half on the GPU, bfloat16: share of 3 GFLOP/s",
        "tiny: memory on the GPU, bfloat16",
    ]
    assert rows[3].beside == rows[0].found
    share = rows[1].found.value
    assert share == pytest.approx(2e12 / rows[0].found.value / 7e9)


def test_a_precision_that_fails_on_a_gpu_costs_nothing_but_its_own_row(tiny, monkeypatch):
    def process(task, threads):
        if task.backend == "bfloat16":
            raise UsageError("Measuring tiny failed (bfloat16): no compiler")
        return answer(task)

    monkeypatch.setattr(models, "_process", process)
    monkeypatch.setattr(models, "ON_GPU", {"bfloat16": "bfloat16", "torch": "float32"})
    rows = list(models._gpu_rows(TINY, Task("run", "tiny", _prepared_folder()), {"operations": {"half": 2e12}}))
    assert rows[0].task == "tiny on the GPU, bfloat16: not measured"
    assert "no compiler" in table(rows)
    assert [row.found is None for row in rows] == [True, False, False, False]


def test_what_onnxruntime_cannot_run_is_measured_with_torch(tiny, monkeypatch):
    def process(task, threads):
        if task.backend == "onnxruntime":
            raise UsageError("Measuring tiny failed (onnxruntime): too little memory")
        return answer(task)

    monkeypatch.setattr(models, "_process", process)
    seconds, _, peak, *_ = models.measure(Plan(repeats=1), lambda what: None, networks=(TINY,))
    assert seconds.found.value > 0
    assert seconds.beside is None
    assert "onnxruntime" in seconds.note
    assert peak.found.value > 1e7


def test_networks_are_measured_one_by_one_when_only_some_are_wanted(tiny, monkeypatch, capsys):
    both = (replace(TINY, name="pano-s"), replace(TINY, name="dap"))
    monkeypatch.setattr(models, "measure", partial(models.measure, networks=both))
    assert cli.main(["bench", "--network", "dap", "--repeats", "1", "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert group["name"] == "models"
    assert {row["task"].replace(":", " ").split()[0] for row in group["rows"]} == {"dap"}


def test_a_network_that_is_not_known_or_of_another_group_is_refused(capsys):
    for wrong in (["--network", "nonsense"], ["geometry", "--network", "dap"]):
        assert cli.main(["bench", *wrong]) == 2
    said = capsys.readouterr().err
    assert "nonsense" in said
    assert "Only the group models measures networks one by one" in said


def _prepared_folder():
    import tempfile

    folder = tempfile.mkdtemp()
    answer(Task("prepare", "tiny", folder))
    return folder


def test_the_bundled_network_is_measured_at_the_size_of_the_large_ones_too():
    large, usual = (find_network(name).operations()[""] for name in ("pano-s-1024", "pano-s"))
    assert 4 < large / usual < 6, "its attention looks at everything twice over"


@pytest.mark.parametrize("name", ["pano-s", "dap"])
def test_operations_are_those_of_the_catalogue(name):
    counted = sum(find_network(name).operations().values())
    passes = 2
    assert passes * counted == pytest.approx(find_model(name).operations, rel=0.02)


def test_every_call_of_the_click_network_is_asked_and_counted():
    counted = find_network("click-s").operations()
    assert list(counted) == ["encoder", "decoder", "attention", "memory"]
    assert all(math.isfinite(count) and count > 1e6 for count in counted.values())
    assert sum(counted.values()) == pytest.approx(find_segmenter("click-s").operations, rel=0.01)


@pytest.mark.parametrize(
    "size", ["tiny", "small", *(pytest.param(size, marks=pytest.mark.slow) for size in ("base-plus", "large"))]
)
def test_sam_is_measured_in_every_size_and_what_all_sizes_share_once(size):
    counted = find_network(f"sam2.1-{size}").operations()
    spec = find_segmenter(f"sam2.1-{size}")
    encoder = counted.pop("encoder")
    if size == "tiny":
        assert list(counted) == ["decoder", "attention", "memory"]
        assert encoder + sum(counted.values()) == pytest.approx(spec.operations, rel=0.01)
    else:
        assert not counted
        behind = find_segmenter("sam2.1-tiny").operations - find_network("sam2.1-tiny").operations()["encoder"]
        assert encoder == pytest.approx(spec.operations - behind, rel=0.01)


@pytest.mark.slow
def test_all_calls_of_sam_run_on_both_backends(tiny, smallest, monkeypatch):
    monkeypatch.setattr(networks, "_SAM2_VIEW", 128)
    sam = replace(find_network("sam2.1-tiny"), size="128 x 128")
    monkeypatch.setattr(network_run, "find_network", lambda name: sam)
    rows = list(models.measure(Plan(repeats=1), lambda what: None, networks=(sam,)))
    seconds = [row for row in rows if row.unit is Unit.SECONDS and row.threads == 1]
    assert [row.task.split(",")[0] for row in seconds] == [
        f"sam2.1-tiny {part}" for part in ("encoder", "decoder", "attention", "memory")
    ]
    assert all(row.found.value > 0 and row.beside.value > 0 for row in seconds)


def test_goals_are_those_of_the_large_networks():
    assert {network.name: network.peak_goal for network in NETWORKS if network.is_large} == {
        "dap": 2.2e9,
        "mtpano": 3.2e9,
    }
    row = Row("x", "", 1, Unit.SHARE, sample_of([0.6]), goal=at_least(0.55))
    assert row.is_met
    assert ">= 55%" in table([row])
    assert not Row("x", "", 1, Unit.SHARE, sample_of([0.5]), goal=at_least(0.55)).is_met


@pytest.mark.parametrize(
    "network", [one for one in NETWORKS if not one.name.startswith("sam2")], ids=lambda one: one.name
)
def test_a_graph_is_asked_about_sizes_that_it_can_read(network):
    with torch.device("meta"):
        graphs = network.graphs(network.build())
    for graph in graphs:
        for name, shape in network.ask(graph).items():
            free = graph.free.get(name, {})
            fixed = [axis for axis in range(len(shape)) if axis not in free]
            assert [shape[axis] for axis in fixed] == [graph.inputs[name].shape[axis] for axis in fixed]
