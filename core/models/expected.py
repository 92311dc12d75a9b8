"""How long a prediction will take on this machine and how much memory: an estimate, made before anything is loaded.

How fast the processor multiplies matrices is measured once, in a fraction of a second, and remembered; a network takes
its operations at a share of that rate.
"""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import dataclass

import numpy as np

from core.errors import ExportError
from core.folders import cache_folder
from core.io.atomic import atomic_file, make_folder
from core.models import ModelSpec

SHARE = 0.76
"""Of the rate of matrix products at which networks compute: measured for Depth Any Panoramas at 512 x 1024 on one
thread of an AMD EPYC; small networks stay below it."""

_NAME = "matrix_rate.json"
_MAX_BYTES = 1 << 16
_SIDES = (1024, 256)
"""Of matrices: large ones keep many cores busy, small ones are done before a busy machine turns to something else."""
_SECONDS = 0.3


@dataclass(frozen=True)
class Expected:
    """An estimate for one prediction on the CPU; for a network of clicks, for looking at one view.

    Attributes:
        seconds: How long; None where it is not known how much the network computes.
        peak_bytes: Memory that it takes; None where nobody has measured it.
    """

    seconds: float | None
    peak_bytes: int | None


def expected(spec: ModelSpec) -> Expected:
    """What a model will take on the processor of this machine; the first call measures for less than a second."""
    return Expected(seconds_for(spec.operations) if spec.operations else None, spec.peak_bytes or None)


def seconds_for(operations: float) -> float:
    """How long so many floating-point operations of a network will take here; measures as `expected` does."""
    return operations / (SHARE * matrix_rate())


def matrix_rate() -> float:
    """Floating-point operations per second of float32 matrix products on all processors that are given to us."""
    path = cache_folder() / _NAME
    key = f"{platform.node()} {platform.machine()} {os.cpu_count()} {os.environ.get('OMP_NUM_THREADS', '')}"
    try:
        known = json.loads(path.read_bytes()) if path.stat().st_size <= _MAX_BYTES else {}
        rate = float(known[key])
        if 0 < rate < float("inf"):
            return rate
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        known = {}
    rate = _measured()
    try:
        make_folder(path.parent)
        with atomic_file(path) as stream:
            stream.write(json.dumps({**(known if isinstance(known, dict) else {}), key: rate}).encode())
    except ExportError:
        return rate  # it is measured again the next time
    return rate


def _measured() -> float:
    """The best of several products: what else the machine does makes a single one slower, never faster."""
    random = np.random.default_rng(0)
    matrices = [random.standard_normal((side, side), np.float32) for side in _SIDES]
    best, until = 0.0, time.perf_counter() + _SECONDS
    while time.perf_counter() < until or not best:
        for matrix in matrices:
            began = time.perf_counter()
            matrix @ matrix
            best = max(best, 2 * len(matrix) ** 3 / (time.perf_counter() - began))
    return best
