"""Which layers lie over the photograph, how strongly, and what their colours mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from core.colors import COLORMAPS
from core.prediction import Prediction
from panoviewer.panels.range_plot import RangePlot
from panoviewer.summary import NO_LIMITS, Summary
from panoviewer.translation import mark, tr
from panoviewer.views.overlay import Layer, OverlayStyle

TITLES = {
    Layer.DEPTH: mark("Depth"),
    Layer.NORMALS: mark("Normals"),
    Layer.CLASSES: mark("Classes"),
    Layer.FAR: mark("Far (sky)"),
}


class LayersPanel(QWidget):
    """Edits an `OverlayStyle`.

    Signals:
        style_changed(object): The user wants this `OverlayStyle`.
    """

    style_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._style = OverlayStyle()
        self._default_limits = NO_LIMITS
        self._boxes: dict[Layer, QCheckBox] = {}
        self._sliders: dict[Layer, QSlider] = {}
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        for row, layer in enumerate(Layer):
            box = QCheckBox(tr(TITLES[layer]))
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setRange(0, 100)
            slider.setAccessibleName(tr("Opacity of {layer}", layer=tr(TITLES[layer]).lower()))
            slider.setToolTip(tr("Opacity"))
            box.toggled.connect(lambda checked, layer=layer: self._change(layer, visible=checked))
            slider.valueChanged.connect(lambda value, layer=layer: self._change(layer, opacity=value / 100))
            grid.addWidget(box, row, 0)
            grid.addWidget(slider, row, 1)
            self._boxes[layer], self._sliders[layer] = box, slider

        self._color_map = QComboBox()
        self._color_map.setAccessibleName(tr("Colour map of the depth"))
        self._color_map.setIconSize(QSize(72, 12))
        self._color_map.addItems(COLORMAPS)
        self._color_map.currentTextChanged.connect(lambda name: self._emit(replace(self._style, color_map=name)))
        self._plot = RangePlot()
        self._plot.limits_changed.connect(lambda limits: self._emit(replace(self._style, limits=limits)))
        self._depth_title = QLabel(tr("Depth in metres"))
        self._depth_title.setObjectName("quiet")
        depth_row = QHBoxLayout()
        depth_row.addWidget(self._depth_title, 1)
        depth_row.addWidget(self._color_map)
        self._depth = QWidget()
        depth_layout = QVBoxLayout(self._depth)
        depth_layout.setContentsMargins(0, 0, 0, 0)
        depth_layout.addLayout(depth_row)
        depth_layout.addWidget(self._plot)

        self._legend = QListWidget()
        self._legend.setAccessibleName(tr("Classes"))
        self._legend.setToolTip(tr("Click a class to see only that one; click it again to see all."))
        self._legend.itemClicked.connect(self._isolate)
        self._legend_title = QLabel(tr("Classes, share of the sphere"))
        self._legend_title.setObjectName("quiet")

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)
        layout.addWidget(self._depth)
        layout.addWidget(self._legend_title)
        layout.addWidget(self._legend, 1)
        layout.addStretch(0)
        self.set_prediction(None, Summary())
        self.set_style(self._style)

    def set_style(self, style: OverlayStyle) -> None:
        """Show another style."""
        self._style = style
        for layer, (box, slider) in {name: (self._boxes[name], self._sliders[name]) for name in Layer}.items():
            with QSignalBlocker(box), QSignalBlocker(slider):
                box.setChecked(style.layers[layer].visible)
                slider.setValue(round(style.layers[layer].opacity * 100))
        with QSignalBlocker(self._color_map):
            self._color_map.setCurrentText(style.color_map)
        self._plot.set_color_map(style.color_map)
        self._plot.set_limits(style.limits or self._default_limits)

    def set_prediction(self, prediction: Prediction | None, summary: Summary) -> None:
        """Offer the layers that there are, and say what is in them.

        Args:
            prediction: What the model said, or None.
            summary: The same in numbers.
        """
        self._default_limits = summary.limits
        present = {} if prediction is None else prediction.maps()
        for layer in Layer:
            self._boxes[layer].setEnabled(layer.value in present)
            self._sliders[layer].setEnabled(layer.value in present)
        has_depth = Layer.DEPTH.value in present
        has_classes = Layer.CLASSES.value in present
        self._depth.setVisible(has_depth)
        self._legend.setVisible(has_classes)
        self._legend_title.setVisible(has_classes)
        if prediction is not None and has_depth:
            self._plot.set_histogram(summary.log_edges, summary.counts, self._style.limits or summary.limits)
            self._depth_title.setText(tr("Depth in metres") if prediction.is_metric else tr("Depth, relative"))
        if prediction is not None and has_classes:
            self._fill_legend(prediction.class_names, summary)

    def _fill_legend(self, names: tuple[str, ...], summary: Summary) -> None:
        """The classes that occur, the largest first."""
        self._legend.clear()
        for index, share in summary.class_shares:
            text = f"{names[index]}   {100 * share:.0f} %" if share >= 0.01 else names[index]
            item = QListWidgetItem(_swatch(summary.palette[index]), text)
            item.setData(Qt.ItemDataRole.UserRole, index)
            self._legend.addItem(item)

    def _isolate(self, item: QListWidgetItem) -> None:
        index = item.data(Qt.ItemDataRole.UserRole)
        if self._style.isolated_class == index:
            index = None
            self._legend.clearSelection()
        style = replace(self._style, isolated_class=index)
        if not style.layers[Layer.CLASSES].visible:
            style = style.with_layer(Layer.CLASSES, visible=True)
        self._emit(style)

    def _change(self, layer: Layer, **changes: object) -> None:
        self._emit(self._style.with_layer(layer, **changes))

    def _emit(self, style: OverlayStyle) -> None:
        self.set_style(style)
        self.style_changed.emit(style)


def _swatch(rgb: np.ndarray) -> QIcon:
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(*(int(value) for value in rgb)))
    return QIcon(pixmap)
