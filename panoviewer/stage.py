"""The three views and how they share the room; what is drawn on the sphere is drawn in both views of it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from core.mask import SphereMask
from core.pyramid import Pyramid
from panoviewer.views.cloud_view import CloudView
from panoviewer.views.erp_view import ErpView
from panoviewer.views.marks import Marks
from panoviewer.views.masks import MaskLayer, MaskMap
from panoviewer.views.perspective_cpu import Background
from panoviewer.views.perspective_view import PerspectiveView
from panoviewer.views.swipe_handle import SwipeHandle

SphereView = ErpView | PerspectiveView
"""A view of the sphere. Both have `mouse`, `direction_at`, `box_between`, `set_marks`, `set_masks`, `update_masks`."""


class Stage(QWidget):
    """The panorama on top, the look-around view and the 3D view below it.

    Signals:
        divided(float): The user wants the divider of `set_other` at this share of the width.
    """

    divided = Signal(float)

    def __init__(
        self, no_opengl: str | None, *, max_texture_width: int, background: Background, parent: QWidget | None = None
    ) -> None:
        """Make the views.

        Args:
            no_opengl: Why there is no OpenGL; None when there is.
            max_texture_width: Widest texture, in pixels.
            background: Runs the drawing without OpenGL.
            parent: Its parent.
        """
        super().__init__(parent)
        self.erp = ErpView()
        self.perspective = PerspectiveView(
            opengl=no_opengl is None, max_texture_width=max_texture_width, background=background
        )
        self.cloud = CloudView(no_opengl)
        self._pyramid: Pyramid | None = None
        self._overlay: Pyramid | None = None
        self._masks: MaskMap | None = None
        self._marks: Marks = ()
        self._other: Pyramid | None = None
        self._instead: Pyramid | None = None
        self._divider: float | None = None
        self._handles = [SwipeHandle(view) for view in self.sphere_views]
        for handle in self._handles:
            handle.moved.connect(self.divided)
        self.previewing = False
        lower = QSplitter(Qt.Orientation.Horizontal)
        lower.addWidget(self.perspective)
        lower.addWidget(self.cloud)
        lower.setSizes([500, 500])
        views = QSplitter(Qt.Orientation.Vertical)
        views.addWidget(self.erp)
        views.addWidget(lower)
        views.setSizes([480, 420])
        for splitter in (lower, views):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(views)

    @property
    def sphere_views(self) -> tuple[SphereView, SphereView]:
        """The views that show the sphere and to which tools listen."""
        return self.erp, self.perspective

    @property
    def settled(self) -> bool:
        """True when everything is on the screen."""
        return self.perspective.canvas.settled and self.cloud.settled

    def set_panorama(self, pyramid: Pyramid | None) -> None:
        """Show another picture, without overlay, masks and marks. After its preview the views stay as they are."""
        self._pyramid, self._overlay, self._marks = pyramid, None, ()
        self.set_other(None, None)
        self._masks = None if pyramid is None else MaskMap(*pyramid.levels[0].shape[:2])
        for view in self.sphere_views:
            view.set_panorama(pyramid, sharper=self.previewing)
            view.set_masks(self._masks)
        self.previewing = False

    def set_photo(self, pyramid: Pyramid) -> None:
        """Show the open panorama in other colours; all that lies over it stays."""
        self._pyramid = pyramid
        for view in self._shown():
            view.set_photo(pyramid)

    def preview(self, pyramid: Pyramid) -> None:
        """Show what will be opened, alone; what is shown from now on is shown when the preview ends."""
        self.previewing = True
        for view in self.sphere_views:
            view.set_panorama(pyramid)

    def end_preview(self) -> None:
        """It will not be opened: show everything again that was there before."""
        self.previewing = False
        for view in self.sphere_views:
            view.set_panorama(self._pyramid)
            view.set_overlay(self._instead or self._overlay)
            view.set_other(self._other, self._divider)
            view.set_masks(self._masks)
            view.set_marks(self._marks)

    def set_overlay(self, overlay: Pyramid | None) -> None:
        """Lay a premultiplied RGBA picture of any size over the photo."""
        self._overlay = overlay
        if self._instead is None:
            self._lay(overlay)

    def set_other(
        self,
        other: Pyramid | None,
        divider: float | None,
        *,
        movable: bool = False,
        instead: Pyramid | None = None,
    ) -> None:
        """Show another overlay instead, to the right of a share of the views' width.

        Args:
            other: A premultiplied RGBA picture of any size; None for the bare photo.
            divider: 0 is the left edge, 1 the right one; None shows the first overlay everywhere.
            movable: Show a handle by which the user moves it; see `divided`.
            instead: Shown to the left in place of the first overlay, until `set_other` is called without it.
        """
        if instead is not self._instead:
            self._instead = instead
            self._lay(instead or self._overlay)
        self._other, self._divider = other, divider
        for view in self._shown():
            view.set_other(other, divider)
        for handle in self._handles:
            handle.set_place(divider if movable else None)

    def move_divider(self, divider: float) -> None:
        """Have the divider of `set_other` at another share of the width."""
        self.set_other(self._other, divider, movable=True, instead=self._instead)

    def set_masks(self, layers: Sequence[MaskLayer]) -> None:
        """Lay these masks over the overlay, later ones over earlier ones, in place of those before.

        It is meant to be called with all that should be seen, at every change: a mask object that is passed again
        costs nothing, another colour or opacity next to nothing, and another mask the pixels of its box.

        Raises:
            ValueError: A mask has another grid than the panorama, or there is none.
        """
        if self._masks is None:
            if layers:
                raise ValueError("masks need an open panorama")
            return
        parts = self._masks.set_layers(layers)
        for view in self._shown():
            view.update_masks(parts)

    def prepare_mask(self, mask: SphereMask) -> None:
        """Unpack a mask that is going to be drawn; may be called in any thread. One of another grid is left alone."""
        masks = self._masks
        if masks is not None and masks.size == mask.size:
            masks.prepare(mask)

    def set_marks(self, marks: Marks) -> None:
        """Draw these points and lines over the masks, in place of those before."""
        self._marks = marks
        for view in self._shown():
            view.set_marks(marks)

    def _lay(self, overlay: Pyramid | None) -> None:
        for view in self._shown():
            view.set_overlay(overlay)

    def _shown(self) -> tuple[SphereView, ...]:
        """The views that show the open panorama."""
        return () if self.previewing else self.sphere_views

    def release(self) -> None:
        """Give the graphics card's memory back; to be called before the window goes."""
        self.perspective.canvas.release()
        self.cloud.close_canvas()
