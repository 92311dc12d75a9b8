"""The tool in use, and the way that mouse and keys take to it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent

from panoviewer.stage import SphereView, Stage
from panoviewer.tools.tool import Tool


class Toolbox(QObject):
    """Hands the gestures of both views, and the keys that the window passes on, to one tool.

    Signals:
        changed: Another tool is in use.
    """

    changed = Signal()

    def __init__(self, stage: Stage, tool: Tool, parent: QObject | None = None) -> None:
        """Listen to the views.

        Args:
            stage: Has the views.
            tool: The first one in use.
            parent: Its parent.
        """
        super().__init__(parent)
        self._stage = stage
        self._tool = tool
        self._nobody = Tool(self)
        self._held: set[Qt.Key] = set()
        for view in stage.sphere_views:
            self._listen(view)
        self._set_up()

    @property
    def tool(self) -> Tool:
        """The tool in use."""
        return self._tool

    @property
    def _heard(self) -> Tool:
        """Who is told of gestures: nobody while the views show something that is not open yet."""
        return self._nobody if self._stage.previewing else self._tool

    def use(self, tool: Tool) -> None:
        """Put another tool in the place of the one in use; the same again does nothing."""
        if tool is self._tool:
            return
        self.let_go()
        self._tool.end()
        self._tool = tool
        self._set_up()
        self.changed.emit()

    def takes(self, event: QKeyEvent) -> bool:
        """Whether a key is the tool's, so that no shortcut may have it."""
        return self._pans(event) or self._heard.takes_key(Qt.Key(event.key()), event.modifiers())

    def press(self, event: QKeyEvent) -> bool:
        """Hand a key that went down to the tool. Returns whether it was the tool's."""
        if not self.takes(event):
            return False
        key = Qt.Key(event.key())
        if event.isAutoRepeat():
            return True
        if self._pans(event):
            self._set_panning(enabled=True)
        else:
            self._held.add(key)
            self._tool.press_key(key, event.modifiers())
        return True

    def release(self, event: QKeyEvent) -> bool:
        """Hand a key that went up to the tool. Returns whether it was the tool's."""
        key = Qt.Key(event.key())
        if event.isAutoRepeat():
            return key in self._held
        if key == Qt.Key.Key_Space:
            self._set_panning(enabled=False)
        if key not in self._held:
            return False
        self._held.discard(key)
        self._tool.release_key(key, event.modifiers())
        return True

    def let_go(self) -> None:
        """End drags and held keys, whose ends nobody will tell of: the window is not the active one any more."""
        for view in self._stage.sphere_views:
            view.mouse.interrupt()
        self._set_panning(enabled=False)
        for key in sorted(self._held):
            self._tool.release_key(key, Qt.KeyboardModifier.NoModifier)
        self._held.clear()

    def _listen(self, view: SphereView) -> None:
        mouse = view.mouse
        mouse.pressed.connect(lambda pointer: self._heard.press(view, pointer))
        mouse.dragged.connect(lambda pointer: self._heard.drag(view, pointer))
        mouse.released.connect(lambda pointer: self._heard.release(view, pointer))
        mouse.clicked.connect(lambda pointer: self._heard.click(view, pointer))
        mouse.double_clicked.connect(lambda pointer: self._heard.double_click(view, pointer))
        mouse.moved.connect(lambda pointer: self._heard.move(view, pointer))
        mouse.wheeled.connect(lambda pointer, steps: self._heard.wheel(view, pointer, steps))

    def _pans(self, event: QKeyEvent) -> bool:
        return event.key() == Qt.Key.Key_Space and self._tool.buttons != Qt.MouseButton.NoButton

    def _set_panning(self, *, enabled: bool) -> None:
        for view in self._stage.sphere_views:
            view.mouse.set_panning(enabled=enabled)

    def _set_up(self) -> None:
        for view in self._stage.sphere_views:
            view.mouse.set_tool(self._tool.buttons, self._tool.shape)
        self._tool.begin()
