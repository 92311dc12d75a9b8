"""The folders that the system sets aside for what a program keeps."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """Where the user's own data of the program lie; it may not exist yet. Follows XDG_DATA_HOME where that is set."""
    return _folder("XDG_DATA_HOME", mac="Application Support", other=".local/share")


def cache_folder() -> Path:
    """What may be made again lies here; it may not exist yet. Follows XDG_CACHE_HOME where that is set."""
    return _folder("XDG_CACHE_HOME", mac="Caches", other=".cache")


def config_folder() -> Path:
    """What the user has chosen is remembered here; it may not exist yet. Follows XDG_CONFIG_HOME where that is set."""
    return _folder("XDG_CONFIG_HOME", mac="Preferences", other=".config")


def _folder(variable: str, *, mac: str, other: str) -> Path:
    given = os.environ.get(variable)
    if given:
        base = Path(given)
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / mac
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path.home() / other
    return base / "panoviewer"
