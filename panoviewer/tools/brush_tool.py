"""Brush and eraser: a disc of the same angle everywhere on the sphere, also across the seam and over the poles."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from core.labels import color_of, palette_color
from core.mask import SphereMask
from core.scene import Segment
from core.segment.brush import Stroke
from panoviewer.annotating import Annotating
from panoviewer.mask_display import SELECTED_OPACITY, MaskDisplay
from panoviewer.mask_edits import MaskEdits, Operation, ShapeEdit
from panoviewer.stage import SphereView
from panoviewer.tools.annotation_tool import ENTER, AnnotationTool
from panoviewer.translation import mark, tr
from panoviewer.views.marks import PathMark, circle
from panoviewer.views.masks import MaskLayer, Rgb
from panoviewer.views.mouse import Pointer

SMALLEST_DEG, LARGEST_DEG = 0.05, 60.0
FIRST_DEG = 4.0
STEP = 1.25
LARGEST_PIECE = 64
"""Steps of a stroke whose pixels are drawn as one mask; more masks cost time, larger ones are costly to join."""
BRUSH_HELP = mark(
    "Paint on the selected segment, or a new one; Enter ends it. Alt erases, Ctrl + wheel changes the size."
)
ERASER_HELP = mark("Erase from the selected segment, or the one under the cursor. Ctrl + wheel changes the size.")


class BrushSize(QObject):
    """How wide brush and eraser are.

    Signals:
        changed(float): So many degrees now.
    """

    changed = Signal(float)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._degrees = FIRST_DEG

    @property
    def degrees(self) -> float:
        """From rim to rim."""
        return self._degrees

    @property
    def radius(self) -> float:
        """Half of it, in radians."""
        return math.radians(self._degrees / 2)

    def set_degrees(self, degrees: float) -> None:
        """Make them so wide, within bounds."""
        degrees = min(max(degrees, SMALLEST_DEG), LARGEST_DEG)
        if degrees != self._degrees:
            self._degrees = degrees
            self.changed.emit(degrees)

    def step(self, steps: float) -> None:
        """Make them wider, or with a negative number narrower."""
        self.set_degrees(self._degrees * STEP**steps)


class BrushTool(AnnotationTool):
    """Strokes over a segment are shown while they are drawn, and become an edit when the button goes up."""

    buttons = Qt.MouseButton.LeftButton
    shape = Qt.CursorShape.BlankCursor
    ends = (Qt.Key.Key_Escape, *ENTER)

    def __init__(
        self,
        annotating: Annotating,
        display: MaskDisplay,
        edits: MaskEdits,
        size: BrushSize,
        *,
        positive: bool,
        parent: QObject | None = None,
    ) -> None:
        """Make it.

        Args:
            annotating: Knows the segment to paint on.
            display: Shows the stroke.
            edits: Makes it an edit.
            size: Of brush and eraser.
            positive: Whether it paints; otherwise it erases.
            parent: Its parent.
        """
        super().__init__(annotating, display, parent)
        self._edits = edits
        self._size = size
        self._positive = positive
        self._stroke: _Drawn | None = None
        self._drawn: dict[ShapeEdit, _Drawn] = {}
        self._cursor: NDArray[np.float64] | None = None
        self._is_used = False
        edits.changed.connect(self._forget_made)
        size.changed.connect(lambda _degrees: self._show_rim())

    def begin(self) -> None:
        """Say what to do."""
        self._is_used = True
        self.told.emit(tr(BRUSH_HELP if self._positive else ERASER_HELP))

    def end(self) -> None:
        """Strokes that were drawn are still made; the rim goes."""
        self._is_used = False
        self._cursor = None
        self._display.set_marks()
        self.told.emit("")

    def flush(self) -> None:
        """Make edits of all strokes."""
        self._lift()
        self._edits.flush()

    def press(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """Put the brush down."""
        positive = self._positive != pointer.holds(Qt.KeyboardModifier.AltModifier)
        scene, annotating = self._annotating.scene, self._annotating
        if not annotating.may_edit() or scene is None:
            return
        target = annotating.target
        if target is None and not annotating.selected and not positive:
            target = annotating.segment_at(*pointer.lonlat)
            if target is not None:
                annotating.select([target.number])
        if len(annotating.selected) > 1 and target is None:
            self.told.emit(tr("Several segments are selected; select one, or none to paint a new one."))
        elif target is None and not positive and not self._edits.waiting:
            self.told.emit(tr("There is nothing to erase here; select a segment."))
        elif target is None or not annotating.refused([target]):
            if target is not None:
                annotating.select([target.number])
            empty = SphereMask.empty(scene.panorama.height, scene.panorama.width)
            self._stroke = _Drawn(Stroke(empty, self._size.radius, positive=True), target, positive=positive)
            self._draw(pointer.direction)

    def drag(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """Go on."""
        self._draw(pointer.direction)

    def release(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """Make an edit of the stroke."""
        self._lift()

    def move(self, view: SphereView, pointer: Pointer | None) -> None:  # noqa: ARG002
        """The rim follows the mouse in both views."""
        self._cursor = None if pointer is None else pointer.direction
        self._show_rim()

    def wheel(self, view: SphereView, pointer: Pointer, steps: float) -> None:  # noqa: ARG002
        """Another size."""
        self._size.step(steps)

    def _draw(self, direction: NDArray[np.float64]) -> None:
        if self._stroke is not None:
            self._stroke.go_on(direction)
            self._show_strokes()

    def _lift(self) -> None:
        drawn, self._stroke = self._stroke, None
        if drawn is None:
            return
        edit = ShapeEdit(
            tr("Brush") if drawn.positive else tr("Erase"),
            Operation.ADD if drawn.positive else Operation.SUBTRACT,
            drawn.stroke.covered,
            None if drawn.target is None else drawn.target.number,
        )
        self._drawn[edit] = drawn
        self._edits.put(edit)

    def _forget_made(self) -> None:
        """Strokes that are part of their segments now need not be drawn any more."""
        if self._drawn:
            waiting = self._edits.waiting
            self._drawn = {edit: drawn for edit, drawn in self._drawn.items() if edit in waiting}
            self._show_strokes()

    def _show_strokes(self) -> None:
        layers: list[MaskLayer] = []
        for drawn in (*self._drawn.values(), *([self._stroke] if self._stroke is not None else [])):
            color, opacity = self._color(drawn.target), SELECTED_OPACITY if drawn.positive else 0.0
            layers += [MaskLayer(piece, color, opacity, None) for piece in drawn.pieces()]
        self._display.set_preview(self, layers)

    def _color(self, target: Segment | None) -> Rgb:
        labels, scene = self._annotating.labels, self._annotating.scene
        if target is not None:
            return color_of(target, labels)
        named = next((label.color for label in labels if label.name == self._annotating.label), None)
        return named or palette_color(scene.next_number - 1 if scene is not None else 0)

    def _show_rim(self) -> None:
        if self._is_used:
            marks = [] if self._cursor is None else [PathMark(circle(self._cursor, self._size.radius), closed=True)]
            self._display.set_marks(marks)


class _Drawn:
    """A stroke with the pieces by which it is shown, joined so that there are never many."""

    def __init__(self, stroke: Stroke, target: Segment | None, *, positive: bool) -> None:
        self.stroke = stroke
        self.target = target
        self.positive = positive
        self._pieces: list[tuple[int, SphereMask]] = []

    def go_on(self, direction: NDArray[np.float64]) -> None:
        fresh = self.stroke.move(direction)
        if fresh.is_empty:
            return
        self._pieces.append((1, fresh))
        while len(self._pieces) > 1 and self._pieces[-1][0] == self._pieces[-2][0] < LARGEST_PIECE:
            count, last = self._pieces.pop()
            _, before = self._pieces.pop()
            self._pieces.append((2 * count, before | last))

    def pieces(self) -> list[SphereMask]:
        return [piece for _, piece in self._pieces]
