"""Seconds and bytes: how long something takes, beside another way in the same minutes, and how much memory it needs."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from panoviewer.arguments import UsageError
from panoviewer.benches.rows import Sample, sample_of

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""Written to `_CLEAR`, it makes Linux forget the peak of the memory."""

_TIMED_PROCESS = Path(__file__).with_name("timed_process.py")
PROGRAM = (sys.executable, "-m", "panoviewer")

Work = Callable[[], object]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch, OpenCV and the graphs that are opened meanwhile use so many threads; nothing else uses several."""
    import cv2
    import torch

    before = cv2.getNumThreads(), torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    cv2.setNumThreads(count)
    torch.set_num_threads(count)
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])
        if before[2] is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before[2]


def thread_variables(count: int) -> dict[str, str]:
    """The environment in which a new process uses so many threads."""
    return {"OMP_NUM_THREADS": str(count), "OPENCV_FOR_THREADS_NUM": str(count)}


def seconds(work: Work, repeats: int) -> Sample:
    """How long something takes, after it was done once."""
    return side_by_side([work], repeats)[0]


def side_by_side(works: Sequence[Work], repeats: int) -> list[Sample]:
    """How long several things take, in turn, so that whatever else the machine does falls on all of them."""
    for work in works:
        work()
    times: list[list[float]] = [[] for _ in works]
    cores: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for n, work in enumerate(works):
            started, used = time.perf_counter(), time.process_time()
            work()
            times[n].append(time.perf_counter() - started)
            cores[n].append(time.process_time() - used)
    return [sample_of(taken, used) for taken, used in zip(times, cores, strict=True)]


def on_the_clock(found: Sample) -> Sample:
    """The same without the seconds on the core, which say too little of work that waits for something."""
    return replace(found, core=None)


def peak_bytes(work: Work) -> int | None:
    """Memory that something takes at its peak beyond what was taken before, its result included.

    Returns:
        None where the system does not tell.
    """
    gc.collect()
    _give_back()
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return None
    before = _status("VmRSS")
    result = work()
    peak = _status("VmHWM")
    del result
    return None if before is None or peak is None else max(0, peak - before)


def held_bytes(work: Work) -> int | None:
    """Memory that is taken after something was done beyond what was taken before; None where no system tells."""
    gc.collect()
    _give_back()
    before = _status("VmRSS")
    work()
    gc.collect()
    _give_back()
    after = _status("VmRSS")
    return None if before is None or after is None else max(0, after - before)


def bytes_now() -> int | None:
    """What this process holds now, after everything that is free was given back; None where nobody tells."""
    gc.collect()
    _give_back()
    return _status("VmRSS")


@dataclass(frozen=True)
class Call:
    """A process that has ended.

    Attributes:
        wall: Seconds from start to end.
        core: Seconds on cores; None where the system does not tell.
        peak: Bytes that it held at its peak; None where the system does not tell.
    """

    wall: float
    core: float | None
    peak: int | None


def run_program(arguments: Sequence[str], variables: Mapping[str, str]) -> Call:
    """Run this program in a process of its own.

    Args:
        arguments: Of the command line.
        variables: Added to the environment.

    Raises:
        UsageError: It failed.
    """
    command = [sys.executable, "-P", str(_TIMED_PROCESS), *PROGRAM, *arguments]
    done = subprocess.run(
        command, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    told: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {"code": done.returncode}
    if told["code"] != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise UsageError(f"'panoviewer {' '.join(arguments)}' failed with exit code {told['code']}: {last[0]}")
    return Call(told["wall"], told["core"], told["peak"])


def own_peak() -> int | None:
    """Bytes that this process held at its peak so far; None where the system does not tell."""
    return _status("VmHWM")


def _status(field: str) -> int | None:
    """Bytes that Linux reports of this process."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith(f"{field}:")]
    return int(found[0][1]) * 1024 if found else None


def _give_back() -> None:
    """Hand free memory back to the system, where the C library can; else it would hide what is taken next."""
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
