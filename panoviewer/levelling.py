"""Levelling in the window: lines become a pose, which is an edit like any other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from core.edits import set_level
from core.geometry.camera import angles_from_rotation
from core.geometry.levelling import Kind, level_by_lines
from core.geometry.sphere import angle_between
from core.panorama import Level
from panoviewer.annotating import Annotating
from panoviewer.document import Document
from panoviewer.panels.level_strip import LevelStrip
from panoviewer.tools.level_tool import LevelTool
from panoviewer.translation import mark, tr
from panoviewer.views.marks import Mark, PathMark, PointMark, Sign, circle

HELP = mark("Click two points on the horizon, or two above each other, such as on the edge of a wall.")
ONE_VERTICAL = mark("A second vertical, in another direction, makes it complete.")
AGAIN = mark("Ctrl+R estimates again, on the level picture.")
HORIZON_COLOR = (80, 200, 255)


class Levelling(QObject):
    """Joins the tool, the strip and the document.

    Nothing of the photograph is changed: its pose goes into the annotation file, can be undone, and is what views,
    cloud and exports are levelled by.

    Attributes:
        tool: Collects the lines.
        strip: Tells what they do; to be shown above the views.
    """

    def __init__(
        self,
        document: Document,
        annotating: Annotating,
        *,
        set_marks: Callable[[Sequence[Mark]], object],
        parent: QObject | None = None,
    ) -> None:
        """Connect them.

        Args:
            document: Has the panorama.
            annotating: Edits the scene, where that is allowed.
            set_marks: Draws in the views of the sphere.
            parent: Its parent.
        """
        super().__init__(parent)
        self._document = document
        self._annotating = annotating
        self._set_marks = set_marks
        self._before: tuple[NDArray[np.float64], Level | None] | None = None
        self._is_ours = False
        self._refusal = ""
        self._has_drawn = False
        self.tool = LevelTool(self)
        self.strip = LevelStrip()
        self.tool.changed.connect(self._show)
        self.tool.lines_changed.connect(self._level)
        self.tool.kind_wanted.connect(self.strip.next_kind)
        self.tool.refused.connect(self._tell)
        self.strip.kind_changed.connect(self._choose)
        self.strip.reset_wanted.connect(self.reset)
        annotating.told.connect(self._take_refusal)
        document.level_changed.connect(self._follow)
        document.panorama_changed.connect(self._begin_anew)

    def reset(self) -> None:
        """The photograph's own pose holds again."""
        self.tool.clear()
        self._apply(None)

    def _level(self) -> None:
        """Give the panorama the pose by all lines; without any the one that it had before the first."""
        panorama, lines = self._document.panorama, self.tool.lines
        if panorama is None:
            return
        if self._before is None:
            self._before = panorama.level_from_world, panorama.level
        own, level = self._before
        if lines:
            try:
                _, pitch, roll = angles_from_rotation(level_by_lines(lines, own))
            except ValueError as error:
                self.tool.take_back()
                self._tell(tr("These lines give no pose: {error}.", error=error))
                return
            level = pitch, roll
        if not self._apply(level):
            self.tool.clear()
            self._tell(self._refusal)
            return
        self._show()

    def _apply(self, level: Level | None) -> bool:
        """Make the edit; returns whether edits are allowed."""
        self._is_ours, self._refusal = True, ""
        try:
            may_edit = self._annotating.may_edit()
            if may_edit:
                self._annotating.apply(
                    tr("Level") if level is not None else tr("Level as photographed"), set_level(level)
                )
        finally:
            self._is_ours = False
        return may_edit

    def _follow(self) -> None:
        """The pose is another; what was undone or read anew has nothing to do with the lines."""
        panorama = self._document.panorama
        if panorama is not None:
            self.tool.level_from_world = panorama.level_from_world
        if not self._is_ours:
            self.tool.clear()
        self._show()

    def _begin_anew(self) -> None:
        panorama = self._document.panorama
        self.tool.level_from_world = np.eye(3) if panorama is None else panorama.level_from_world
        self.tool.clear()

    def _choose(self, kind: Kind | None) -> None:
        self.tool.kind = kind

    def _show(self) -> None:
        """Draw the lines with all that is level by them, and tell the tilt."""
        tool, panorama = self.tool, self._document.panorama
        self.strip.setVisible(tool.in_use)
        if not tool.lines:
            self._before = None
        if not tool.in_use or panorama is None:
            if self._has_drawn:
                self._set_marks(())
            self._has_drawn = False
            return
        self._has_drawn = True
        level = panorama.level_from_world
        marks: list[Mark] = [PathMark(circle(level[1], math.pi / 2), closed=True, color=HORIZON_COLOR, dashed=True)]
        for line in tool.lines:
            marks.append(PathMark(np.stack([line.first, line.second])))
            marks += [PointMark(point, Sign.CORNER) for point in (line.first, line.second)]
        if tool.begun:
            marks += [PathMark(np.stack([*tool.begun]))] if len(tool.begun) > 1 else []
            marks.append(PointMark(tool.begun[0], Sign.CORNER))
        self._set_marks(marks)
        self._tell()

    def _take_refusal(self, sentence: str) -> None:
        """Edits are refused just now: the strip of the tool says so, too."""
        if self._is_ours:
            self._refusal = sentence

    def _tell(self, sentence: str = "") -> None:
        panorama = self._document.panorama
        if panorama is None or not self.tool.in_use:
            return
        _, pitch, roll = angles_from_rotation(panorama.level_from_world)
        tilt = float(angle_between(panorama.level_from_world[1], (0.0, 1.0, 0.0)))
        parts = [sentence] if sentence else []
        if tilt > 0 or panorama.level is not None:
            # The roll is signed as GPano's, so that `convert --level PITCH,ROLL` takes what is read here.
            angles = tr(
                "tilt {tilt}: pitch {pitch}, roll {roll}",
                tilt=_degrees(tilt),
                pitch=_degrees(pitch, sign=True),
                roll=_degrees(-roll, sign=True),
            )
            source = tr("set by hand") if panorama.level is not None else tr("as the photograph says")
            parts.append(f"{angles} ({source})")
        lines = self.tool.lines
        if not sentence:
            if not lines:
                parts.append(tr(HELP))
            elif len(lines) == 1 and lines[0].kind is Kind.VERTICAL:
                parts.append(tr(ONE_VERTICAL))
            elif self._document.prediction is not None:
                parts.append(tr(AGAIN))
        self.strip.tell("  ·  ".join(parts), can_reset=panorama.level is not None)


def _degrees(angle: float, *, sign: bool = False) -> str:
    return f"{math.degrees(angle):{'+' if sign else ''}.2f}°"
