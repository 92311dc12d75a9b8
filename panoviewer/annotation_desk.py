"""Builds what annotating takes, and connects it: tools, lists, files, and the answers to their questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from core.edits import intersect_segments, move_segments, subtract_segments, unite_segments
from core.geometry.sphere import angle_between, erp_to_directions
from core.labels import short_name
from core.mask import SphereMask
from core.scene import Edit, Review, Segment
from panoviewer.annotating import Annotating
from panoviewer.areas import Areas
from panoviewer.asking import Questions
from panoviewer.clicking import Clicking
from panoviewer.filming import Filming
from panoviewer.handing_over import HandingOver
from panoviewer.mask_display import MaskDisplay
from panoviewer.mask_edits import MaskEdits, SlowEdit
from panoviewer.panels.filmstrip import Filmstrip
from panoviewer.panels.folder_panel import FolderPanel
from panoviewer.panels.labels_panel import LabelsPanel
from panoviewer.panels.segments_panel import SegmentsPanel
from panoviewer.panels.tool_strip import ToolStrip
from panoviewer.reviewing import Reviewing
from panoviewer.saving import Saving
from panoviewer.session import Session
from panoviewer.settings import Settings
from panoviewer.stage import Stage
from panoviewer.tools.annotation_tool import AnnotationTool
from panoviewer.tools.brush_tool import BrushSize, BrushTool
from panoviewer.tools.lasso_tool import LassoTool
from panoviewer.tools.segment_tool import READINGS, SegmentTool
from panoviewer.tools.toolbox import Toolbox
from panoviewer.translation import mark, tr
from panoviewer.view_keys import ViewKeys
from panoviewer.viewpoint import Viewpoint
from panoviewer.views.mouse import Pointer

Handler = Callable[..., object]

EDITS_OF_SELECTION = (
    *("correct", "unite", "subtract", "intersect", "group", "ungroup", "lock"),
    *("color", "to_top", "to_bottom", "delete", "copy"),
)
"""Actions that need a selected segment."""
MENU = (
    *("correct", None, "accept", "reject", None, "unite", "subtract", "intersect", None),
    *("group", "ungroup", "lock", None, "color", "to_top", "to_bottom", None, "delete"),
)
"""Of the list of segments; None is a line."""
READ_ONLY = mark(
    "Read only: another window of PanoViewer has this project open, so nothing can be edited or saved here.{lost} "
    "Close it there, or take the project over with Save (Ctrl+S)."
)
BORDER_STEPS = 16
LOST = mark(" What was done here last is not in the file.")


class AnnotationDesk(QObject):
    """Everything about segments in the window.

    Attributes:
        annotating, saving, clicking: What is done, kept and found.
        strip: To be shown above the views.
        panel: The lists of segments and labels.
        film: The views of the object that is being made.

    Signals:
        tool_chosen: A tool of annotation is in use.
        read_only_changed(str): Nothing can be edited or saved any more, and what to do about it; empty: it can again.
        film_wanted(bool): The filmstrip is of use now, or no longer.
        told(str): A sentence that is worth a moment; empty for none.
        noted(str): A sentence that stays until it is read.
        failed(str): The same about something that did not work.
    """

    tool_chosen = Signal()
    film_wanted = Signal(bool)
    read_only_changed = Signal(str)
    told = Signal(str)
    noted = Signal(str)
    failed = Signal(str)

    def __init__(
        self,
        window: QWidget,
        session: Session,
        settings: Settings,
        *,
        stage: Stage,
        viewpoint: Viewpoint,
        toolbox: Toolbox,
        folder: FolderPanel,
        open_picture: Callable[[Path], object],
        keeps: Callable[[Path], bool],
    ) -> None:
        """Make all parts.

        Args:
            window: Parent of the dialogs.
            session: Has document and jobs.
            settings: Know the device.
            stage: Has the views.
            viewpoint: Is turned to what is looked for.
            toolbox: Uses the tools.
            folder: Lists the pictures of the folder.
            open_picture: Opens one of them.
            keeps: Whether annotations of a picture are kept.
        """
        super().__init__(window)
        self._window = window
        self._session = session
        self._viewpoint = viewpoint
        self._stage = stage
        self._toolbox = toolbox
        self._navigate = toolbox.tool
        self._folder = folder
        document, jobs = session.document, session.jobs
        self.annotating = Annotating(document, self)
        self.saving = Saving(document, jobs, keeps=keeps, prepare_mask=stage.prepare_mask, parent=self)
        self.clicking = Clicking(
            document,
            jobs,
            settings,
            loader=session.segmenter_loader,
            store=session.features,
            prepare_mask=stage.prepare_mask,
            parent=self,
        )
        self.display = MaskDisplay(stage, self.annotating, self)
        self.strip = ToolStrip(self.annotating, READINGS)
        self.segments = SegmentsPanel(self.annotating, Areas(jobs, self))
        self.labels = LabelsPanel(self.annotating)
        self.segment_tool = SegmentTool(self.clicking, self.annotating, self.display, self)
        self.reviewing = Reviewing(document, jobs, folder, open_picture=open_picture, parent=self)
        self.edits = MaskEdits(self.annotating, jobs, prepare_mask=stage.prepare_mask, parent=self)
        self.size = BrushSize(self)
        brush = partial(BrushTool, self.annotating, self.display, self.edits, self.size, parent=self)
        self.tools: dict[str, AnnotationTool] = {
            mark("segment"): self.segment_tool,
            mark("brush"): brush(positive=True),
            mark("eraser"): brush(positive=False),
            mark("lasso"): LassoTool(self.annotating, self.display, self.edits, self),
        }
        self.film = Filmstrip()
        self._filming = Filming(session, self.segment_tool, self.film, self)
        self._actions: Mapping[str, QAction] = {}
        self._told_saved = self._read_only = ""
        self.panel = self._panel()
        self._questions = Questions(window, session, self.annotating, self.saving)
        self._handing = HandingOver(
            self.saving, jobs, settings, window, labels=lambda: [label.name for label in self.annotating.labels]
        )
        self._keys = ViewKeys(
            stage.sphere_views,
            step=self.annotating.select_neighbour,
            hold=lambda held: self.display.set_bare(bare=held),
            parent=self,
        )
        self._connect()

    # ----- for the window -----

    def handlers(self) -> dict[str, Handler]:
        """What the actions of annotation do, by their names."""
        annotating, document = self.annotating, self._session.document
        # What was painted just now may be in the making; these are about it as well.
        in_turn: dict[str, Handler] = {
            "redo": document.redo,
            "save": self.saving.save,
            "save_copy": self._handing.save_copy,
            "export_annotations": self._handing.export,
            "to_top": partial(self.restack, tr("To the top"), len),
            "to_bottom": partial(self.restack, tr("To the bottom"), lambda _segments: 0),
            "delete": annotating.remove_selected,
            "group": annotating.group_selected,
            "ungroup": annotating.ungroup_selected,
            "lock": self._toggle_lock,
            "accept": partial(annotating.review, Review.ACCEPTED),
            "reject": partial(annotating.review, Review.REJECTED),
        }
        return {
            **{name: partial(self.edits.in_turn, handler) for name, handler in in_turn.items()},
            "undo": self.undo,
            "color": self._questions.choose_color,
            "masks": lambda on: annotating.set_all_hidden(hidden=not on),
            **{name: lambda _on, name=name: self.use(name) for name in self.tools},
            "smaller": partial(self.size.step, -1),
            "larger": partial(self.size.step, 1),
            "unite": partial(self.combine, tr("Unite"), unite_segments),
            "subtract": partial(self.combine, tr("Subtract from"), subtract_segments),
            "intersect": partial(self.combine, tr("Intersect"), intersect_segments),
            "correct": self.correct,
            "frame": self.frame_selected,
            "class_segments": self._questions.choose_classes,
            "copy": lambda: self._questions.copy_to(self._folder.files()),
            "next_unreviewed": partial(self.reviewing.step, 1),
            "previous_unreviewed": partial(self.reviewing.step, -1),
        }

    def attach(self, actions: Mapping[str, QAction]) -> None:
        """Keep these actions up to date: names of undo and redo, what is possible, which tool is in use."""
        self._actions = actions
        actions["masks"].setChecked(True)
        self.segments.set_menu([actions[name] if name is not None else None for name in MENU])
        self._show_actions()

    def enter(self) -> None:
        """A panorama was opened and is shown: read its annotations, go on with the tool in use."""
        panorama = self._session.document.panorama
        if panorama is not None:
            self.annotating.set_blocked("")
            self.saving.enter(panorama)
            if isinstance(self._toolbox.tool, AnnotationTool):
                self._toolbox.tool.begin()
                self._show_tool()

    def put_off_closing(self, then: Callable[[], object]) -> bool:
        """Whether the window cannot be closed yet; `then` is called when it can. See `Saving.put_off_closing`."""
        return self.saving.put_off_closing(then)

    def finish(self) -> str:
        """The window is about to close: save everything. Returns a sentence when that is not possible."""
        self.flush()
        return self.saving.finish()

    def give_up(self) -> None:
        """The window is to be closed although not everything could be saved."""
        self.saving.close()

    def flush(self) -> None:
        """Make edits of what tools have begun."""
        for tool in self.tools.values():
            tool.flush()

    def use(self, name: str) -> None:
        """Use a tool; the same a second time goes back to looking around."""
        tool = self.tools[name]
        self._toolbox.use(self._navigate if self._toolbox.tool is tool else tool)

    def combine(self, name: str, edit_of: Callable[[int, Iterable[int]], Edit]) -> None:
        """Make one of the selected segments: the first one chosen."""
        first, *others = self.annotating.selected or (0,)
        if not others:
            self.told.emit(tr("Select two segments for that: first the one that stays."))
        elif self.annotating.may_edit():
            label = self.annotating.selected_segments[0].label or tr("segment")
            self.edits.put(SlowEdit(f"{name} {label}", edit_of(first, others)))

    def undo(self) -> None:
        """Take back the last click of what is being made, else the last edit; also one that is still in the making."""
        tool = self._toolbox.tool
        if isinstance(tool, AnnotationTool) and tool.begun:
            tool.undo()
        else:
            self.edits.in_turn(self._session.document.undo)

    def restack(self, name: str, place_in: Callable[[Sequence[Segment]], int]) -> None:
        """Draw the selected segments over or under others."""
        self.annotating.apply(name, move_segments(self.annotating.selected, place_in(self.annotating.segments)))

    def correct(self) -> None:
        """Go on with the clicks of the selected segment."""
        target = self.annotating.target
        if target is None:
            self.told.emit(tr("Select one segment to correct it."))
            return
        self._toolbox.use(self.segment_tool)
        self.segment_tool.correct(target)

    def look_at(self, number: int) -> None:
        """Bring a segment into the middle of both views."""
        segment = self.annotating.find(number)
        if segment is not None and not segment.mask.is_empty:
            self._look_along(_middle_of(segment.mask))

    def frame_selected(self) -> None:
        """The same with the segment that was selected last, and as near as all of it fits into the look-around view."""
        segment = self.annotating.selected_segments[-1] if self.annotating.selected else None
        if segment is None or segment.mask.is_empty:
            self.told.emit(tr("Select a segment to look at it."))
            return
        middle = _middle_of(segment.mask)
        self._look_along(middle)
        self._viewpoint.frame(middle, _reach_of(segment.mask, middle))

    # ----- within -----

    def _look_along(self, direction: NDArray[np.float64]) -> None:
        self._viewpoint.look_at(direction)
        self._stage.erp.show_direction(direction)

    def _panel(self) -> QWidget:
        lists = QSplitter(Qt.Orientation.Vertical)
        lists.addWidget(self.segments)
        lists.addWidget(self.labels)
        lists.setSizes([500, 220])
        lists.setChildrenCollapsible(False)
        panel = QWidget()
        layout = QVBoxLayout(panel)
        layout.setContentsMargins(12, 6, 12, 12)
        layout.addWidget(lists)
        return panel

    def _connect(self) -> None:
        document = self._session.document
        document.scene_changed.connect(self._show_scene)
        self._session.leaving.connect(self.flush)
        self.annotating.selection_changed.connect(self._show_actions)
        self.annotating.told.connect(self.told)
        self.edits.refused.connect(self.told)
        self.edits.changed.connect(self._show_actions)
        self.reviewing.told.connect(self.told)
        self._questions.told.connect(self.told)
        self._questions.noted.connect(self.noted)
        self._handing.noted.connect(self.noted)
        self.clicking.noted.connect(self.noted)
        self._handing.failed.connect(self.failed)
        self.annotating.label_renamed.connect(self.saving.rename_label)
        self.reviewing.changed.connect(lambda: self.segments.show_progress(*self.reviewing.counts))
        self.annotating.visibility_changed.connect(self._show_actions)
        self.segments.looked_for.connect(self.look_at)
        self.film.looked_for.connect(lambda camera: self._look_along(camera.world_from_camera[:, 2]))
        for tool in self.tools.values():
            tool.told.connect(self.told)
            tool.begun_changed.connect(self._show_actions)
        self.segment_tool.reading_changed.connect(self.strip.set_reading)
        self.strip.reading_changed.connect(self.segment_tool.set_reading)
        self.strip.set_reading(READINGS.index("object"))
        self.size.changed.connect(self.strip.set_size)
        self.strip.size_changed.connect(self.size.set_degrees)
        self.strip.set_size(self.size.degrees)
        self._toolbox.changed.connect(self._show_tool)
        for view in self._stage.sphere_views:
            view.mouse.clicked.connect(self._select_at)
        self.told.connect(self.strip.tell)

        saving = self.saving
        saving.changed.connect(self._show_actions)
        saving.changed.connect(self._show_read_only)
        saving.locked.connect(lambda _error: self._outdate_saved())
        document.edited.connect(lambda _name: self._outdate_saved())
        saving.noted.connect(self.noted)
        saving.failed.connect(self.failed)
        saving.copied.connect(self.reviewing.refresh)
        saving.saved.connect(self._tell_saved)

    def _tell_saved(self, path: Path) -> None:
        self._told_saved = tr("Saved: {name}", name=path.name)
        self.told.emit(self._told_saved)

    def _outdate_saved(self) -> None:
        """What the strip says of the last save is not so any more."""
        if self.strip.text == self._told_saved:
            self.told.emit("")

    def _show_read_only(self) -> None:
        saving = self.saving
        self.annotating.set_blocked(saving.read_only)
        told = tr(READ_ONLY, lost=tr(LOST) if saving.is_modified else "") if saving.read_only else ""
        if told != self._read_only:
            self._read_only = told
            self.read_only_changed.emit(told)

    def _show_scene(self) -> None:
        self.display.refresh()
        self.segments.refresh()
        self.labels.refresh()
        self.strip.refresh()
        self._show_actions()

    def _show_tool(self) -> None:
        tool = self._toolbox.tool
        name = next((name for name, other in self.tools.items() if other is tool), "")
        self.strip.show_tool(
            tr(name).capitalize(), has_readings=tool is self.segment_tool, has_size=isinstance(tool, BrushTool)
        )
        for other in self.tools:
            self._actions[other].setChecked(other == name)
        if name:
            self.tool_chosen.emit()
        if tool is self.segment_tool:
            self._filming.refresh()
        self.film_wanted.emit(tool is self.segment_tool)

    def _show_actions(self) -> None:
        if not self._actions:
            return
        document, selected = self._session.document, self.annotating.selected_segments
        tool = self._toolbox.tool
        begun = tool.begun if isinstance(tool, AnnotationTool) else ""
        for name, verb, edit in (
            ("undo", tr("&Undo"), begun or document.undo_name),
            ("redo", tr("&Redo"), document.redo_name),
        ):
            self._actions[name].setText(f"{verb} {short_name(edit).replace('&', '&&')}" if edit else verb)
            self._actions[name].setEnabled(edit is not None or (name == "undo" and bool(self.edits.waiting)))
        for name in EDITS_OF_SELECTION:
            self._actions[name].setEnabled(bool(selected))
        self._actions["lock"].setText(tr("Un&lock") if selected and all(s.locked for s in selected) else tr("&Lock"))
        saving = self.saving
        self._actions["save"].setEnabled(saving.is_modified or bool(saving.read_only or self.edits.waiting))
        self._actions["masks"].setChecked(not self.annotating.all_hidden)

    def _toggle_lock(self) -> None:
        selected = self.annotating.selected_segments
        self.annotating.set_locked(self.annotating.selected, locked=not all(segment.locked for segment in selected))

    def _select_at(self, pointer: Pointer) -> None:
        """While looking around, a click selects what it hits; on a preview there is nothing to hit."""
        if self._stage.previewing:
            return
        if self._toolbox.tool is self._navigate and pointer.button == Qt.MouseButton.LeftButton:
            segment = self.annotating.segment_at(*pointer.lonlat)
            if segment is None:
                self.annotating.select(())
            elif pointer.holds(Qt.KeyboardModifier.ControlModifier):
                self.annotating.toggle(segment.number)
            else:
                self.annotating.select([segment.number])


def _middle_of(mask: SphereMask) -> NDArray[np.float64]:
    """(3,) The middle of a mask's box, near enough and known without looking at a single pixel; of a cap, its pole."""
    upper, lower = mask.row == 0, mask.row + mask.rows == mask.height
    if mask.cols == mask.width and upper != lower:
        # The box of a cap over a pole is a band, whose middle lies on the cap's side.
        return erp_to_directions(mask.width / 2, 0.0 if upper else float(mask.height), mask.height, mask.width)
    return erp_to_directions(mask.col + mask.cols / 2, mask.row + mask.rows / 2, mask.height, mask.width)


def _reach_of(mask: SphereMask, middle: NDArray[np.float64]) -> float:
    """Radians from there to the farthest place of the box's border."""
    share = np.linspace(0, 1, BORDER_STEPS)
    u, v = mask.col + share * mask.cols, mask.row + share * mask.rows
    sides = [erp_to_directions(u, row, mask.height, mask.width) for row in (mask.row, mask.row + mask.rows)]
    sides += [erp_to_directions(col, v, mask.height, mask.width) for col in (mask.col, mask.col + mask.cols)]
    return float(angle_between(np.concatenate(sides), middle).max())
