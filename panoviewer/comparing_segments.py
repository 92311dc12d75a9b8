"""The masks of two selected segments compared: what is only in one, what is in both."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal

from core.comparison import overlap, overlap_iou
from core.progress import Progress
from core.pyramid import Pyramid
from core.scene import Segment
from panoviewer.annotating import Annotating
from panoviewer.jobs import Jobs
from panoviewer.panels.compare_bar import CompareBar
from panoviewer.stage import Stage
from panoviewer.views.difference import Legend, paint_overlap
from panoviewer.views.overlay import MAX_OVERLAY_WIDTH

_KEY = "compare-segments"
Painted = tuple[Pyramid, Legend, str]


class ComparingSegments(QObject):
    """Shows A, the first of two selected segments, B, the second, and what they share, in place of their own colours.

    Signals:
        changed: Two segments are compared now, or no longer.
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
        bar.closed.connect(self.stop)
        annotating.selection_changed.connect(self.follow)

    def start(self) -> None:
        """Compare the two selected segments."""
        chosen = self._annotating.selected_segments
        if len(chosen) != 2:
            self.noted.emit(
                f"Select two segments to compare their masks, with Ctrl + click; {len(chosen)} are selected."
            )
            return
        self.active = True
        self.changed.emit()
        self._jobs.run("Comparing segments", partial(_paint, *chosen), done=partial(self._show, *chosen), key=_KEY)

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
                self.start()
            else:
                self.stop()

    def _show(self, a: Segment, b: Segment, painted: Painted) -> None:
        if self.active:
            pyramid, legend, text = painted
            self._bar.show_masks(_name(a), _name(b), text, legend)
            self._set_bare(True)
            self._stage.set_other(pyramid, 0.0)


def _name(segment: Segment) -> str:
    return f"{segment.label or 'segment'} {segment.number}"


def _paint(a: Segment, b: Segment, _progress: Progress) -> Painted:
    held = overlap(a.mask.unpack(), b.mask.unpack())
    step = max(1, -(-held.shape[1] // MAX_OVERLAY_WIDTH))
    picture, legend = paint_overlap(held[step // 2 :: step, step // 2 :: step])
    iou = overlap_iou(held)
    parts = [
        "IoU " + ("unknown, both are empty" if iou is None else f"{iou:.4f}"),
        f"only in A {(a.mask - b.mask).solid_angle():.4f} sr",
        f"only in B {(b.mask - a.mask).solid_angle():.4f} sr",
        f"in both {(a.mask & b.mask).solid_angle():.4f} sr",
    ]
    return Pyramid.of(picture), legend, "      ".join(parts)
