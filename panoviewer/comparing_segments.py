"""The masks of two selected segments compared: one beside the other, or what is only in one and what is in both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PySide6.QtCore import QObject, Signal

from core.comparison import Overlap, overlap, overlap_iou
from core.progress import Progress
from core.pyramid import Pyramid
from core.scene import Segment
from panoviewer.annotating import Annotating
from panoviewer.jobs import Jobs
from panoviewer.panels.compare_bar import CompareBar
from panoviewer.stage import Stage
from panoviewer.translation import tr
from panoviewer.views.difference import Legend, paint_overlap
from panoviewer.views.overlay import MAX_OVERLAY_WIDTH

_KEY = "compare-segments"


@dataclass(frozen=True, eq=False)
class _Painted:
    """`a` to the left of the divider; None where `b`, the difference, is all that is shown. `text` has the numbers."""

    a: Pyramid | None
    b: Pyramid
    legend: Legend | None
    text: str


class ComparingSegments(QObject):
    """Shows A, the first of two selected segments, and B, the second, in place of their own colours.

    Attributes:
        active: Two segments are compared.
        is_difference: What is only in one and what is in both is shown, and not a divider; at first it is.
        divider: Where A ends and B begins, as a share of the views' width.

    Signals:
        changed: Two segments are compared now, in another way, or no longer.
        noted(str): Why nothing is compared.
    """

    changed = Signal()
    noted = Signal(str)

    def __init__(
        self,
        annotating: Annotating,
        jobs: Jobs,
        *,
        stage: Stage,
        bar: CompareBar,
        set_bare: Callable[[bool], object],
        parent: QObject | None = None,
    ) -> None:
        """Connect them.

        Args:
            annotating: Knows what is selected.
            jobs: Run what takes time.
            stage: Shows the result.
            bar: Says what is compared.
            set_bare: Hides the segments themselves, or no longer.
            parent: Its parent.
        """
        super().__init__(parent)
        self._annotating = annotating
        self._jobs = jobs
        self._stage = stage
        self._bar = bar
        self._set_bare = set_bare
        self.active = False
        self.is_difference = True
        self.divider = 0.5
        bar.closed.connect(self.stop)
        annotating.selection_changed.connect(self.follow)

    def start(self) -> None:
        """Compare the two selected segments, by their difference at first."""
        self.is_difference = True
        self._run()

    def show_swipe(self) -> None:
        """A on the left of a divider, B on the right."""
        self.is_difference = False
        self._run()

    def show_difference(self) -> None:
        """What is only in one and what is in both."""
        self.is_difference = True
        self._run()

    def divide(self, place: float) -> None:
        """Move the divider to a share of the views' width."""
        self.divider = min(max(place, 0.0), 1.0)
        if not self.is_difference:
            self._stage.move_divider(self.divider)

    def stop(self) -> None:
        """Show the segments themselves again."""
        if self.active:
            self.active = False
            self._jobs.cancel(_KEY)
            self._bar.hide()
            self._stage.set_other(None, None)
            self._set_bare(False)
            self.changed.emit()

    def follow(self) -> None:
        """Other segments are selected, or they were edited: compare what there is now, or nothing any more."""
        if self.active:
            if len(self._annotating.selected_segments) == 2:
                self._run()
            else:
                self.stop()

    def _run(self) -> None:
        chosen = self._annotating.selected_segments
        if len(chosen) != 2:
            self.noted.emit(
                tr(
                    "Select two segments to compare their masks, with Ctrl + click; {count} are selected.",
                    count=len(chosen),
                )
            )
            return
        self.active = True
        self.changed.emit()
        work = partial(_paint, *chosen, is_difference=self.is_difference)
        self._jobs.run(tr("Comparing segments"), work, done=partial(self._show, *chosen), key=_KEY)

    def _show(self, a: Segment, b: Segment, painted: _Painted) -> None:
        if self.active:
            is_difference = painted.a is None
            self._bar.show_masks(_name(a), _name(b), painted.text, painted.legend, is_difference=is_difference)
            self._set_bare(True)
            divider = 0.0 if is_difference else self.divider
            self._stage.set_other(painted.b, divider, movable=not is_difference, instead=painted.a)


def _name(segment: Segment) -> str:
    return f"{segment.label or tr('segment')} {segment.number}"


def _paint(a: Segment, b: Segment, _progress: Progress, *, is_difference: bool) -> _Painted:
    held = overlap(a.mask.unpack(), b.mask.unpack())
    step = max(1, -(-held.shape[1] // MAX_OVERLAY_WIDTH))
    seen = held[step // 2 :: step, step // 2 :: step]
    iou = overlap_iou(held)
    parts = [
        "IoU " + (tr("unknown, both are empty") if iou is None else f"{iou:.4f}"),
        tr("only in A {solid_angle:.4f} sr", solid_angle=(a.mask - b.mask).solid_angle()),
        tr("only in B {solid_angle:.4f} sr", solid_angle=(b.mask - a.mask).solid_angle()),
        tr("in both {solid_angle:.4f} sr", solid_angle=(a.mask & b.mask).solid_angle()),
    ]
    text = "      ".join(parts)
    if is_difference:
        picture, legend = paint_overlap(seen)
        return _Painted(None, Pyramid.of(picture), legend, text)
    a_alone, b_alone = (
        Pyramid.of(paint_overlap(np.where((seen == only) | (seen == Overlap.BOTH), only, Overlap.NEITHER))[0])
        for only in (Overlap.ONLY_A, Overlap.ONLY_B)
    )
    return _Painted(a_alone, b_alone, None, text)
