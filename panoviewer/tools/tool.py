"""What a tool is: the one place that says what the mouse and the keys do in the views of the sphere.

A tool is told of gestures in directions, asks the session for work and shows what it has with `Stage.set_masks` and
`Stage.set_marks`. It never touches a view's pixels and knows nothing of OpenGL. An interactive segmentation, for one::

    class SegmentTool(Tool):
        buttons = Qt.MouseButton.LeftButton | Qt.MouseButton.RightButton
        shape = Qt.CursorShape.CrossCursor

        def click(self, view, pointer):
            negative = pointer.button == Qt.MouseButton.RightButton or pointer.holds(Qt.KeyboardModifier.ShiftModifier)
            lon, lat = pointer.lonlat
            self._clicks.append(Click(lon, lat, positive=not negative))
            jobs.run("Segmenting", ..., key="segment", done=self._show)          # an older run is cancelled

        def drag(self, view, pointer):                                           # a box, as this view sees it
            self._stage.set_marks([PathMark(view.box_between(pointer.start, pointer), closed=True, dashed=True)])

        def _show(self, segment):                                                # a mask passed again costs nothing
            self._stage.set_masks([*others, MaskLayer(segment.mask, color=(80, 200, 255))])

It is made in `main_window.py` and chosen with `Toolbox.use`.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt

from panoviewer.stage import SphereView
from panoviewer.views.mouse import Pointer


class Tool(QObject):
    """Does nothing; a tool overrides what it has a use for. All methods are called on the UI thread.

    Attributes:
        buttons: The mouse buttons whose drags are the tool's. With none, left drags move the picture. With any, middle
            drags do, and left ones while Space is held; Ctrl or Shift with the wheel is then the tool's.
        shape: Of the cursor over the views.
    """

    buttons: Qt.MouseButton = Qt.MouseButton.NoButton
    shape: Qt.CursorShape = Qt.CursorShape.OpenHandCursor

    def begin(self) -> None:
        """The tool is in use from now on."""

    def end(self) -> None:
        """Another tool comes into use: give up or finish what is begun, and take marks and previews away."""

    def press(self, view: SphereView, pointer: Pointer) -> None:
        """One of its buttons went down."""

    def drag(self, view: SphereView, pointer: Pointer) -> None:
        """The mouse has moved with that button held; `pointer.start` is where it went down."""

    def release(self, view: SphereView, pointer: Pointer) -> None:
        """The button is up again; always after `press`, also when something has interrupted the drag."""

    def click(self, view: SphereView, pointer: Pointer) -> None:
        """A button, any, went down and up at one place; comes after `release`."""

    def double_click(self, view: SphereView, pointer: Pointer) -> None:
        """The second press of a double click, after its `press` and before its `release` and `click`."""

    def move(self, view: SphereView, pointer: Pointer | None) -> None:
        """The mouse points elsewhere, with a button or without; None when it has left the view."""

    def wheel(self, view: SphereView, pointer: Pointer, steps: float) -> None:
        """The wheel was turned with Ctrl or Shift; away from the user is positive."""

    def takes_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:  # noqa: ARG002
        """Whether a key is the tool's just now, before any shortcut of the window; a text field comes first."""
        return False

    def press_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        """A key that the tool takes went down; once, however long it is held."""

    def release_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        """A key went up for whose press `press_key` was called."""
