"""The list of segments: search, sort, select, show, lock, label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.scene import Review
from panoviewer.annotating import Annotating
from panoviewer.areas import Areas
from panoviewer.panels.segment_table import NUMBER_ROLE, TIPS, Column, SegmentOrder, SegmentTable
from panoviewer.translation import tr

WIDTHS = {
    Column.SHOWN: 24,
    Column.REVIEW: 20,
    Column.SCORE: 42,
    Column.AREA: 54,
    Column.PIXELS: 68,
    Column.GROUP: 32,
    Column.LOCKED: 24,
    Column.NUMBER: 32,
}
SELDOM = (Column.PIXELS, Column.NUMBER)
"""Columns that are not shown until they are asked for, by a right click on the titles."""
ROW_HEIGHT = 24
LEAST_WIDTH = 320


class SegmentsPanel(QWidget):
    """Shows the segments of the scene and edits them.

    Signals:
        looked_for(int): The user wants to see the segment of this number.
    """

    looked_for = Signal(int)

    def __init__(self, annotating: Annotating, areas: Areas, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._annotating = annotating
        self._areas = areas
        self._follows = False
        self._table = SegmentTable(annotating, areas.of, self)
        self._order = SegmentOrder(self._table, self)
        self._search = QLineEdit(placeholderText=tr("Search: label, number, accepted, rejected, locked"))
        self._search.setAccessibleName(tr("Search segments"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._order.search)
        self.view = _View()
        self.view.setModel(self._order)
        self.view.setItemDelegateForColumn(Column.LABEL, _LabelEditor(annotating, self))
        header = self.view.horizontalHeader()
        header.setMinimumSectionSize(20)
        for column, width in WIDTHS.items():
            self.view.setColumnWidth(column, width)
        header.setSectionResizeMode(Column.LABEL, QHeaderView.ResizeMode.Stretch)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._show_columns)
        for column in SELDOM:
            self.view.setColumnHidden(column, True)
        self.setMinimumWidth(LEAST_WIDTH)
        self.view.sortByColumn(Column.NUMBER, Qt.SortOrder.AscendingOrder)
        self.view.selectionModel().selectionChanged.connect(self._tell_selection)
        # A row that is selected already is chosen by a click, too.
        self.view.pressed.connect(lambda _index: annotating.select(annotating.selected))
        self.view.doubleClicked.connect(self._look)
        self.view.customContextMenuRequested.connect(self._show_menu)
        self._progress = ""
        self._count = QLabel()
        self._count.setObjectName("quiet")
        self._count.setWordWrap(True)
        self._menu = QMenu(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._search)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._count)
        annotating.selection_changed.connect(self._show_selection)
        annotating.visibility_changed.connect(self._table.refresh)
        areas.changed.connect(self._table.areas_changed)

    def set_menu(self, actions: Sequence[QAction | None]) -> None:
        """Offer these for the selected segments; None draws a line."""
        for action in actions:
            if action is None:
                self._menu.addSeparator()
            else:
                self._menu.addAction(action)

    def refresh(self) -> None:
        """Show the scene as it is now."""
        self._areas.want(self._annotating.segments)
        self._follows = True
        self._table.refresh()
        self._follows = False
        self._show_selection()
        self._count.setText(self._summary())

    def show_progress(self, reviewed: int, count: int) -> None:
        """So many panoramas of the folder are reviewed."""
        self._progress = (
            tr("{reviewed} of {count} panoramas reviewed", reviewed=reviewed, count=count) if count > 1 else ""
        )
        self._count.setText(self._summary())

    def numbers(self) -> list[int]:
        """The segments that the list shows, from top to bottom."""
        return [self._order.index(row, 0).data(NUMBER_ROLE) for row in range(self._order.rowCount())]

    def _summary(self) -> str:
        segments = self._annotating.segments
        said = Counter(segment.review for segment in segments)
        words = [tr("1 segment") if len(segments) == 1 else tr("{count} segments", count=len(segments))]
        words += [f"{said[review]} {review}" for review in (Review.ACCEPTED, Review.REJECTED) if said[review]]
        scene = self._annotating.scene
        if scene is not None and scene.review is not Review.OPEN:
            words.append(f"panorama {scene.review}")
        return "  ·  ".join([*words, *([self._progress] if self._progress else [])])

    def _show_selection(self) -> None:
        """Select the rows of what is selected."""
        wanted, numbers = QItemSelection(), self._annotating.selected
        for number in numbers:
            row = self._table.row_of(number)
            if row is not None:
                index = self._order.mapFromSource(self._table.index(row, 0))
                wanted.select(index, index)
        self._follows = True
        flags = QItemSelectionModel.SelectionFlag
        self.view.selectionModel().select(wanted, flags.ClearAndSelect | flags.Rows)
        self._follows = False
        if numbers and (row := self._table.row_of(numbers[-1])) is not None:
            self.view.scrollTo(self._order.mapFromSource(self._table.index(row, Column.LABEL)))

    def _tell_selection(self) -> None:
        if not self._follows:
            chosen = {index.data(NUMBER_ROLE) for index in self.view.selectionModel().selectedRows()}
            before = [number for number in self._annotating.selected if number in chosen]
            self._annotating.select([*before, *sorted(chosen - set(before))])

    def _look(self, index: QModelIndex) -> None:
        if index.column() != Column.LABEL:
            self.looked_for.emit(index.data(NUMBER_ROLE))

    def _show_columns(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for column in WIDTHS:
            action = menu.addAction(tr(TIPS[column]).partition(";")[0].partition(":")[0])
            action.setCheckable(True)
            action.setChecked(not self.view.isColumnHidden(column))
            action.toggled.connect(lambda on, column=column: self.view.setColumnHidden(column, not on))
        menu.popup(self.view.horizontalHeader().mapToGlobal(place))

    def _show_menu(self, place: QPoint) -> None:
        if self._annotating.selected:
            self._menu.popup(self.view.viewport().mapToGlobal(place))


class _View(QTableView):
    """A table that leaves letters and digits to the window."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Segments"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setSortingEnabled(True)
        self.setShowGrid(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go through the rows, F2 edits; all else is not for a list of names that one may type."""
        mine = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_F2)
        if Qt.Key(event.key()) in mine:
            super().keyPressEvent(event)
        else:
            event.ignore()


class _LabelEditor(QStyledItemDelegate):
    """Names of the label set to choose from, or a new one to type."""

    def __init__(self, annotating: Annotating, parent: QWidget) -> None:
        super().__init__(parent)
        self._annotating = annotating

    def createEditor(
        self,
        parent: QWidget,
        option: QStyleOptionViewItem,  # noqa: ARG002
        index: QModelIndex | QPersistentModelIndex,  # noqa: ARG002
    ) -> QWidget:
        """A box with the names."""
        editor = QComboBox(parent)
        editor.setEditable(True)
        editor.addItems(["", *(label.name for label in self._annotating.labels)])
        return editor

    def setEditorData(self, editor: QWidget, index: QModelIndex | QPersistentModelIndex) -> None:
        """Begin with the present name."""
        if isinstance(editor, QComboBox):
            editor.setCurrentText(index.data(Qt.ItemDataRole.EditRole))

    def setModelData(
        self, editor: QWidget, model: QAbstractItemModel, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Take what was chosen or typed."""
        if isinstance(editor, QComboBox):
            model.setData(index, editor.currentText(), Qt.ItemDataRole.EditRole)
