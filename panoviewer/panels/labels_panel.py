"""The label set: a click gives a label, a double click renames it, dragging changes its hot key."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QDropEvent, QIcon, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.scene import Label, Scene
from panoviewer.annotating import Annotating
from panoviewer.translation import tr

KEYS = 9
SWATCH = 18
MIDDLE = 120
NAME_ROLE = Qt.ItemDataRole.UserRole


class LabelsPanel(QWidget):
    """Edits the label set of the scene."""

    def __init__(self, annotating: Annotating, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._annotating = annotating
        self.list = _List(self)
        self.list.setIconSize(QSize(SWATCH, SWATCH))
        self._given: tuple[Scene | None, str, Scene | None] | None = None
        self.list.itemClicked.connect(self._give)
        self.list.itemDoubleClicked.connect(self._take_back)
        self.list.itemChanged.connect(self._rename)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self._new = _NewLabel()
        self._new.entered.connect(self._add)
        self._add_button = QPushButton(tr("Add"))
        self._add_button.clicked.connect(self._add)
        row = QHBoxLayout()
        row.addWidget(self._new, 1)
        row.addWidget(self._add_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list, 1)
        layout.addLayout(row)
        annotating.label_changed.connect(self._mark)

    def refresh(self) -> None:
        """Show the label set as it is now."""
        labels = self._annotating.labels
        with QSignalBlocker(self.list):
            # Items that stay are the same ones: between two clicks a label may be given.
            while self.list.count() > len(labels):
                self.list.takeItem(self.list.count() - 1)
            for place, label in enumerate(labels, 1):
                if place > self.list.count():
                    self.list.addItem(QListWidgetItem())
                item = self.list.item(place - 1)
                item.setIcon(_swatch(label, place))
                item.setText(label.name)
                item.setData(NAME_ROLE, label.name)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
                item.setToolTip(tr("Key {place} while a tool is in use", place=place) if place <= KEYS else "")
        self._mark()

    def move_label(self, name: str, place: int) -> None:
        """Put a label at another place of the set."""
        self._annotating.move_label(name, place)
        self.refresh()

    def choose_color(self, name: str) -> None:
        """Ask for another colour of a label."""
        label = self._label(name)
        dialog = QColorDialog(QColor(*label.color), self)
        dialog.setObjectName("color")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.colorSelected.connect(
            lambda color: self._annotating.change_label(name, Label(name, (color.red(), color.green(), color.blue())))
        )
        dialog.open()

    def _label(self, name: str) -> Label:
        return next(label for label in self._annotating.labels if label.name == name)

    def _give(self, item: QListWidgetItem) -> None:
        """Give the label; it may turn out to be the first of two clicks."""
        scene, label = self._annotating.scene, self._annotating.label
        self._annotating.set_label(item.data(NAME_ROLE))
        self._given = scene, label, self._annotating.scene

    def _take_back(self, _item: QListWidgetItem) -> None:
        """Two clicks rename a label; nothing is to be called by it because of the first one."""
        if self._given is not None and self._given[2] is self._annotating.scene:
            self._annotating.take_back_label(self._given[0], self._given[1])
        self._given = None

    def _add(self) -> None:
        self._annotating.add_label(self._new.text().strip())
        self._new.clear()

    def _rename(self, item: QListWidgetItem) -> None:
        old, new = item.data(NAME_ROLE), item.text().strip()
        if new != old:
            self._annotating.change_label(old, Label(new, self._label(old).color))
        # Also where the edit was refused: the list says what is.
        self.refresh()

    def _mark(self) -> None:
        """Mark the label that new segments get."""
        for row in range(self.list.count()):
            item = self.list.item(row)
            font = item.font()
            font.setBold(item.data(NAME_ROLE) == self._annotating.label)
            with QSignalBlocker(self.list):
                item.setFont(font)

    def _show_menu(self, place: QPoint) -> None:
        item = self.list.itemAt(place)
        if item is None:
            return
        name = item.data(NAME_ROLE)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(tr("Colour…"), lambda: self.choose_color(name))
        menu.addAction(tr("Rename"), lambda: self.list.editItem(item))
        menu.addAction(tr("Remove"), lambda: self._annotating.remove_label(name))
        menu.popup(self.list.viewport().mapToGlobal(place))


class _List(QListWidget):
    """Items that are dragged to their places; letters and digits are left to the window."""

    def __init__(self, panel: LabelsPanel) -> None:
        super().__init__(panel)
        self._panel = panel
        self.setAccessibleName(tr("Labels"))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)

    def dropEvent(self, event: QDropEvent) -> None:
        """An item was dropped: the scene is told, which then decides what is listed."""
        item = self.currentItem()
        place = self.indexAt(event.position().toPoint()).row()
        event.setDropAction(Qt.DropAction.IgnoreAction)
        event.accept()
        if item is not None:
            self._panel.move_label(item.data(NAME_ROLE), place if place >= 0 else self.count())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go through the items, F2 renames."""
        if Qt.Key(event.key()) in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_F2):
            super().keyPressEvent(event)
        else:
            event.ignore()


class _NewLabel(QLineEdit):
    """One name after another. Enter belongs to the window where there is none to add, and leaves the field there.

    Signals:
        entered: There is a name to add.
    """

    entered = Signal()

    def __init__(self) -> None:
        super().__init__(placeholderText=tr("New label"))
        self.setAccessibleName(tr("New label"))
        self.setToolTip(tr("Enter adds it; Enter once more or Esc goes back to the views."))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter adds a name."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.text().strip():
            self.entered.emit()
        else:
            super().keyPressEvent(event)


def _swatch(label: Label, place: int) -> QIcon:
    """The colour with the hot key on it."""
    pixmap = QPixmap(SWATCH, SWATCH)
    pixmap.fill(QColor(*label.color))
    if place <= KEYS:
        painter = QPainter(pixmap)
        painter.setPen(QColor("black" if QColor(*label.color).lightness() > MIDDLE else "white"))
        painter.drawText(pixmap.rect(), Qt.AlignmentFlag.AlignCenter, str(place))
        painter.end()
    return QIcon(pixmap)
