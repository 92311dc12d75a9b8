"""How often each depth occurs, and which depths the colours span."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtWidgets import QWidget

from core.colors import colormap
from panoviewer.translation import tr

GREY = "#7d8590"
"""Told apart from the window in both themes."""


class DepthAxis(pg.AxisItem):  # type: ignore[misc]
    """Ticks at round metres on an axis that holds their logarithm."""

    FINENESS = ((1, 2, 5), (1.5, 3, 7), (4, 6, 8), (1.2, 1.7, 2.5, 3.5, 4.5, 9), tuple(n / 10 for n in range(10, 100)))
    """Numbers between 1 and 10, the roundest first: those that come later fill what those before have left free."""
    ROOM_PX = 32
    ENOUGH = 5

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N803
        """The round depths within reach, as many as have room."""
        gap = (maxVal - minVal) * self.ROOM_PX / max(size, 1)
        ticks: list[float] = []
        decades = range(math.floor(minVal), math.ceil(maxVal) + 1)
        for numbers in self.FINENESS:
            if len(ticks) >= self.ENOUGH:
                break
            for value in sorted(math.log10(number) + decade for decade in decades for number in numbers):
                inside = minVal <= value <= maxVal
                if inside and all(abs(value - tick) >= gap for tick in ticks):
                    ticks.append(value)
        return [(1.0, sorted(ticks))]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: ARG002
        """Metres."""
        return [f"{10**value:g}" for value in values]


class RangePlot(pg.PlotWidget):  # type: ignore[misc]
    """A histogram over the logarithm of the depth with a region to drag; a double click takes the region back.

    Signals:
        limits_changed(object): (low, high) in the unit of the depth, or None for the default.
    """

    limits_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=None, axisItems={"bottom": DepthAxis("bottom")})
        self.setAccessibleName(tr("Depth range of the colours"))
        self.setToolTip(
            tr("Drag the borders to change the depths that the colours span; double click for the default.")
        )
        self.setFixedHeight(108)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.hideAxis("left")
        self.getViewBox().setMouseEnabled(x=False, y=False)
        self.getViewBox().setDefaultPadding(0)
        axis = self.getAxis("bottom")
        axis.setPen(pg.mkPen(GREY))
        axis.setTextPen(pg.mkPen(GREY))
        axis.setStyle(tickLength=-4)
        self._curve = pg.PlotDataItem(stepMode="center", fillLevel=0, pen=None, brush=QColor(GREY))
        self._bar = pg.ImageItem(axisOrder="row-major")
        self._region = pg.LinearRegionItem(
            brush=QColor(255, 180, 84, 28), hoverBrush=QColor(255, 180, 84, 48), pen=pg.mkPen("#d98a2b", width=1.5)
        )
        self.addItem(self._bar)
        self.addItem(self._curve)
        self.addItem(self._region)
        self._region.sigRegionChanged.connect(self._emit)

    def changeEvent(self, event: QEvent) -> None:
        """In another theme, the background that is kept is still that of the one before."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self.resetCachedContent()
            self.viewport().update()

    def set_histogram(
        self, log_edges: NDArray[np.float64], counts: NDArray[np.float64], limits: tuple[float, float]
    ) -> None:
        """Show another prediction.

        Args:
            log_edges: (n + 1,) decimal logarithms of depths.
            counts: (n,) how often the depths between them occur; 1 is the full height.
            limits: What the colours span.
        """
        low = min(float(log_edges[0]), math.log10(limits[0]))
        high = max(float(log_edges[-1]), math.log10(limits[1]))
        self._curve.setData(log_edges, counts)
        self.setXRange(low, high, padding=0)
        self.setYRange(-0.22, 1.0, padding=0)
        with QSignalBlocker(self._region):
            self._region.setBounds((low, high))
        self.set_limits(limits)

    def set_limits(self, limits: tuple[float, float]) -> None:
        """Show which depths the colours span."""
        with QSignalBlocker(self._region):
            self._region.setRegion((math.log10(limits[0]), math.log10(limits[1])))
        self._place_bar()

    def set_color_map(self, name: str) -> None:
        """Show the colours."""
        self._bar.setImage(np.asarray(colormap(name))[None])
        self._place_bar()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Back to the default."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.limits_changed.emit(None)

    def _emit(self) -> None:
        self._place_bar()
        low, high = self._region.getRegion()
        self.limits_changed.emit((10**low, max(10**high, 10**low * 1.01)))

    def _place_bar(self) -> None:
        low, high = self._region.getRegion()
        self._bar.setRect(QRectF(low, -0.2, max(high - low, 1e-6), 0.16))
