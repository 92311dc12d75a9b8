"""Archives of arrays that cannot be read: one broken file of a million must not end a training."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib

BROKEN = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, SyntaxError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)
"""What NumPy and what it reads archives with raise where a file is no archive of arrays, or a damaged one."""
_TOLD = 120


def why_broken(error: Exception) -> str:
    """What a reader says of a broken archive, in a few words; NumPy advises to run the code in what it cannot read."""
    told = " ".join(str(error).split())
    return "no archive of arrays" if "pickle" in told else told[:_TOLD] or type(error).__name__
