"""Being asked to stop; imports nothing heavy, so that it works while everything else is still being loaded."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit code of a process that was asked to stop."""

GRACE_SECONDS = 2.0
"""After an interrupt another one within this time is not heard, so that it does not disturb the tidying up."""
AGAIN_SECONDS = 0.05
"""An interrupt that nobody could hear, because it came where Python drops every error, is repeated after this time."""
_STOPPING = (signal.SIGINT, signal.SIGTERM)

_asked = threading.Event()
_heard = -GRACE_SECONDS


@contextmanager
def interruptible(*, leave_in_peace: bool = False) -> Iterator[None]:
    """Ctrl+C and a polite request to end both raise `KeyboardInterrupt`, so that no half file stays behind.

    A shell script starts background jobs with Ctrl+C switched off; here an explicit request is heard nevertheless.
    Whoever presses Ctrl+C again and again does not disturb what the first one set off.

    Args:
        leave_in_peace: Nothing follows but the end of the process: once interrupted, it hears nothing more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        global _heard  # noqa: PLW0603 - one process, one keyboard
        if _asked.is_set() and time.monotonic() - _heard < GRACE_SECONDS:
            return
        _asked.set()
        _heard = time.monotonic()
        raise KeyboardInterrupt

    def dropped(unraisable: sys.UnraisableHookArgs) -> None:
        global _heard  # noqa: PLW0603
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            hook(unraisable)
            return
        _heard = -GRACE_SECONDS
        again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()

    _asked.clear()
    before = {number: signal.getsignal(number) for number in _STOPPING}
    hook = sys.unraisablehook
    sys.unraisablehook = dropped
    try:
        for number in _STOPPING:
            signal.signal(number, stop)
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if leave_in_peace and _asked.is_set() else handler)


def was_interrupted() -> bool:
    """True once this run was asked to stop; some libraries turn an interrupt into an error of their own."""
    return _asked.is_set()
