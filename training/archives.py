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
