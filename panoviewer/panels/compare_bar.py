"""What is compared with what, how it is shown, and how alike the two are in numbers."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from core.comparison import Figures
from panoviewer.images import qimage_from_array
from panoviewer.translation import tr
from panoviewer.views.difference import Legend

RAMP_WIDTH, RAMP_HEIGHT = 140, 12


class CompareBar(QFrame):
    """Two lines above the views while two predictions, or two masks, are compared.

    Signals:
        mode_changed(bool): Show the difference (True), or a divider between the two (False).
        matching_changed(bool): Whether the depth of B is brought to the scale of A.
        closed: The comparison is over.
    """

    mode_changed = Signal(bool)
    matching_changed = Signal(bool)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("hints")
        self._names = QLabel()
        self._names.setObjectName("count")
        self._names.setMinimumWidth(1)
        self.swipe = QPushButton(tr("Swipe"))
        self.swipe.setToolTip(tr("A on the left of a line that can be dragged, B on the right."))
        self.difference = QPushButton(tr("Difference"))
        self.difference.setToolTip(tr("Where the two differ; of predictions, in the layer that is shown."))
        for button, is_difference in ((self.swipe, False), (self.difference, True)):
            button.setObjectName("hint")
            button.setCheckable(True)
            button.clicked.connect(lambda _on, is_difference=is_difference: self.mode_changed.emit(is_difference))
        self.matching = QCheckBox(tr("Same scale"))
        self.matching.setToolTip(
            tr("Multiply the depth of B by the median of A / B, so that only the shapes are compared.")
        )
        self.matching.toggled.connect(self.matching_changed)
        close = QToolButton()
        close.setText("✕")
        close.setAutoRaise(True)
        close.setAccessibleName(tr("End the comparison"))
        close.clicked.connect(self.closed)
        self._figures = QLabel()
        self._figures.setAccessibleName(tr("How alike they are"))
        self._figures.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._figures.setMinimumWidth(1)
        self._legend = QHBoxLayout()
        self._legend.setSpacing(6)
        self._legend_labels: list[QLabel] = []
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self._names, 1)
        for widget in (self.swipe, self.difference, self.matching, close):
            top.addWidget(widget)
        below = QHBoxLayout()
        below.setSpacing(18)
        below.addWidget(self._figures, 1)
        below.addLayout(self._legend)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 2, 6, 4)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addLayout(below)
        self.hide()

    @property
    def text(self) -> str:
        """The numbers that are shown."""
        return self._figures.text()

    @property
    def legend_text(self) -> str:
        """The words of the legend; empty when there is none."""
        return " ".join(label.text() for label in self._legend_labels if label.text())

    def set_names(self, a: str, b: str) -> None:
        """Say what is compared."""
        self._names.setText(f"A: {a}      B: {b}")
        self._names.setToolTip(self._names.text())

    def set_mode(self, *, is_difference: bool, is_matching: bool, has_depth: bool) -> None:
        """Show what was chosen."""
        self.swipe.setChecked(not is_difference)
        self.difference.setChecked(is_difference)
        with QSignalBlocker(self.matching):
            self.matching.setChecked(is_matching)
        self.matching.setVisible(has_depth)

    def show_masks(self, a: str, b: str, text: str, legend: Legend | None, *, is_difference: bool) -> None:
        """Compare two masks, which have no scale."""
        self.set_names(a, b)
        self.set_mode(is_difference=is_difference, is_matching=False, has_depth=False)
        self._figures.setText(text)
        self._figures.setToolTip(text)
        self.set_legend(legend)
        self.show()

    def set_figures(self, figures: Figures | None, scale: float = 1.0) -> None:
        """Show numbers, or that they are on their way."""
        text = tr("Comparing…") if figures is None else describe_figures(figures, scale)
        self._figures.setText(text)
        self._figures.setToolTip(text)

    def set_legend(self, legend: Legend | None) -> None:
        """Show what the colours mean, or nothing."""
        for label in self._legend_labels:
            self._legend.removeWidget(label)
            label.deleteLater()
        self._legend_labels = [] if legend is None else _labels(legend)
        for label in self._legend_labels:
            self._legend.addWidget(label)


def describe_figures(figures: Figures, scale: float) -> str:
    """The numbers in words, in one line."""
    parts = []
    if figures.abs_rel is not None:
        scaled = "" if scale == 1 else tr(" after B × {scale:.4g}", scale=scale)
        parts.append(
            tr(
                "depth: AbsRel {abs_rel:.4f}{scaled}{of}",
                abs_rel=figures.abs_rel,
                scaled=scaled,
                of=_of(figures.depth_share),
            )
        )
    if figures.mean_angle is not None:
        parts.append(
            tr(
                "normals: {mean_angle:.2f}° apart{of}",
                mean_angle=math.degrees(figures.mean_angle),
                of=_of(figures.normals_share),
            )
        )
    if figures.agreement is not None:
        parts.append(
            tr("classes: {agreement:.1f} % agree{of}", agreement=100 * figures.agreement, of=_of(figures.classes_share))
        )
    if figures.far_iou is not None:
        parts.append(tr("far: IoU {far_iou:.4f}", far_iou=figures.far_iou))
    return "      ".join(parts) or tr("The two have nothing in common that could be compared.")


def _labels(legend: Legend) -> list[QLabel]:
    if not legend.is_list:
        return [QLabel(legend.labels[0]), _picture(legend.colors, RAMP_WIDTH), QLabel(legend.labels[-1])]
    labels = []
    for color, text in zip(legend.colors, legend.labels, strict=True):
        labels += [_picture(color[None], RAMP_HEIGHT), QLabel(text)]
    return labels


def _of(share: float) -> str:
    return "" if share > 0.9995 else tr(" on {share:.1f} % of the sphere", share=100 * share)


def _picture(colors: np.ndarray, width: int) -> QLabel:
    """(n, 3) colours side by side."""
    columns = np.linspace(0, len(colors) - 1, width).round().astype(int)
    row = np.repeat(colors[columns][None], RAMP_HEIGHT, axis=0)
    label = QLabel()
    label.setPixmap(QPixmap.fromImage(qimage_from_array(np.ascontiguousarray(row)).copy()))
    return label
