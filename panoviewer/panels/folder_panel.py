"""The panoramas of a folder, to go through with A and D, each with a small picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from panoviewer.images import qimage_from_array, untinted
from panoviewer.translation import tr

THUMBNAIL_SIZE = 96, 48
SETTLE_MS = 60
"""A list that is being scrolled asks for nothing."""
_SMOOTH = Qt.TransformationMode.SmoothTransformation


class FolderPanel(QListWidget):
    """A list of files, one of which is open. Small pictures are asked for when their line comes into view.

    Signals:
        listed: Other files are listed.
        chosen(object): The `Path` of the file that the user picked.
        thumbnails_wanted(object): A list of the `Path`s in view that have no picture yet; replaces what was wanted.
    """

    listed = Signal()
    chosen = Signal(object)
    thumbnails_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Pictures of the folder"))
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setIconSize(QSize(*THUMBNAIL_SIZE))
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._empty = QPixmap(*THUMBNAIL_SIZE)
        self._empty.fill(Qt.GlobalColor.transparent)
        self._lines: dict[Path, QListWidgetItem] = {}
        self._known: set[Path] = set()
        self._timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._timer.timeout.connect(self._ask)
        self.verticalScrollBar().valueChanged.connect(self._timer.start)
        self.currentItemChanged.connect(self._emit)

    def set_files(self, paths: Sequence[Path]) -> None:
        """List these files."""
        with QSignalBlocker(self):
            self.clear()
            self._lines.clear()
            self._known.clear()
            for path in paths:
                item = QListWidgetItem(self._empty, path.name)
                item.setToolTip(str(path))
                item.setData(Qt.ItemDataRole.UserRole, path)
                self.addItem(item)
                self._lines[path] = item
        self._timer.start()
        self.listed.emit()

    def set_signs(self, signs: Mapping[Path, str]) -> None:
        """Put a sign behind the names of some files, which says how far they are; empty takes it away."""
        for path, sign in signs.items():
            if path in self._lines:
                self._lines[path].setText(f"{path.name}   {sign}" if sign else path.name)

    def set_thumbnail(self, path: Path, picture: NDArray[np.uint8] | None) -> None:
        """Show the small picture of a file, (h, w, 3) RGB; None when it has none."""
        self._known.add(path)
        if picture is not None and path in self._lines:
            pixmap = QPixmap.fromImage(qimage_from_array(picture))
            self._lines[path].setIcon(untinted(pixmap.scaled(QSize(*THUMBNAIL_SIZE), mode=_SMOOTH)))

    def files(self) -> list[Path]:
        """The files that are listed."""
        return [self.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self.count())]

    def set_current(self, path: Path | None) -> None:
        """Mark the open file; None when it is none of these."""
        files = self.files()
        with QSignalBlocker(self):
            self.setCurrentRow(files.index(path) if path in files else -1)

    def neighbour(self, step: int, *, beside: Path | None = None) -> Path | None:
        """The file `step` places after `beside`, or after the current one; None beyond the ends."""
        files = self.files()
        row = (files.index(beside) if beside in files else self.currentRow()) + step
        return files[row] if 0 <= row < len(files) else None

    def showEvent(self, event: QShowEvent) -> None:
        """Ask for what has come into view."""
        super().showEvent(event)
        self._timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for what has come into view."""
        super().resizeEvent(event)
        self._timer.start()

    def _ask(self) -> None:
        if not self.isVisible():
            return
        seen = self.viewport().rect()
        first = self.indexAt(seen.topLeft()).row()
        last = self.indexAt(seen.bottomLeft()).row()
        files = self.files()[max(first, 0) : (last + 1 if last >= 0 else None)]
        self.thumbnails_wanted.emit([path for path in files if path not in self._known])

    def _emit(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))
