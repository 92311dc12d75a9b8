"""Which masks are seen and how: the segments, what a tool is making, and for a moment nothing but the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QObject

from core.labels import color_of
from core.mask import SphereMask
from panoviewer.annotating import Annotating
from panoviewer.stage import Stage
from panoviewer.views.marks import Mark, Marks
from panoviewer.views.masks import MaskLayer, Rgb

OPACITY = 0.35
SELECTED_OPACITY = 0.5
OUTLINE: Rgb = (235, 238, 243)
SELECTED_OUTLINE: Rgb = (255, 180, 84)
PREVIEW: Rgb = (80, 200, 255)
PREVIEW_OPACITY = 0.45


class MaskDisplay(QObject):
    """Draws the scene's segments and a tool's preview on the stage, at every change of either."""

    def __init__(self, stage: Stage, annotating: Annotating, parent: QObject | None = None) -> None:
        """Make it; `refresh` is to be called when the scene has changed.

        Args:
            stage: Draws.
            annotating: Knows what is selected and hidden.
            parent: Its parent.
        """
        super().__init__(parent)
        self._stage = stage
        self._annotating = annotating
        self._previews: dict[QObject, tuple[tuple[MaskLayer, ...], int | None]] = {}
        self._marks: Marks = ()
        self._bare = False
        annotating.selection_changed.connect(self.refresh)
        annotating.visibility_changed.connect(self.refresh)

    @property
    def preview(self) -> list[MaskLayer]:
        """All that is drawn over the segments."""
        return [layer for layers, _ in self._previews.values() for layer in layers]

    def set_preview(self, owner: QObject, layers: Sequence[MaskLayer] = (), *, instead_of: int | None = None) -> None:
        """Draw what is being made over the segments, in place of what the same owner has shown before.

        Args:
            owner: Who makes it.
            layers: What to draw; nothing ends the preview.
            instead_of: Number of a segment that is not drawn meanwhile.
        """
        before = self._previews.pop(owner, None)
        if layers or instead_of is not None:
            self._previews[owner] = tuple(layers), instead_of
        if before is not None or owner in self._previews:
            self.refresh()

    def set_marks(self, marks: Sequence[Mark] = ()) -> None:
        """Draw a tool's points and lines in place of those before."""
        self._marks = marks
        self._stage.set_marks(() if self._bare else marks)

    def set_bare(self, *, bare: bool) -> None:
        """Hide masks and marks for a moment."""
        self._bare = bare
        self.refresh()
        self._stage.set_marks(() if bare else self._marks)

    def refresh(self) -> None:
        """Draw what there is now."""
        annotating, labels = self._annotating, self._annotating.labels
        replaced = {number for _, number in self._previews.values()}
        layers = []
        for segment in annotating.segments:
            if annotating.is_visible(segment.number) and segment.number not in replaced:
                is_selected = segment.number in annotating.selected
                layers.append(
                    MaskLayer(
                        segment.mask,
                        color_of(segment, labels),
                        SELECTED_OPACITY if is_selected else OPACITY,
                        SELECTED_OUTLINE if is_selected else OUTLINE,
                    )
                )
        layers += self.preview
        if self._bare:
            # The same masks without colour: to leave them out would mean to draw them all again afterwards.
            layers = [replace(layer, opacity=0.0, outline=None) for layer in layers]
        self._stage.set_masks(layers)


def preview_layer(mask: SphereMask) -> MaskLayer:
    """How a mask looks that is not part of the scene yet."""
    return MaskLayer(mask, PREVIEW, PREVIEW_OPACITY, (255, 255, 255))
