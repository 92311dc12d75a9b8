"""Looking around: drags and the wheel are the views' own, a click brings a direction into the other view."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt

from panoviewer.stage import SphereView, Stage
from panoviewer.tools.tool import Tool
from panoviewer.viewpoint import Viewpoint
from panoviewer.views.mouse import Pointer


class NavigateTool(Tool):
    """The tool that is in use when no other is."""

    def __init__(self, stage: Stage, viewpoint: Viewpoint, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stage = stage
        self._viewpoint = viewpoint

    def click(self, view: SphereView, pointer: Pointer) -> None:
        """In the panorama: look there. In the look-around view: scroll the panorama there."""
        if pointer.button != Qt.MouseButton.LeftButton:
            return
        if view is self._stage.erp:
            self._viewpoint.look_at(pointer.direction)
        else:
            self._stage.erp.show_direction(pointer.direction)
