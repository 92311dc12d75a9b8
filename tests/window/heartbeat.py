"""How long the UI thread is held up, and how much of that is the program's doing."""

import contextlib
import os
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from own_time import own_seconds
from PySide6.QtCore import Qt, QTimer

INTERVAL_MS = 5
THREADS = Path("/proc/self/task")


@dataclass(frozen=True)
class Block:
    """A time in which the UI thread did not come round to its events, in milliseconds.

    Attributes:
        lasted: Between the turn that was due and the one that came.
        worked: What the thread itself computed meanwhile.
        handed: What the system computed for the thread; see `own_seconds`.
        waited: For how long threads that it may have had to wait for were ready to run, and had no processor.
        during: The step of the test.
    """

    lasted: float
    worked: float
    handed: float
    waited: float
    during: str

    @property
    def caused(self):
        """The program's share: what the thread computed, or was kept from by anything but a want of processors.

        So a busy machine gives the answer of an idle one.
        """
        return max(self.lasted - self.handed - self.waited, self.worked)

    def __str__(self):
        return (
            f"{self.caused:.0f} ms by the program while {self.during} ({self.lasted:.0f} ms in all: {self.worked:.0f} "
            f"of its own work, {self.handed:.0f} of the system's, and {self.waited:.0f} of threads without a processor)"
        )


class Heartbeat:
    """Notes every time that the event loop comes round late.

    Linux tells for each thread how long it was ready and waited for a processor. That is counted for the UI thread, for
    those of the process that may have held the interpreter or drawn for it, and for the X server, whose answers it
    waits for. Elsewhere the thread's own work alone is judged.
    """

    def __init__(self):
        self.blocks = []
        self._delays = Delays()
        self._timer = QTimer(interval=INTERVAL_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self.begin("starting")
        self._timer.start()

    def begin(self, step):
        """From here on blocks belong to this step."""
        self._step = step
        self._last = Moment(self._delays)

    def stop(self):
        self._beat()
        self._timer.stop()
        self._delays.close()

    @property
    def longest(self):
        return max(self.blocks, key=lambda block: block.caused)

    def _beat(self):
        now, last = Moment(self._delays), self._last
        lasted = max(1000 * (now.time - last.time) - INTERVAL_MS, 0.0)
        waited = 1000 * (now.delays - last.delays) if self._delays.told else lasted
        self.blocks.append(
            Block(lasted, 1000 * (now.worked - last.worked), 1000 * (now.handed - last.handed), waited, self._step)
        )
        self._last = now


class Moment:
    """What the clocks show, in seconds."""

    def __init__(self, delays):
        self.delays = delays.total()
        self.worked, self.handed = own_seconds()
        self.time = time.perf_counter()


class Delays:
    """For how long the threads of this process and the X server were ready to run without a processor.

    Attributes:
        told: Whether the system tells.
    """

    def __init__(self):
        self._files = {}
        self._seen = {}
        self._total = 0
        server = x_server()
        self._server = None if server is None else Path(f"/proc/{server}/schedstat")
        self.told = (THREADS / str(os.getpid()) / "schedstat").exists()

    def total(self):
        """Seconds of all threads together since the first call."""
        if not self.told:
            return 0.0
        paths = [THREADS / name / "schedstat" for name in os.listdir(THREADS)]
        if self._server is not None:
            paths.append(self._server)
        now = {path: delay for path in paths if (delay := self._read(path)) is not None}
        self._total += sum(delay - self._seen.get(path, 0) for path, delay in now.items())
        self._seen = now
        return self._total / 1e9

    def close(self):
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def _read(self, path):
        """Nanoseconds of waiting since the thread began; None when it is gone."""
        try:
            if path not in self._files:
                self._files[path] = os.open(path, os.O_RDONLY)
            return int(os.pread(self._files[path], 100, 0).split()[1])
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            if path in self._files:
                os.close(self._files.pop(path))
            return None


def x_server():
    """Process number of the local X server, None where there is none or where it does not tell."""
    number = os.environ.get("DISPLAY", "").partition(":")[2].partition(".")[0]
    with contextlib.suppress(OSError, AttributeError), socket.socket(socket.AF_UNIX) as link:
        link.connect(f"/tmp/.X11-unix/X{number}")
        size = struct.calcsize("3i")
        return struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0] or None
    return None
