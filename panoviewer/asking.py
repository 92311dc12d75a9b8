"""Questions that annotating asks: what a crash has left, who else writes, what becomes segments, what is copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from operator import or_
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QWidget

from core.edits import class_segments
from core.io.recovery import Recovery
from core.labels import color_of
from core.panorama import Panorama
from core.prediction import Prediction
from core.progress import Progress
from core.scene import Segment
from panoviewer.annotating import Annotating
from panoviewer.dialogs.classes_dialog import ClassesDialog
from panoviewer.dialogs.questions import ask
from panoviewer.dialogs.recovery_dialog import RecoveryDialog, preview
from panoviewer.saving import Saving
from panoviewer.session import Session
from panoviewer.translation import tr


class Questions(QObject):
    """Asks, and does what is answered. No question holds the program up.

    Signals:
        told(str): A sentence that is worth a moment.
        noted(str): A sentence that stays until it is read.
    """

    told = Signal(str)
    noted = Signal(str)

    def __init__(self, window: QWidget, session: Session, annotating: Annotating, saving: Saving) -> None:
        """Make them.

        Args:
            window: Parent of the dialogs.
            session: Has the prediction, and runs work.
            annotating: Gets segments.
            saving: Asks about files.
        """
        super().__init__(window)
        self._window = window
        self._session = session
        self._annotating = annotating
        self._saving = saving
        saving.recoverable.connect(self._offer_recovery)
        saving.conflict.connect(self._ask_about_conflict)
        saving.locked.connect(self._ask_about_lock)

    def choose_classes(self) -> None:
        """Ask which classes of the prediction become segments."""
        document = self._session.document
        panorama, prediction = document.panorama, document.prediction
        if panorama is None or prediction is None or prediction.classes is None:
            self.noted.emit(tr("There are no classes yet; run the model first."))
        elif self._annotating.may_edit():
            dialog = ClassesDialog(prediction.class_names, self._session.summary.class_shares, self._window)
            dialog.chosen.connect(lambda classes, apart: self._add_classes(panorama, prediction, classes, apart))
            dialog.open()

    def choose_color(self) -> None:
        """Ask for a colour of the selected segments' own."""
        segments = self._annotating.selected_segments
        if not segments:
            return
        dialog = QColorDialog(QColor(*color_of(segments[0], self._annotating.labels)), self._window)
        dialog.setObjectName("segment_color")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.colorSelected.connect(
            lambda color: self._annotating.change_selected(
                tr("Colour"), color=(color.red(), color.green(), color.blue())
            )
        )
        dialog.open()

    def copy_to(self, pictures: Sequence[Path]) -> None:
        """Ask whether the selected segments, such as that of a tripod, shall be in all of these pictures."""
        scene, segments = self._annotating.scene, self._annotating.selected_segments
        if scene is None or not segments:
            return
        photos = [path for path in pictures if path != scene.panorama.path]
        names = ", ".join(segment.label or tr("segment {number}", number=segment.number) for segment in segments)
        text = tr(
            "Write {names} into the annotations of {count} other pictures of the list?", names=names, count=len(photos)
        )
        more = tr(
            "\n\nThey should be taken with the same camera on the same tripod. Files that are changed keep a copy."
        )
        act = partial(self._saving.copy_to, photos, segments, scene.labels)
        ask(self._window, "copy", tr("Copy to all pictures"), text + more, [(tr("Copy"), act)])

    # ----- within -----

    def _add_classes(self, panorama: Panorama, prediction: Prediction, classes: Sequence[int], apart: bool) -> None:
        if self._session.document.panorama is not panorama:
            self.told.emit(tr("Another panorama has been opened meanwhile; choose its classes."))
            return
        height, width = panorama.height, panorama.width

        def find(progress: Progress) -> list[Segment]:
            segments: list[Segment] = []
            for done, index in enumerate(classes):
                progress(done, len(classes))
                pieces = class_segments(prediction, prediction.class_names[index], height, width)
                if pieces and not apart:
                    pieces = (replace(pieces[0], mask=reduce(or_, [piece.mask for piece in pieces])),)
                segments += pieces
            return segments

        def done(segments: list[Segment]) -> None:
            if not segments or self._annotating.add(
                segments, tr("Add {count} segments of classes", count=len(segments))
            ):
                self.told.emit(tr("{count} segments added.", count=len(segments)))

        self._session.jobs.run(tr("Cutting out classes"), find, done=done, key="classes")

    def _offer_recovery(self, recovery: Recovery) -> None:
        dialog = RecoveryDialog(recovery, self._window)
        answers = {True: partial(self._saving.recover, accept=True), False: partial(self._saving.recover, accept=False)}
        dialog.answered.connect(lambda answer: answers.get(answer, self._saving.recover_later)())
        photo = self._session.pyramid
        if photo is not None:

            def paint(_progress: Progress) -> NDArray[np.uint8]:
                return preview(recovery, photo)

            self._session.jobs.run(
                tr("Preparing a preview"),
                paint,
                done=self._show_preview,
                key="recovery",
                visible=False,
            )
        dialog.open()

    def _show_preview(self, picture: NDArray[np.uint8]) -> None:
        dialog = self._window.findChild(RecoveryDialog, "recovery")
        if dialog is not None:
            dialog.set_preview(picture)

    def _ask_about_conflict(self, error: Exception) -> None:
        answers: list[tuple[str, Callable[[], object]]] = [(tr("Read theirs"), self._saving.read_again)]
        text = tr("{error}\n\nRead theirs shows what is in the file now.", error=error)
        if self._saving.is_modified:
            answers.append((tr("Keep mine"), partial(self._saving.save, overwrite=True)))
            text = tr(
                "{error}\n\nRead theirs shows what is in the file now; edits of yours that are not in it are dropped. "
                "Keep mine writes yours over it; what is in the file now becomes its previous generation. "
                "Decide later leaves both as they are; saving asks again.",
                error=error,
            )
        ask(self._window, "conflict", tr("The annotations have changed"), text, answers, otherwise=tr("Decide later"))

    def _ask_about_lock(self, error: Exception) -> None:
        ask(
            self._window,
            "locked",
            tr("The project is open elsewhere"),
            tr("{error}\n\nUntil then its segments can be looked at, not edited.", error=error),
            [(tr("Take it over"), self._saving.take_over)],
            otherwise=tr("Look only"),
        )
