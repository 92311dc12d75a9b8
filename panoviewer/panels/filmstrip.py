"""The views of the zigzag in their order, each with what was found in it: click one to look there and correct it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QWidget

from core.segment.sweep import Verdict
from core.segment.updates import FrameReport
from panoviewer.images import qimage_from_array, untinted
from panoviewer.translation import mark, tr

SIDE = 76
"""Of a small picture, in pixels."""
FILL = np.array((80, 200, 255), np.float32)
OPACITY, FAINT = 0.55, 0.3
NOT_SEEN = 0.45
"""Brightness of a view that was not looked at."""
VERDICTS = {
    Verdict.ACCEPTED: ("#3fb950", "found"),
    Verdict.ABSENT: ("#6b717b", mark("not there")),
    Verdict.REJECTED: ("#f85149", mark("something else")),
}
PROMPTED = "#ffb454"
_NUMBER = Qt.ItemDataRole.UserRole


class Filmstrip(QListWidget):
    """Small pictures of all views, in the order in which they are visited.

    Signals:
        looked_for(object): The user wants to look along this `Camera` of the photograph's frame.
    """

    looked_for = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Views of the object"))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setGridSize(QSize(SIDE + 8, SIDE + 26))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(SIDE + 46)
        self._photos: Mapping[int, NDArray[np.uint8]] = {}
        self._elsewhere: Mapping[int, NDArray[np.bool_]] = {}
        self._frames: dict[int, FrameReport] = {}
        self._items: dict[int, QListWidgetItem] = {}
        self.itemClicked.connect(lambda item: self.looked_for.emit(self._frames[item.data(_NUMBER)].camera))

    def set_photos(self, photos: Mapping[int, NDArray[np.uint8]]) -> None:
        """Take the views themselves, (SIDE, SIDE, 3) by number; none for another panorama."""
        self._photos = photos
        for number in self._frames:
            self._paint(number)

    def set_elsewhere(self, masks: Mapping[int, NDArray[np.bool_]]) -> None:
        """Take what the merged mask covers of views that were not looked at, (SIDE, SIDE) by number."""
        self._elsewhere = masks
        for number, frame in self._frames.items():
            if frame.logits is None:
                self._paint(number)

    def set_frames(self, frames: Sequence[FrameReport]) -> None:
        """Show these, in their order; only what differs from before is painted."""
        order = [frame.number for frame in frames]
        had_any = any(frame.logits is not None for frame in self._frames.values())
        if order != list(self._items):
            with QSignalBlocker(self):
                self.clear()
                self._items.clear()
                self._frames.clear()
                for number in order:
                    item = QListWidgetItem()
                    item.setData(_NUMBER, number)
                    item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
                    self.addItem(item)
                    self._items[number] = item
        newest = None
        for frame in frames:
            before = self._frames.get(frame.number)
            self._frames[frame.number] = frame
            if before is None or before.logits is not frame.logits or before.verdict is not frame.verdict:
                self._paint(frame.number)
                newest = frame.number if frame.logits is not None else newest
        if newest is not None:
            self.scrollToItem(self._items[newest])
        elif had_any and frames and all(frame.logits is None for frame in frames):
            # The next object begins where the way begins.
            self.scrollToItem(self._items[order[0]])

    def _paint(self, number: int) -> None:
        frame, item = self._frames[number], self._items[number]
        photo = self._photos.get(number)
        picture = np.full((SIDE, SIDE, 3), 40, np.float32) if photo is None else photo.astype(np.float32)
        if frame.logits is not None:
            rows = np.arange(SIDE) * len(frame.logits) // SIDE
            inside, opacity = frame.logits[rows[:, None], rows] > 0, OPACITY
        else:
            picture *= NOT_SEEN
            inside, opacity = self._elsewhere.get(number, np.zeros((SIDE, SIDE), np.bool_)), FAINT
        picture[inside] = (1 - opacity) * picture[inside] + opacity * FILL
        pixmap = QPixmap.fromImage(qimage_from_array(np.ascontiguousarray(picture.astype(np.uint8))))
        said = "" if frame.verdict is None else tr(VERDICTS[frame.verdict][1])
        if frame.verdict is not None:
            painter = QPainter(pixmap)
            painter.setPen(QPen(QColor(PROMPTED if frame.prompted else VERDICTS[frame.verdict][0]), 3))
            painter.drawRect(1, 1, SIDE - 3, SIDE - 3)
            painter.end()
        item.setIcon(untinted(pixmap))
        item.setText(f"{frame.score:.2f}" if frame.verdict is Verdict.ACCEPTED else said or "–")
        clicked = tr(", clicked in") if frame.prompted else ""
        where = tr(
            "yaw {yaw:.0f}°, pitch {pitch:.0f}°",
            yaw=np.degrees(frame.camera.yaw),
            pitch=np.degrees(frame.camera.pitch),
        )
        item.setToolTip(
            tr(
                "View {number} ({where}): {said}{clicked}. Click to look there.",
                number=number + 1,
                where=where,
                said=said or tr("not looked at"),
                clicked=clicked,
            )
        )
