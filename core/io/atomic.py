"""Files that are either written completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.errors import ExportError, OutOfSpace

_CAUSES = {
    errno.ENOSPC: "There is no space left for the file; free some or choose another disk",
    errno.EDQUOT: "The disk quota is used up; free some space or choose another disk",
    errno.EFBIG: "The file would be larger than this disk or account allows; choose another disk",
    errno.EROFS: "The disk is read-only; choose another folder",
    errno.EACCES: "Writing is not permitted here; choose another folder",
    errno.EPERM: "Writing is not permitted here; choose another folder",
    errno.ENOENT: "The folder of the file does not exist; create it or choose another one",
    errno.ENOTDIR: "The folder of the file is not a folder; choose another one",
    errno.ENAMETOOLONG: "The name of the file is too long; choose a shorter one",
    errno.EISDIR: "A folder lies where the file belongs; move it away or choose another name",
    errno.EOPNOTSUPP: "The system lets nothing be made in this place; choose another folder",
    errno.EEXIST: "A file lies where the folder belongs; move it away or choose another name",
}

_SYSTEM_PLACES = tuple(map(Path, ("/proc", "/sys", "/dev")))
"""Where a system shows its devices and itself as if they were files; root may fill the last one with real ones."""
_SHARED_MEMORY = Path("/dev/shm")
"""Files of everybody lie there."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def export_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever the system has against writing at a path becomes a sentence for the user.

    Raises:
        ExportError: Instead of any `OSError` of the block; `OutOfSpace` where that is the reason.
    """
    try:
        yield
    except OSError as error:
        kind = OutOfSpace if error.errno in _NO_SPACE else ExportError
        raise kind(_sentence(error, Path(path))) from error


def is_same_file(path: Path, other: Path) -> bool:
    """Whether two names mean one file, also by links; names that no file can have are compared as text."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return os.path.abspath(path) == os.path.abspath(other)


def identity(path: Path) -> Path:
    """The same for two names of one file, also by links; a name that no file can have stays what it is."""
    try:
        return path.resolve()
    except (OSError, ValueError):
        return path


def prepare_file(path: str | os.PathLike[str]) -> None:
    """Before the work that a file is for: make its folder, and refuse it when it cannot be written, if that is known.

    Args:
        path: The file, which need not be there yet.

    Raises:
        ExportError: Its folder cannot be made, is read-only or of somebody else, or something lies in its place.
    """
    with export_errors(path):
        target = Path(path).resolve()
        _make_folder(target.parent)
        _check_folder(target.parent)
        _mode_of_replaced(target)


def check_folder(folder: Path) -> None:
    """The same for a folder that is to take files."""
    with export_errors(folder):
        _check_folder(folder.resolve())


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        ExportError: It cannot be made.
    """
    with export_errors(folder):
        _make_folder(folder)


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary stream whose content becomes `path` when the block ends well; otherwise `path` stays what it was.

    The content is written to the same folder, flushed to the disk and renamed over the target. Where the system has
    files without a name (Linux) not even a killed process leaves anything behind; elsewhere the part file is removed
    on every exception, KeyboardInterrupt and SystemExit included. A symbolic link is followed, and the permissions of
    a file that is replaced are kept.

    Args:
        path: The file to write; its folder must exist.

    Yields:
        A stream open for writing, reading and seeking; the block must not close it.

    Raises:
        ExportError: The file cannot be written: disk full, read-only, folder missing, the target is a folder.
    """
    with atomic_files((path,)) as (stream,):
        yield stream


@contextmanager
def atomic_files(paths: Sequence[str | os.PathLike[str]]) -> Iterator[tuple[BinaryIO, ...]]:
    """The same for files that belong together: none is replaced before all are complete and on the disk.

    Args:
        paths: The files to write. The first one, which refers to the others, is renamed last; errors name it.

    Yields:
        A stream for each.
    """
    with export_errors(paths[0]), ExitStack() as stack:
        parts = [stack.enter_context(_part_of(Path(path).resolve())) for path in paths]
        yield tuple(part.stream for part in parts)
        for part in parts:
            part.finish()
        for part in reversed(parts):
            os.replace(part.path, part.target)
        for folder in {part.target.parent for part in parts}:
            _sync_folder(folder)


