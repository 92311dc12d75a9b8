"""How fast the networks are, how much memory they take, and how near they come to what the machine can multiply."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.models.devices import pick_device
from panoviewer.arguments import UsageError
from panoviewer.benches.measuring import thread_variables
from panoviewer.benches.network_run import MATRIX, MATRIX_ON_GPU, Task
from panoviewer.benches.networks import NETWORKS, Network
from panoviewer.benches.rows import Plan, Row, Sample, Unit, at_least, at_most, sample_of

THREADS = (1, 2)
LEAST_SHARE = 0.55
"""Of the rate of large products that the large transformers are to reach."""
ON_GPU = {"torch": "float32", "bfloat16": "bfloat16", "compiled": "compiled"}
_RATE_ON_GPU = "Of the rate of torch's products of {0} x {0} matrices there, in the same precision."
_RANDOM = "Random weights; the picture is read once."
_FEW = "Random weights; the picture is read once. Measured once or few times where a run takes many seconds."


def measure(plan: Plan, tell: Callable[[str], None], networks: tuple[Network, ...] = NETWORKS) -> Iterator[Row]:
    """Rows on the networks of the catalogue; the plan's width plays no part. A network that cannot be measured is a row
    that says why, and the others follow.
    """
    device = pick_device("auto")
    for network in networks:
        if plan.networks and network.name not in plan.networks:
            continue
        try:
            yield from _network_rows(network, plan, tell, device)
        except UsageError as error:
            yield Row(f"{network.name}: not measured", network.size, THREADS[0], Unit.SECONDS, None, note=str(error))


def _network_rows(network: Network, plan: Plan, tell: Callable[[str], None], device: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="panoviewer-bench-") as folder:
        tell(f"{network.name}: random weights and graphs")
        task = Task("prepare", network.name, folder, repeats=plan.repeats)
        prepared = _process(task, len(THREADS))
        for threads in THREADS:
            tell(f"{network.name}, {threads} threads")
            yield from _rows(network, replace(task, do="run"), threads, prepared)
        if device.startswith("cuda"):
            tell(f"{network.name} on the GPU")
            yield from _gpu_rows(network, replace(task, do="run", device=device), prepared)


def _rows(network: Network, task: Task, threads: int, prepared: dict[str, Any]) -> Iterator[Row]:
    """Seconds beside those of onnxruntime, the peak of the memory, and the share of the rate."""
    rate = _process(Task("rate"), threads)["rate"]
    ours = _process(task, threads)
    theirs, lack = _beside(task, threads, prepared["note"])
    rate = max(rate, _process(Task("rate"), threads)["rate"])
    note = f"{_FEW if network.is_mapped else _RANDOM} {lack}".rstrip()
    for part, found in ours["calls"].items():
        count = prepared["operations"][part]
        took = _sample(found)
        beside = None if theirs is None else _sample(theirs["calls"][part])
        title = f"{network.name} {part}".rstrip()
        yield Row(
            f"{title}, {_operations(count)}", network.size, threads, Unit.SECONDS, took, "onnxruntime", beside,
            note=note,
        )  # fmt: skip
        seconds = took.core if threads == 1 and took.core else took.value
        yield Row(
            f"{title}: share of {_per_second(rate)}",
            network.size,
            threads,
            Unit.SHARE,
            sample_of([count / seconds / rate]),
            goal=at_least(LEAST_SHARE) if network.is_large else None,
            note=f"Of the rate of torch's products of {MATRIX} x {MATRIX} matrices, float32, in the same minutes.",
        )
    peak = None if theirs is None else sample_of([float(theirs["peak"])])
    yield Row(
        f"{network.name}: memory at its peak",
        network.size,
        threads,
        Unit.BYTES,
        sample_of([float(ours["peak"])]),
        "onnxruntime",
        peak,
        goal=at_most(network.peak_goal) if network.peak_goal else None,
        note="Of a process that does nothing else, Python and the library included.",
    )


def _beside(task: Task, threads: int, lack: str) -> tuple[dict[str, Any] | None, str]:
    """What onnxruntime takes, or why nobody knows: that must not cost what was measured with torch."""
    if lack:
        return None, lack
    try:
        return _process(replace(task, backend="onnxruntime"), threads), ""
    except UsageError as error:
        return None, str(error)


def _gpu_rows(network: Network, task: Task, prepared: dict[str, Any]) -> Iterator[Row]:
    """Seconds, share of the rate and the GPU's memory in each precision, beside float32."""
    exact: dict[str, Any] = {}
    for backend, name in ON_GPU.items():
        asked = replace(task, backend=backend)
        try:
            rate = _process(replace(asked, do="rate"), THREADS[-1])["rate"]
            told = _process(asked, THREADS[-1])
        except UsageError as error:
            title = f"{network.name} on the GPU, {name}: not measured"
            yield Row(title, network.size, 1, Unit.SECONDS, None, note=str(error))
            continue
        exact = exact or told
        for part, found in told["calls"].items():
            title = f"{network.name} {part}".rstrip()
            count = prepared["operations"][part]
            beside = None if told is exact else _sample(exact["calls"][part])
            other = "" if told is exact else "float32"
            took = _sample(found)
            what = f"{title} on the GPU, {name}, {_operations(count)}"
            yield Row(what, network.size, 1, Unit.SECONDS, took, other, beside)
            yield Row(
                f"{title} on the GPU, {name}: share of {_per_second(rate)}",
                network.size,
                1,
                Unit.SHARE,
                sample_of([count / took.value / rate]),
                note=_RATE_ON_GPU.format(MATRIX_ON_GPU),
            )
        peak = sample_of([float(told["peak"])])
        yield Row(f"{network.name}: memory on the GPU, {name}", network.size, 1, Unit.BYTES, peak)


def _process(task: Task, threads: int) -> dict[str, Any]:
    """What a process of its own tells.

    Raises:
        UsageError: It failed.
    """
    command = [sys.executable, "-m", "panoviewer.benches.network_run", json.dumps(asdict(task))]
    environment = {**os.environ, **thread_variables(threads)}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise UsageError(f"Measuring {task.network or 'products of matrices'} failed ({task.backend}): {last[0]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _sample(found: dict[str, list[float]]) -> Sample:
    return sample_of(found["wall"], found["core"])


def _per_second(rate: float) -> str:
    return f"{rate / 1e12:.0f} TFLOP/s" if rate >= 1e13 else f"{rate / 1e9:.0f} GFLOP/s"


def _operations(count: float) -> str:
    return f"{count / 1e12:.2f} TFLOP" if count >= 1e11 else f"{count / 1e9:.2f} GFLOP"
