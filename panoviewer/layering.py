"""Which layers lie over the photograph and how the points are coloured: one choice, kept the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction

from panoviewer.panels.cloud_panel import CloudPanel
from panoviewer.panels.layers_panel import LayersPanel
from panoviewer.session import Session
from panoviewer.settings import COLOR_MAP, Settings
from panoviewer.views.cloud_canvas import CloudColor
from panoviewer.views.cloud_view import CloudView
from panoviewer.views.overlay import Layer, OverlayStyle

COLOR_OF_LAYER = {
    Layer.DEPTH: CloudColor.DEPTH,
    Layer.NORMALS: CloudColor.NORMALS,
    Layer.CLASSES: CloudColor.CLASSES,
}


class Layering(QObject):
    """Holds the style of the overlay and brings it to session, panel, menu and 3D view.

    Signals:
        style_changed: It is drawn in another way.
    """

    style_changed = Signal()

    def __init__(
        self,
        session: Session,
        settings: Settings,
        *,
        panel: LayersPanel,
        cloud_panel: CloudPanel,
        cloud: CloudView,
        actions: Mapping[str, QAction],
        parent: QObject | None = None,
    ) -> None:
        """Connect them.

        Args:
            session: Paints the overlay.
            settings: Remembers the colour map.
            panel: Edits the style.
            cloud_panel: Edits the colours of the points.
            cloud: Shows the points.
            actions: Those named like a layer are checked while it shows.
            parent: Its parent.
        """
        super().__init__(parent)
        self._session = session
        self._settings = settings
        self._panel = panel
        self._cloud_panel = cloud_panel
        self._cloud = cloud
        self._actions = actions
        self._style = OverlayStyle(color_map=settings[COLOR_MAP])
        self._pending: Layer | None = None
        self._shows_first = False
        panel.style_changed.connect(self.set_style)
        cloud_panel.color_changed.connect(lambda _color: self.color_cloud())
        cloud_panel.see_through_changed.connect(lambda on: cloud.set_see_through(enabled=on))
        session.opened.connect(self._begin)
        session.predicted.connect(self._show_prediction)
        session.failed.connect(self._forget_pending)
        session.jobs.given_up.connect(self._forget_pending)
        self.set_style(self._style)

    @property
    def style(self) -> OverlayStyle:
        """How the layers are drawn."""
        return self._style

    def show(self, layer: Layer | None) -> None:
        """Show one layer alone; a second time, or None, shows the photo. Runs the model where needed."""
        if self._session.put_off(partial(self.show, layer)):
            self._check_actions()
            return
        if layer is not None and self._session.document.prediction is None:
            self._pending = layer
            if not self._session.predicting:
                self._session.predict()
            self._check_actions()
            return
        if layer is not None and self._style.visible() == [layer]:
            layer = None
        self.set_style(self._style.only(layer))

    def run(self) -> None:
        """Run the model; where no layer shows, the first that it tells of does when it is done."""
        if self._session.put_off(self.run):
            return
        self._shows_first = True
        self._session.predict()

    def set_style(self, style: OverlayStyle) -> None:
        """Draw the layers in another way."""
        self._style = style
        self._settings[COLOR_MAP] = style.color_map
        self._panel.set_style(style)
        self._session.set_style(style)
        self._check_actions()
        shown = [COLOR_OF_LAYER[layer] for layer in style.visible() if layer in COLOR_OF_LAYER]
        self._cloud_panel.set_color(shown[-1] if shown else CloudColor.RGB)
        self.color_cloud()
        self.style_changed.emit()

    def color_cloud(self) -> None:
        """Colour the points as the panel says, with the colours of the layers."""
        limits = self._style.limits or self._session.summary.limits
        self._cloud.set_colors(self._cloud_panel.color(), limits, self._style.color_map)

    def _begin(self) -> None:
        """Another panorama begins without layers and with limits of its own."""
        self._forget_pending()
        self.set_style(replace(self._style.only(None), limits=None, isolated_class=None))

    def _show_prediction(self) -> None:
        prediction = self._session.document.prediction
        self._panel.set_prediction(prediction, self._session.summary)
        if prediction is None:
            self.color_cloud()
            return
        layer, shows_first = self._pending, self._shows_first and not self._style.visible()
        self._forget_pending()
        if layer is None and shows_first:
            told = prediction.maps()
            layer = next((layer for layer in COLOR_OF_LAYER if layer.value in told), None)
        if layer is None:
            self.color_cloud()
        else:
            self.set_style(self._style.only(layer))

    def _forget_pending(self) -> None:
        self._pending, self._shows_first = None, False

    def _check_actions(self) -> None:
        for layer in COLOR_OF_LAYER:
            self._actions[layer.value].setChecked(self._style.layers[layer].visible)
