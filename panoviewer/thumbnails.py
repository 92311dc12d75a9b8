"""Small pictures of the files in the folder list, read one by one in a thread of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from core.io.images import read_preview
from core.progress import Progress
from panoviewer.jobs import Jobs, Lane
from panoviewer.panels.folder_panel import THUMBNAIL_SIZE, FolderPanel
from panoviewer.translation import tr

MEMORY_BYTES = 256 << 20
"""A picture that takes more to read has no thumbnail."""


class Thumbnails(QObject):
    """Reads what a list of files asks for, as long as it is asked for."""

    def __init__(self, jobs: Jobs, panel: FolderPanel, parent: QObject | None = None) -> None:
        """Listen to the list.

        Args:
            jobs: Has the thread.
            panel: The list.
            parent: Its parent.
        """
        super().__init__(parent)
        self._jobs = jobs
        self._panel = panel
        self._wanted: list[Path] = []
        self._reading: Path | None = None
        panel.thumbnails_wanted.connect(self._want)

    def _want(self, paths: Sequence[Path]) -> None:
        self._wanted = list(paths)
        self._next()

    def _next(self) -> None:
        if self._reading is not None or not self._wanted:
            return
        path = self._reading = self._wanted.pop(0)
        self._jobs.run(
            tr("Thumbnail of {name}", name=path.name),
            partial(_read, path),
            done=self._take,
            failed=lambda _error: self._take(None),
            lane=Lane.THUMBNAILS,
            visible=False,
            outlives=True,
        )

    def _take(self, picture: NDArray[np.uint8] | None) -> None:
        path, self._reading = self._reading, None
        if path is not None:
            self._panel.set_thumbnail(path, picture)
        self._next()


def _read(path: Path, _progress: Progress) -> NDArray[np.uint8]:
    # Twice the size in the list: sharp on a dense screen, and 18 kB.
    return np.ascontiguousarray(
        read_preview(path, 2 * THUMBNAIL_SIZE[0], assume="crop", memory_budget=MEMORY_BYTES).rgb
    )
