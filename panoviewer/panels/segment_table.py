"""The segments of a scene as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntEnum

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QColor, QPixmap

from core.labels import color_of
from core.scene import Review, Segment
from panoviewer.annotating import Annotating
from panoviewer.translation import mark, tr

Index = QModelIndex | QPersistentModelIndex

SORT_ROLE = Qt.ItemDataRole.UserRole
NUMBER_ROLE = Qt.ItemDataRole.UserRole + 1
VERDICTS = {Review.OPEN: "", Review.ACCEPTED: "✓", Review.REJECTED: "✗"}
COLORS = {Review.ACCEPTED: QColor("#3fb950"), Review.REJECTED: QColor("#f85149")}
SWATCH = 14


class Column(IntEnum):
    """What a column says."""

    SHOWN = 0
    LABEL = 1
    REVIEW = 2
    SCORE = 3
    AREA = 4
    PIXELS = 5
    GROUP = 6
    LOCKED = 7
    NUMBER = 8


TITLES = ("", mark("Label"), "", mark("Score"), "sr", "px", mark("Grp"), "", "#")
TIPS = (
    mark("Shown"),
    mark("Label; double click to change it"),
    mark("What a reviewer said: ✓ accepted, ✗ rejected"),
    mark("The network's own estimate of its overlap with the object, 0 to 1"),
    mark("Area in steradian; the whole sphere has 12.57"),
    mark("Area in pixels of the panorama"),
    mark("Group: selected and shown together"),
    mark("Locked: refuses edits"),
    mark("Number"),
)


class SegmentTable(QAbstractTableModel):
    """One row per segment, in the order in which they were made."""

    def __init__(
        self, annotating: Annotating, area_of: Callable[[Segment], float], parent: QObject | None = None
    ) -> None:
        """Make it.

        Args:
            annotating: Has the segments, and takes what is edited in the table.
            area_of: Steradians of a segment, NaN while they are not known; see `areas_changed`.
            parent: Its parent.
        """
        super().__init__(parent)
        self._annotating = annotating
        self._area_of = area_of
        self._segments: tuple[Segment, ...] = ()

    def refresh(self) -> None:
        """Take the segments that there are now; rows that stay keep their place and their selection."""
        old, new = self._segments, self._annotating.segments
        if [segment.number for segment in old] == [segment.number for segment in new]:
            self._segments = new
            self._changed(0, len(Column) - 1)
        else:
            self.beginResetModel()
            self._segments = new
            self.endResetModel()

    def areas_changed(self) -> None:
        """The areas of some segments are known now."""
        self._changed(Column.AREA, Column.AREA)

    def segment_in(self, row: int) -> Segment:
        """The segment of a row."""
        return self._segments[row]

    def row_of(self, number: int) -> int | None:
        """The row of a segment."""
        return next((row for row, segment in enumerate(self._segments) if segment.number == number), None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """How many segments there are."""
        return 0 if parent.isValid() else len(self._segments)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """One for each `Column`."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Titles of the columns."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return tr(TITLES[section])
            if role == Qt.ItemDataRole.ToolTipRole:
                return tr(TIPS[section])
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Labels can be edited, what is shown and what is locked can be checked."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() == Column.LABEL:
            flags |= Qt.ItemFlag.ItemIsEditable
        if index.column() in (Column.SHOWN, Column.LOCKED):
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """What a cell shows, and by what it is sorted."""
        segment, column = self._segments[index.row()], Column(index.column())
        if role == NUMBER_ROLE:
            return segment.number
        if role == SORT_ROLE:
            return self._sort_key(segment, column)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(segment, column)
        if role == Qt.ItemDataRole.EditRole and column is Column.LABEL:
            return segment.label
        if role == Qt.ItemDataRole.CheckStateRole and column in (Column.SHOWN, Column.LOCKED):
            is_on = segment.locked if column is Column.LOCKED else self._annotating.is_shown(segment.number)
            return Qt.CheckState.Checked if is_on else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole and column is Column.LABEL:
            swatch = QPixmap(SWATCH, SWATCH)
            swatch.fill(QColor(*color_of(segment, self._annotating.labels)))
            return swatch
        if role == Qt.ItemDataRole.ForegroundRole and column is Column.REVIEW:
            return COLORS.get(segment.review)
        if role == Qt.ItemDataRole.TextAlignmentRole and column >= Column.SCORE:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Edit a label, show or hide, lock or unlock; a checked box speaks for all selected rows that its own is in."""
        segment, column = self._segments[index.row()], Column(index.column())
        chosen = self._annotating.selected if segment.number in self._annotating.selected else (segment.number,)
        is_on = Qt.CheckState(value) == Qt.CheckState.Checked if role == Qt.ItemDataRole.CheckStateRole else False
        if column is Column.LABEL and role == Qt.ItemDataRole.EditRole:
            if segment.number not in self._annotating.selected:
                self._annotating.select([segment.number])
            self._annotating.set_label(str(value).strip())
        elif column is Column.SHOWN:
            self._annotating.set_shown(chosen, shown=is_on)
        elif column is Column.LOCKED:
            self._annotating.set_locked(chosen, locked=is_on)
        else:
            return False
        return True

    def _changed(self, first: int, last: int) -> None:
        if self._segments:
            self.dataChanged.emit(self.index(0, first), self.index(len(self._segments) - 1, last))

    def _text(self, segment: Segment, column: Column) -> str:
        if column is Column.LABEL:
            return segment.label or "–"
        if column is Column.REVIEW:
            return VERDICTS[segment.review]
        if column is Column.SCORE:
            return f"{segment.score:.2f}" if math.isfinite(segment.score) else ""
        if column is Column.AREA:
            area = self._area_of(segment)
            return f"{area:.4f}" if math.isfinite(area) else "…"
        if column is Column.PIXELS:
            return f"{segment.mask.count:,}"
        if column is Column.GROUP:
            return str(segment.group) if segment.group else ""
        return str(segment.number) if column is Column.NUMBER else ""

    def _sort_key(self, segment: Segment, column: Column) -> float | str:
        if column is Column.LABEL:
            return segment.label.casefold()
        numbers = {
            Column.SHOWN: self._annotating.is_shown(segment.number),
            Column.REVIEW: list(Review).index(segment.review),
            Column.SCORE: segment.score if math.isfinite(segment.score) else -1.0,
            Column.AREA: self._area_of(segment),
            Column.PIXELS: segment.mask.count,
            Column.GROUP: segment.group,
            Column.LOCKED: segment.locked,
            Column.NUMBER: segment.number,
        }
        value = float(numbers[column])
        return value if math.isfinite(value) else -1.0


class SegmentOrder(QSortFilterProxyModel):
    """The rows of a table that a search leaves, in the order of a column."""

    def __init__(self, table: SegmentTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = table
        self._words: list[str] = []
        self.setSortRole(SORT_ROLE)
        self.setSourceModel(table)

    def search(self, text: str) -> None:
        """Leave rows whose label, number, group or verdict hold every word."""
        self._words = text.casefold().split()
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:  # noqa: ARG002
        """Whether every word is in it."""
        segment = self._table.segment_in(row)
        group = f"group{segment.group}" if segment.group else ""
        locked = "locked" if segment.locked else ""
        text = f"{segment.label} {segment.number} {segment.review} {group} {locked}".casefold()
        return all(word in text for word in self._words)
