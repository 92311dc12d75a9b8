"""Measuring in the window: what the clicks of the tool mean in metres, drawn in all views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication

from core.measure import CannotMeasure, Measurement, locate, measure, number
from panoviewer.panels.measure_strip import MeasureStrip
from panoviewer.pointing import Pointing
from panoviewer.session import Session
from panoviewer.stage import Stage
from panoviewer.tools.measure_tool import MeasureTool
from panoviewer.translation import mark, tr
from panoviewer.views.marks import Mark, PathMark, PointMark, Sign, TextMark

HELP = mark("Click two points in any view; more clicks make a line. Enter ends it, Backspace takes a point back.")
ESTIMATING = mark("The depth is being estimated; what was clicked is measured then.")


class Measuring(QObject):
    """Joins the tool, the strip, the depth and the views.

    The line between two points, as it is seen from the camera, is the great circle between their directions: that is
    what the views of the sphere draw. In 3D it is the straight line itself.

    Attributes:
        tool: Collects the clicks.
        strip: Tells what they measure; to be shown above the views.

    Signals:
        length_typed(object, float): This `Measurement`, a line, is so many metres long.
    """

    length_typed = Signal(object, float)

    def __init__(
        self,
        session: Session,
        stage: Stage,
        pointing: Pointing,
        *,
        set_marks: Callable[[Sequence[Mark]], object],
        parent: QObject | None = None,
    ) -> None:
        """Connect them.

        Args:
            session: Has the depth.
            stage: Has the views.
            pointing: Knows how the cloud lies to the photograph.
            set_marks: Draws in the views of the sphere.
            parent: Its parent.
        """
        super().__init__(parent)
        self._session = session
        self._stage = stage
        self._pointing = pointing
        self._set_marks = set_marks
        self._measured: Measurement | None = None
        self._has_drawn = False
        self._known: tuple[tuple[object, ...], Measurement] | None = None
        self.tool = MeasureTool(self)
        self.tool.refusal = self._refusal
        self.strip = MeasureStrip()
        self.tool.changed.connect(self.refresh)
        self.tool.copy_wanted.connect(self.copy)
        self.strip.copy_wanted.connect(self.copy)
        self.strip.length_typed.connect(self._take_length)
        stage.cloud.clicked.connect(self._click_cloud)
        stage.cloud.hovered.connect(self._hover_cloud)
        session.opened.connect(self.tool.clear)
        session.predicted.connect(self.refresh)
        session.cloud_built.connect(lambda _buffer: self.refresh())
        session.jobs.changed.connect(self._follow_jobs)

    def refresh(self) -> None:
        """Measure again, and draw it."""
        tool = self.tool
        self.strip.setVisible(tool.in_use)
        if not tool.in_use:
            if self._has_drawn:
                self._measured = None
                self._set_marks(())
                self._stage.cloud.set_line(np.empty((0, 3)))
            self._has_drawn = False
            return
        self._has_drawn = True
        corners = [*tool.corners]
        self._measured = shown = self._measure()
        if tool.cursor is not None and shown is not None and self._session.document.prediction is not None:
            # Where the cursor points at nothing that can be measured, the line ends with the last click.
            with suppress(CannotMeasure):
                shown = shown.with_point(locate(self._session.document.prediction, tool.cursor))
                corners.append(tool.cursor)
        if shown is not None:
            told = f"{tool.refused} {shown.text(tr)}" if tool.refused else shown.text(tr)
            self.strip.tell(told, has_length=len(tool.corners) > 1, has_value=True)
        self._draw(corners, shown)

    def copy(self) -> None:
        """Put the readout of what was clicked into the clipboard."""
        if self._measured is not None:
            QGuiApplication.clipboard().setText(self._measured.text(tr))

    def start(self) -> None:
        """The tool was chosen: there should be a depth."""
        if self._session.document.prediction is None and not self._session.predicting:
            self._session.predict()

    def _refusal(self, direction: NDArray[np.float64]) -> str:
        """Why a direction cannot be measured; before there is a depth, nothing is known against it."""
        prediction = self._session.document.prediction
        if prediction is None:
            return ""
        try:
            locate(prediction, direction)
        except CannotMeasure as error:
            return str(error)
        return ""

    def _measure(self) -> Measurement | None:
        """What the clicks measure; where they cannot be, the strip says why."""
        document, corners = self._session.document, self.tool.corners
        panorama, prediction = document.panorama, document.prediction
        if panorama is None or not corners:
            self.strip.tell(self.tool.refused or tr(HELP), has_length=False, has_value=False)
            return None
        key = panorama, prediction, corners
        if self._known is not None and all(old is new for old, new in zip(self._known[0], key, strict=True)):
            # While the mouse moves, nothing but the cursor is new.
            return self._known[1]
        try:
            is_scaled = prediction is not None and self._session.scale_shown.scales(prediction)
            measured = measure(panorama, prediction, np.stack(corners), is_scaled=is_scaled)
        except CannotMeasure as error:
            is_coming = prediction is None and self._session.predicting
            self.strip.tell(tr(ESTIMATING) if is_coming else str(error), has_length=False, has_value=False)
            return None
        self._known = key, measured
        return measured

    def _draw(self, corners: Sequence[NDArray[np.float64]], shown: Measurement | None) -> None:
        marks: list[Mark] = []
        texts: list[str] = []
        if len(corners) > 1:
            marks.append(PathMark(np.stack(corners)))
        if len(corners) > 2:
            marks.append(PathMark(np.stack([corners[-1], corners[0]]), dashed=True))
        marks += [PointMark(corner, Sign.CORNER) for corner in corners]
        if shown is not None:
            unit = " m" if shown.is_metric else ""
            texts = [f"{number(length)}{unit}" for length in shown.lengths]
            middles = (shown.points[1:] + shown.points[:-1]) / 2
            far = np.linalg.norm(middles, axis=1) > 0
            marks += [
                TextMark(middle / np.linalg.norm(middle), text)
                for middle, text, is_far in zip(middles, texts, far, strict=True)
                if is_far
            ]
        self._set_marks(marks)
        points = np.empty((0, 3)) if shown is None else shown.points @ self._pointing.photo_from_cloud()
        self._stage.cloud.set_line(points, texts, closed=len(points) > 2)

    def _take_length(self, length: float) -> None:
        if self._measured is not None and len(self._measured.points) > 1:
            self.length_typed.emit(self._measured, length)

    def _click_cloud(self, point: NDArray[np.float64] | None) -> None:
        direction = self._toward(point)
        if self.tool.in_use and direction is not None:
            self.tool.add(direction)

    def _hover_cloud(self, point: NDArray[np.float64] | None) -> None:
        if self.tool.in_use:
            self.tool.point(self._toward(point))

    def _toward(self, point: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        """(3,) the direction, in the photograph's frame, of a point of the cloud; None for none."""
        if point is None or not point.any():
            return None
        direction: NDArray[np.float64] = self._pointing.photo_from_cloud() @ (point / np.linalg.norm(point))
        return direction

    def _follow_jobs(self) -> None:
        if self.tool.in_use and self._measured is None and self.tool.corners:
            self.refresh()
