"""Graphs of networks, and how ONNX Runtime runs them on the CPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnavailable
from core.models.weights import header_digest
from core.progress import Progress, silent

Maps = tuple[NDArray[np.float32], ...]
"""What a network says, in the order of its outputs."""
_POLL_S = 0.1
"""How often somebody is asked whether a graph is to run on; nothing is known of how far it is."""
GRAPH_SUFFIX = ".onnx"
DIGEST_KEY = "weights_header_sha256"
"""Where a graph says which file of weights it reads its numbers from."""


def graph_file(place: Path, part: str) -> Path:
    """The file of one part of a network, beside weights or another file of its name.

    Args:
        place: Any file of that name.
        part: Which of several; empty for a network of one.
    """
    return place.with_name(f"{place.stem}_{part}{GRAPH_SUFFIX}" if part else f"{place.stem}{GRAPH_SUFFIX}")


class OnnxRunner:
    """Runs a graph whose numbers lie in the safetensors file beside it; a batch of one, on the CPU.

    Needs no torch, whose import takes longer than a small network runs. Takes as many threads as torch would: what
    OMP_NUM_THREADS says, else all cores.

    Args:
        graph: The ONNX file, in the folder of the weights that it names.
        weights: The safetensors file.

    Raises:
        ModelUnavailable: One of the files is missing or broken, or the graph was made for other weights.
    """

    device = "cpu"
    batch = 1
    notes: tuple[str, ...] = ()

    def __init__(self, graph: Path, weights: Path) -> None:
        self._session: Any = open_graph(graph, weights)
        self._input: str = self._session.get_inputs()[0].name
        self._progress: Progress = silent

    def run(self, batch: NDArray[np.float32], *, may_halve: bool = False) -> Maps:  # noqa: ARG002 - of a GPU
        """See `core.models.runners.Runner`."""
        if len(batch) != 1:
            raise ValueError(f"the graph takes one picture at a time, got {len(batch)}")
        return run_graph(self._session, {self._input: np.ascontiguousarray(batch)}, self._progress)

    @contextmanager
    def watched(self, progress: Progress) -> Iterator[None]:
        """See `core.models.runners.Runner`; how far a graph is, it does not tell."""
        progress(0, 1)
        self._progress = progress
        try:
            yield
        finally:
            self._progress = silent
        progress(1, 1)


def open_graph(graph: Path, weights: Path, *, batch: int | None = 1) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """A session of onnxruntime.

    Args:
        graph: The ONNX file, in the folder of the weights that it names.
        weights: The safetensors file.
        batch: How many pictures it gets at once; None where that differs.

    Raises:
        ModelUnavailable: One of the files is missing or broken, or the graph was made for other weights.
    """
    import onnxruntime

    digest = header_digest(weights)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads()
    # Threads that wait for work leave their core to others: between two runs there is other work for it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if batch is not None:
        # Otherwise it is not known when the graph is opened, and less is folded.
        options.add_free_dimension_override_by_name("batch", batch)
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own exceptions share no base class
        raise ModelUnavailable(
            f"Expected an ONNX graph beside its weights, got {type(error).__name__}; install it again: {graph}"
        ) from error
    if session.get_modelmeta().custom_metadata_map.get(DIGEST_KEY) != digest:
        raise ModelUnavailable(
            f"Expected an ONNX graph made for these weights, got one for others; export both again: {graph}"
        )
    return session


def run_graph(session: Any, given: dict[str, NDArray[Any]], progress: Progress = silent) -> Maps:  # noqa: ANN401
    """The outputs of a session in their order.

    Args:
        session: Of `open_graph`.
        given: Inputs by name.
        progress: Called every now and then without knowing how far it is; may raise `Cancelled`, which ends the run.

    Raises:
        ModelUnavailable: The runtime could not do it, for want of memory for instance.
    """
    import onnxruntime

    answers: list[Sequence[NDArray[np.float32]]] = []
    failures: list[Exception] = []
    options = onnxruntime.RunOptions()

    def run() -> None:
        try:
            answers.append(session.run(None, given, options))
        except Exception as error:  # the runtime's own exceptions share no base class
            failures.append(error)

    # Not `run_async`: its answer comes from a thread of the session's own, which ends after that. A session that is
    # freed meanwhile waits for that thread, which waits for Python.
    thread = threading.Thread(target=run, name="graph")
    thread.start()
    try:
        # Asked at least once, however fast the graph is.
        progress(0, 1)
        thread.join(_POLL_S)
        while thread.is_alive():
            progress(0, 1)
            thread.join(_POLL_S)
    except BaseException:
        options.terminate = True
        thread.join()
        raise
    if failures:
        raise ModelUnavailable(f"ONNX Runtime could not run the graph ({str(failures[0]).splitlines()[0]}).")
    return tuple(answers[0])


def threads() -> int:
    """On how many threads a graph runs: what OMP_NUM_THREADS says, else all cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
