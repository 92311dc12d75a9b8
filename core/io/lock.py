"""One program at a time writes into a project.

The lock is the hidden file `.panoviewer.lock` in the project's folder, a JSON object that says who holds it. It is left
behind by a process that was killed; the next one on the same machine sees that and takes it over. Of a process on
another machine nobody here knows whether it lives: the user is asked.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from core.errors import ProjectError
from core.io.checked_json import FieldError, dump_object, parse_object
from core.io.own_files import read_own, remove_own, write_own

if sys.platform == "win32":
    import ctypes
    import msvcrt
else:
    import fcntl

NAME = ".panoviewer.lock"
FORMAT = "panoviewer-lock"

_MAX_BYTES = 10_000
_PATIENCE = 5.0
"""Seconds to wait for another process that looks at the lock just now."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Attributes:
        host: Name of the machine.
        pid: Of the process.
        process: When the process began, in the words of its machine, so that a process that inherits the number is not
            taken for it; empty where the machine does not say.
        since: When the lock was taken, in UTC.
        token: Random, differs between any two locks.
    """

    host: str
    pid: int
    process: str
    since: str
    token: str

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return cls(socket.gethostname()[:200], os.getpid(), _began(os.getpid()), now, secrets.token_hex(16))

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.host == socket.gethostname()[:200]

    @property
    def is_dead(self) -> bool:
        """Whether it is certain that the process is gone; of other machines nothing is certain."""
        return self.is_here and not (_is_running(self.pid) and self.process in ("", _began(self.pid)))


class ProjectLocked(ProjectError):
    """Another program works in the project.

    Attributes:
        owner: Which; None when the lock does not say.
    """

    def __init__(self, folder: Path, owner: Owner | None) -> None:
        self.owner = owner
        if owner is None:
            super().__init__(
                f"The lock of the project is damaged; take it over if no other program has the project open: {folder}"
            )
            return
        where = "this computer" if owner.is_here else owner.host
        what = "close it there" if owner.is_here else "close it there, or take it over if that computer is off"
        super().__init__(
            f"The project is open in another PanoViewer (process {owner.pid} on {where} since {owner.since}); "
            f"{what}: {folder}"
        )


class ProjectLock:
    """The right to write into a project, until `release` or the end of the block."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self._path, self._owner = path, owner

    @property
    def is_held(self) -> bool:
        """Whether nobody has taken it over."""
        try:
            found = _read(self._path)
        except ProjectError:
            return False
        return found is not None and found.token == self._owner.token

    def release(self) -> None:
        """Give it back; nothing happens when somebody else has taken it over."""
        with suppress(ProjectError), _alone(self._path.parent):
            if self.is_held:
                remove_own(self._path)

    def __enter__(self) -> ProjectLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_project(folder: Path, *, take_over: bool = False) -> ProjectLock:
    """Take the lock of a project; one whose process is certainly dead is taken over.

    Args:
        folder: Of the project.
        take_over: Take it whoever has it; for a user who was asked.

    Raises:
        ProjectLocked: Somebody has it.
        ProjectError: The folder cannot be written.
    """
    path = folder / NAME
    with _alone(folder):
        present = None if take_over else _read(path)
        if present is not None and not present.is_dead:
            raise ProjectLocked(folder, present)
        owner = Owner.here()
        write_own(path, _encode(owner))
    return ProjectLock(path, owner)


def lock_owner(folder: Path) -> Owner | None:
    """Who has the lock of a project and lives, as far as one can know; None when it is free.

    Raises:
        ProjectLocked: The lock is damaged.
        ProjectError: It cannot be read.
    """
    present = _read(folder / NAME)
    return None if present is None or present.is_dead else present


def _read(path: Path) -> Owner | None:
    data = read_own(path, _MAX_BYTES)
    if data is None:
        return None
    try:
        fields = parse_object(data)
        if fields.text("format") != FORMAT:
            raise FieldError(f"the format {FORMAT!r}", fields.text("format"))
        owner = Owner(
            fields.text("host"), fields.integer("pid", 1), fields.text("process"), fields.text("since", 40),
            fields.text("token", 64),
        )  # fmt: skip
        fields.finish()
    except FieldError as error:
        raise ProjectLocked(path.parent, None) from error
    return owner


def _encode(owner: Owner) -> bytes:
    return dump_object(
        {
            "format": FORMAT,
            "host": owner.host,
            "pid": owner.pid,
            "process": owner.process,
            "since": owner.since,
            "token": owner.token,
        }
    ).encode()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine from looking at the lock between our look and our writing.

    The system gives this up for a process that is killed, so that nothing stale can come of it.
    """
    try:
        descriptor = _open_guard(folder)
    except OSError as error:
        raise ProjectError(
            f"The folder of the project cannot be opened ({error.strerror or error}); check its name and its "
            f"permissions: {folder}"
        ) from error
    try:
        waiting_since = time.monotonic()
        while not _hold(descriptor):
            if time.monotonic() - waiting_since > _PATIENCE:
                raise ProjectError(f"Another program does not let go of the project's folder; try again: {folder}")
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":

    def _open_guard(folder: Path) -> int:
        return os.open(folder / f"{NAME}.guard", os.O_RDWR | os.O_CREAT)

    def _hold(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _is_running(pid: int) -> bool:
        kernel = ctypes.windll.kernel32
        query_limited_information, still_active = 0x1000, 259
        process = kernel.OpenProcess(query_limited_information, False, pid)
        if not process:
            return False
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(process, ctypes.byref(code))
        kernel.CloseHandle(process)
        return code.value == still_active

else:

    def _open_guard(folder: Path) -> int:
        # The folder itself: nothing has to be made that would lie about afterwards.
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _hold(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            # A file system without such locks: the lock file alone has to do.
            return error.errno in (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL)
        return True

    def _is_running(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _began(pid: int) -> str:
    """When a process of this machine began; empty where the system does not say, or when it is gone."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name in parentheses may hold anything; see proc_pid_stat(5) for the fields behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    is_zombie = fields[0] == "Z"
    return "" if is_zombie else f"{boot} {fields[19]}"