@dataclass
class _Part:
    """A file that is being written, and what it is to replace."""

    target: Path
    path: Path
    stream: BinaryIO
    is_named: bool
    mode: int | None

    def finish(self) -> None:
        """Bring the content to the disk, under the name of the part."""
        self.stream.flush()
        if self.mode is not None and os.name == "posix":
            os.fchmod(self.stream.fileno(), self.mode)
        os.fsync(self.stream.fileno())
        if not self.is_named:
            _give_name(self.stream.fileno(), self.path)
        self.stream.close()


@contextmanager
def _part_of(target: Path) -> Iterator[_Part]:
    """A part beside its target, that is gone when the block fails."""
    _refuse_read_only(target.parent)
    mode = _mode_of_replaced(target)
    _refuse_system_place(target.parent)
    path = target.with_name(f".{target.name[:64]}.{secrets.token_hex(6)}.part")
    descriptor, is_named = _open_part(path)
    stream = os.fdopen(descriptor, "w+b")
    try:
        yield _Part(target, path, stream, is_named, mode)
    except BaseException:
        # When the block failed, a second failure while closing must not hide the first.
        with contextlib.suppress(OSError):
            stream.close()
        path.unlink(missing_ok=True)
        raise


def _make_folder(folder: Path) -> None:
    _refuse_system_place(folder.resolve())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        # Those above it were to be made, too; /proc and the like refuse it in these words.
        raise _os_error(errno.EOPNOTSUPP) from error


def _check_folder(folder: Path) -> None:
    _refuse_system_place(folder)
    _refuse_read_only(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
        raise _os_error(errno.EACCES if is_folder else errno.ENOTDIR)


def _refuse_system_place(folder: Path) -> None:
    is_system = any(folder.is_relative_to(place) for place in _SYSTEM_PLACES)
    if os.name == "posix" and is_system and not folder.is_relative_to(_SHARED_MEMORY):
        raise _os_error(errno.EOPNOTSUPP)


def _refuse_read_only(folder: Path) -> None:
    """Said first: on a disk that is mounted read-only, everything else looks like a matter of permissions."""
    if hasattr(os, "statvfs") and folder.is_dir() and os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise _os_error(errno.EROFS)


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _mode_of_replaced(target: Path) -> int | None:
    """Permissions of the regular file at the target, None when there is none yet."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise ExportError(f"Expected the name of a file to write, got a folder; add a file name: {target}")
    if not stat.S_ISREG(status.st_mode):
        raise ExportError(f"Expected an ordinary file to write, got a device or pipe; choose another name: {target}")
    if not os.access(target, os.W_OK):
        raise ExportError(f"The file is write-protected; change its permissions or choose another name: {target}")
    return stat.S_IMODE(status.st_mode)


def _open_part(part: Path) -> tuple[int, bool]:
    """A descriptor for the content, and whether it already has the name `part`."""
    if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
        try:
            return os.open(part.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666), False
        except OSError as error:
            # Network and some stacked file systems have no files without a name (and old kernels say EISDIR).
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                raise
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.open(part, flags, 0o666), True


def _give_name(descriptor: int, part: Path) -> None:
    """Give a nameless file its name, as described in open(2) under O_TMPFILE."""
    folder = os.open(part.parent, os.O_RDONLY)
    try:
        # With a folder descriptor Python calls linkat with AT_SYMLINK_FOLLOW, which the link in /proc needs.
        os.link(f"/proc/self/fd/{descriptor}", part.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable where folders can be synced."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems refuse to sync a folder; the file is complete and in place.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES):
            raise
    finally:
        os.close(descriptor)


def _sentence(error: OSError, target: Path) -> str:
    """What went wrong and what to do, the path last."""
    number = error.errno or 0
    if number == errno.ENOENT and target.parent.is_dir():
        # /proc and the like say of a folder that is there that it is not.
        number = errno.EOPNOTSUPP
    cause = _CAUSES.get(number, f"The file could not be written ({error.strerror or error}); try another folder")
    return f"{cause}: {target}"
