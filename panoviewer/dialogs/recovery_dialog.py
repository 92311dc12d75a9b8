"""What to do with the work of a session that did not end well: it is shown first, and never taken back silently."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from core.io.recovery import Recovery
from core.labels import color_of, short_name
from core.pyramid import Pyramid
from panoviewer.images import qimage_from_array
from panoviewer.translation import tr

PREVIEW_WIDTH = 640
_SHOWN_NAMES = 5
_OPACITY = 0.55


class RecoveryDialog(QDialog):
    """Offers to go on from a `Recovery`, or from the saved file.

    Signals:
        answered(object): True to recover, False to open the saved file, None to decide later.
    """

    answered = Signal(object)

    def __init__(self, recovery: Recovery, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("recovery")
        self.setWindowTitle(tr("Recover unsaved annotations?"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        text = QLabel(describe(recovery), wordWrap=True)
        self._picture = QLabel(tr("Preparing a preview…"))
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._picture.setFixedSize(PREVIEW_WIDTH, PREVIEW_WIDTH // 2)
        buttons = QDialogButtonBox()
        recover = buttons.addButton(tr("Recover"), QDialogButtonBox.ButtonRole.AcceptRole)
        saved = buttons.addButton(tr("Open what is saved"), QDialogButtonBox.ButtonRole.ApplyRole)
        buttons.addButton(tr("Decide later"), QDialogButtonBox.ButtonRole.RejectRole)
        recover.setDefault(True)
        self._answer: bool | None = None
        recover.clicked.connect(lambda: self._close(answer=True))
        saved.clicked.connect(lambda: self._close(answer=False))
        buttons.rejected.connect(self.reject)
        self.finished.connect(lambda _code: self.answered.emit(self._answer))
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addWidget(self._picture)
        layout.addWidget(buttons)

    def set_preview(self, picture: NDArray[np.uint8]) -> None:
        """Show the recovered state, (h, w, 3)."""
        self._picture.setPixmap(QPixmap.fromImage(qimage_from_array(picture).copy()))

    def _close(self, *, answer: bool) -> None:
        self._answer = answer
        self.accept()


def describe(recovery: Recovery) -> str:
    """What was done, and when, in a few sentences."""
    started, ended = _time(recovery.started), _time(recovery.ended)
    when = ""
    if started:
        is_moment = started == ended
        when = (
            tr(" at {when}", when=started)
            if is_moment
            else tr(" between {started} and {ended}", started=started, ended=ended)
        )
    unsaved = (
        tr("There is one edit that was not saved{when}.", when=when)
        if recovery.edits == 1
        else tr("There are {edits} edits that were not saved{when}.", edits=recovery.edits, when=when)
    )
    counts = ((recovery.added, tr("added")), (recovery.changed, tr("changed")), (recovery.removed, tr("removed")))
    done = ", ".join(f"{number} {word}" for number, word in counts if number)
    names = ", ".join(short_name(name) for name in recovery.names[-_SHOWN_NAMES:])
    parts = [
        tr("PanoViewer did not end well."),
        unsaved,
        tr("Segments: {done}.", done=done) if done else "",
        tr("The last of them: {names}.", names=names) if names else "",
        recovery.note,
    ]
    return " ".join(part for part in parts if part)


def preview(recovery: Recovery, photo: Pyramid) -> NDArray[np.uint8]:
    """The recovered segments on the photo, (h, w, 3); takes a while for large masks."""
    width = PREVIEW_WIDTH
    level = photo.levels[photo.level_for(width)]
    rows = (np.arange(width // 2) + 0.5) * level.shape[0] / (width // 2)
    columns = (np.arange(width) + 0.5) * level.shape[1] / width
    picture = level[rows.astype(int)[:, None], columns.astype(int), :3].astype(np.float32)
    annotation = recovery.annotation
    for segment in annotation.segments:
        mask = segment.mask
        seen_rows = ((np.arange(width // 2) + 0.5) * mask.height / (width // 2)).astype(int) - mask.row
        seen_columns = (((np.arange(width) + 0.5) * mask.width / width).astype(int) - mask.col) % mask.width
        rows_in = np.flatnonzero((seen_rows >= 0) & (seen_rows < mask.rows))
        columns_in = np.flatnonzero(seen_columns < mask.cols)
        if len(rows_in) and len(columns_in):
            inside = mask.box()[seen_rows[rows_in][:, None], seen_columns[columns_in]]
            part = picture[rows_in[:, None], columns_in]
            color = np.array(color_of(segment, annotation.labels), np.float32)
            part[inside] = (1 - _OPACITY) * part[inside] + _OPACITY * color
            picture[rows_in[:, None], columns_in] = part
    return np.ascontiguousarray(np.rint(picture).astype(np.uint8))


def _time(stamp: str) -> str:
    """'2026-11-21T14:03:22Z' as the clock on the wall said; anything else as it is."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
