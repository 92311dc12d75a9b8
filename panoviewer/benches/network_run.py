"""A process that runs one network and tells how long it took and how much memory: ``python -m`` this, JSON in and out.

Each is measured in one of its own, or the peak of its memory would be that of whatever came before it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from panoviewer.benches.measuring import own_peak
from panoviewer.benches.networks import Network, Shapes, find_network

MATRIX = 2048
"""Side of the square matrices by which the rate of products is measured."""
MATRIX_ON_GPU = 8192
"""The same on a GPU, which smaller ones do not keep busy."""
_PRODUCTS = 6
_ONES = {"valid": np.bool_, "kinds": np.int32, "slots": np.int64}
"""Inputs that are not just numbers."""
Call = Callable[[], object]


@dataclass(frozen=True)
class Task:
    """What a process is to do.

    Attributes:
        do: "prepare" writes weights and graphs; "rate" multiplies matrices as `backend` and `device` say; "run" runs a
            network.
        network: Its name.
        folder: Where weights and graphs lie.
        backend: "torch", "onnxruntime"; "bfloat16" and "compiled" are torch's, too.
        device: Of torch.
        repeats: How often, at most, after once for warming up.
        seconds: After which it is enough.
    """

    do: str
    network: str = ""
    folder: str = ""
    backend: str = "torch"
    device: str = "cpu"
    repeats: int = 5
    seconds: float = 20.0

    @property
    def weights(self) -> Path:
        """The file with the network's random numbers."""
        return Path(self.folder) / f"{self.network}.safetensors"


def answer(task: Task) -> dict[str, Any]:
    """What the process tells."""
    if task.do == "rate":
        return {"rate": _rate(task)}
    network = find_network(task.network)
    if task.do == "prepare":
        return _prepare(network, task.weights)
    calls = _onnx_calls(task.weights) if task.backend == "onnxruntime" else _torch_calls(network, task)
    told = {part: _timed(call, task) for part, call in calls.items()}
    return {"calls": told, "peak": _peak(task.device)}


def _prepare(network: Network, weights: Path) -> dict[str, Any]:
    """Write the network's numbers, and its graphs where that is possible; tell what is asked of each call."""
    import torch
    from safetensors.torch import save_file

    from core.errors import ModelUnavailable
    from core.models.graph_runner import graph_file
    from core.models.onnx_export import check_packages, write_graph

    torch.manual_seed(0)
    net = network.build().eval()
    save_file({name: value.clone().contiguous() for name, value in net.state_dict().items()}, weights)
    graphs = network.graphs(net)
    shapes = {graph.part: network.ask(graph) for graph in graphs}
    weights.with_suffix(".json").write_text(json.dumps(shapes))
    told: dict[str, Any] = {"operations": network.operations(), "note": ""}
    try:
        check_packages()
    except ModelUnavailable as error:
        return told | {"note": str(error)}
    for graph in graphs:
        write_graph(graph, weights, graph_file(weights, graph.part))
    return told


def _given(shapes: Shapes) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    return {
        name: np.ones(shape, _ONES[name]) if name in _ONES else random.random(shape, dtype=np.float32)
        for name, shape in shapes.items()
    }


def _torch_calls(network: Network, task: Task) -> dict[str, Call]:
    import torch

    from core.models.runners import exactly

    net = network.with_weights(task.weights).to(task.device)
    shapes = {graph.part: network.ask(graph) for graph in network.graphs(net)}
    kind = torch.device(task.device).type

    def prepared(module: torch.nn.Module, part: str) -> Call:
        given = [torch.from_numpy(value).to(task.device) for value in _given(shapes[part]).values()]
        run = torch.compile(module) if task.backend == "compiled" else module
        lower = torch.autocast(kind, torch.bfloat16, enabled=task.backend == "bfloat16")

        def call() -> None:
            with torch.inference_mode(), exactly(), lower:
                run(*given)
                if kind == "cuda":
                    torch.cuda.synchronize()

        return call

    return {graph.part: prepared(graph.call, graph.part) for graph in network.graphs(net)}


def _onnx_calls(weights: Path) -> dict[str, Call]:
    """Without torch, as the program runs graphs."""
    from core.models.graph_runner import graph_file, open_graph, run_graph

    shapes: dict[str, Shapes] = json.loads(weights.with_suffix(".json").read_text())

    def prepared(part: str) -> Call:
        session = open_graph(graph_file(weights, part), weights)
        given = _given(shapes[part])
        return lambda: run_graph(session, given)

    return {part: prepared(part) for part in shapes}


def _timed(call: Call, task: Task) -> dict[str, list[float]]:
    started = time.perf_counter()
    call()
    began = time.perf_counter()
    wall: list[float] = []
    core: list[float] = []
    while not wall or (len(wall) < task.repeats and time.perf_counter() - began < task.seconds):
        start, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        core.append(time.process_time() - used)
    return {"wall": wall, "core": core, "first": [began - started]}


def _rate(task: Task) -> float:
    """Floating-point operations a second of torch's products of large matrices: the best of several.

    With one thread they are counted by the seconds on the core, which other programs can hardly lengthen.
    """
    import torch

    is_gpu = torch.device(task.device).type == "cuda"
    side = MATRIX_ON_GPU if is_gpu else MATRIX
    kind = torch.bfloat16 if task.backend == "bfloat16" else torch.float32
    left, right = (torch.rand(side, side, device=task.device, dtype=kind) for _ in range(2))
    clock = time.process_time if torch.get_num_threads() == 1 and not is_gpu else time.perf_counter
    best = float("inf")
    for _ in range(_PRODUCTS):
        start = clock()
        torch.mm(left, right)
        if is_gpu:
            torch.cuda.synchronize()
        best = min(best, clock() - start)
    return 2.0 * side**3 / best


def _peak(device: str) -> int:
    """Bytes at the peak: of the process, or on the GPU."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated())
    # What Linux counts of a process by itself begins with what its caller held.
    most = own_peak()
    if most is not None:
        return most
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(Task(**json.loads(sys.argv[1])))) + "\n")
    sys.stdout.flush()
