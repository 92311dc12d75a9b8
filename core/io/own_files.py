"""The files that a project consists of: read and written only where they are, never through a link."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from core.errors import ExportError, ProjectError
from core.io.atomic import atomic_file

_READ = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    # A pipe that has the name of a file must not make anybody wait.
    | getattr(os, "O_NONBLOCK", 0)
)

_FIRST_BYTES = 1 << 16


def read_own(path: Path, limit: int, is_enough: Callable[[bytes], bool] | None = None) -> bytes | None:
    """The content of a file; None when there is none.

    Args:
        path: The file.
        limit: Bytes that it may have at most.
        is_enough: Asked with the beginning of the file, ever longer, whether the rest need not be read.

    Raises:
        ProjectError: It is a link or no ordinary file, has more than `limit` bytes, or cannot be read.
    """
    refuse_link(path)
    try:
        descriptor = os.open(path, _READ)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            # Not left to `open`, which refuses the descriptor of a folder and does not close it.
            os.close(descriptor)
            raise ProjectError(f"Expected an ordinary file, got something else; move it away: {path}")
        with open(descriptor, "rb") as stream:
            if status.st_size > limit:
                raise ProjectError(
                    f"Expected a file of at most {limit >> 20} MiB, got {status.st_size >> 20} MiB; "
                    f"move it away: {path}"
                )
            data = b""
            while is_enough is not None and not is_enough(data) and len(data) < status.st_size:
                if not (more := stream.read(max(len(data), _FIRST_BYTES))):
                    break
                data += more
            return data if is_enough is not None else stream.read(limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProjectError(
            f"The file cannot be read ({error.strerror or error}); check its permissions and its disk: {path}"
        ) from error


def write_own(path: Path, data: bytes) -> None:
    """Replace the content of a file at once or not at all.

    Raises:
        ProjectError: The file is a link, or cannot be written; what was there is untouched.
    """
    refuse_link(path)
    try:
        with atomic_file(path) as stream:
            stream.write(data)
    except ExportError as error:
        raise ProjectError(str(error)) from error


def refuse_link(path: Path) -> None:
    """A project that was sent by somebody may hold links that lead anywhere.

    Raises:
        ProjectError: `path` is a symbolic link.
    """
    if os.path.islink(path):
        raise ProjectError(f"Expected a file, got a link to one; put the file itself in its place: {path}")


def keep_previous(path: Path, kept: Path) -> None:
    """Give what is in a file now a second name, replacing what had that name; nothing happens when there is none.

    Raises:
        ProjectError: It cannot be done.
    """
    refuse_link(path)
    refuse_link(kept)
    part = kept.with_name(f".{kept.name}.part")
    try:
        part.unlink(missing_ok=True)
        try:
            os.link(path, part)
        except FileNotFoundError:
            return
        except OSError:
            # Some file systems know no second name for a file.
            shutil.copyfile(path, part)
        os.replace(part, kept)
        # Where both were names of one file already, the system has left both.
        part.unlink(missing_ok=True)
    except OSError as error:
        raise ProjectError(
            f"The previous generation could not be kept ({error.strerror or error}); free some space or check the "
            f"permissions: {kept}"
        ) from error


def free_name(path: Path) -> Path:
    """A name beside a file that nothing has yet."""
    number = 1
    while os.path.lexists(free := path.with_name(f"{path.name}.aside-{number}")):
        number += 1
    return free


def set_aside(path: Path) -> Path:
    """Rename a file so that it is in nobody's way and can still be looked at; the new path.

    Raises:
        ProjectError: It cannot be renamed.
    """
    aside = free_name(path)
    try:
        path.rename(aside)
    except OSError as error:
        raise ProjectError(
            f"The file could not be set aside ({error.strerror or error}); move it away yourself: {path}"
        ) from error
    return aside


def remove_own(path: Path) -> None:
    """Remove a file that may be gone already.

    Raises:
        ProjectError: It cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ProjectError(
            f"The file could not be removed ({error.strerror or error}); remove it yourself: {path}"
        ) from error
