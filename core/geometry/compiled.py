"""Inner loops compiled by numba on first use.

numba takes a quarter of a second to import and a second to compile a loop, so neither happens before a loop is needed.
Compiled loops are kept on disk beside the source or, where that is read-only, in the user's cache folder; where neither
can be written, they are compiled again in every process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """A loop over arrays that is compiled when it is first called and releases the interpreter lock while it runs.

    Floating point follows IEEE to the letter (no fast-math: NaN means unknown here), and division by zero gives inf.
    """
    lock = Lock()
    compiled_function: Callable[P, R] | None = None

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal compiled_function
        with lock:
            if compiled_function is None:
                compiled_function = _compile(function)
        try:
            return compiled_function(*args, **kwargs)
        except OSError:
            # The cache folder looked writable and was not (disk full, quota); the loop itself touches no file and had
            # not started, because compiled code is stored before it first runs.
            with lock:
                compiled_function = _compile(function, on_disk=False)
            return compiled_function(*args, **kwargs)

    return call


def _compile(function: Callable[P, R], *, on_disk: bool = True) -> Callable[P, R]:
    import numba

    njit: Callable[..., Any] = numba.njit
    options = {"nogil": True, "error_model": "numpy"}
    try:
        result: Callable[P, R] = njit(function, cache=on_disk, **options)
    except RuntimeError:
        # numba found no folder that it may write to.
        result = njit(function, **options)
    return result


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A contiguous read-only view, so that a compiled loop meets one array type whoever calls it."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
