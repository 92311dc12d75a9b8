"""Where added weights lie and from where they are fetched: the user's choice, which window and command line share.

It is a small JSON object beside the other settings, so that the command line, which has no Qt, reads it, too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import ModelUnavailable
from core.folders import config_folder, data_folder
from core.io.atomic import atomic_file, check_folder, make_folder

_NAME = "models.json"
_MAX_BYTES = 1 << 16
_ADDRESS = re.compile(r"https?://[^\s/]+\S*")


@dataclass(frozen=True)
class Places:
    """What the user has chosen.

    Attributes:
        folder: For added weights; None for `default_folder`.
        mirror: Address of a server that stands in for the Hugging Face Hub, without a slash at its end; empty for none.
    """

    folder: Path | None = None
    mirror: str = ""


def default_folder() -> Path:
    """Where added weights lie unless the user chooses another place. Follows XDG_DATA_HOME where that is set."""
    return data_folder() / "models"


def read_places() -> Places:
    """What the user has chosen; nothing where the file is missing or holds nothing usable, as with all settings."""
    path = config_folder() / _NAME
    try:
        if path.stat().st_size > _MAX_BYTES:
            return Places()
        facts = json.loads(path.read_bytes())
        folder, mirror = facts.get("folder", ""), facts.get("mirror", "")
        return Places(_checked_folder(folder), _checked_mirror(mirror))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, ModelUnavailable):
        return Places()


def write_places(places: Places) -> None:
    """Remember a choice. Another folder than before is made where it is missing.

    Raises:
        ModelUnavailable: The folder is not named from the root, or the mirror is no address.
        ExportError: The choice cannot be written, or nothing can be written into the folder.
    """
    folder = "" if places.folder is None else str(places.folder)
    _checked_folder(folder)
    facts = {"folder": folder, "mirror": _checked_mirror(places.mirror)}
    if places.folder is not None and places.folder != read_places().folder:
        make_folder(places.folder)
        check_folder(places.folder)
    make_folder(config_folder())
    with atomic_file(config_folder() / _NAME) as stream:
        stream.write(json.dumps(facts, indent=1).encode() + b"\n")


def _checked_folder(text: str) -> Path | None:
    if not text:
        return None
    folder = Path(text)
    if not folder.is_absolute() or "\0" in text:
        raise ModelUnavailable(f"Expected a folder for weights by its whole path, got a part of one: {text}")
    return folder


def _checked_mirror(text: str) -> str:
    if text and not _ADDRESS.fullmatch(text):
        raise ModelUnavailable(f"Expected the address of a mirror, such as https://mirror.example, got {text!r}.")
    return text.rstrip("/")
