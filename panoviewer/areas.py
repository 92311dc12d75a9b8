"""Areas of masks, worked out off the UI thread: an 8K floor has millions of bits to count."""

from __future__ import annotations

import math
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from PySide6.QtCore import QObject, Signal

from core.mask import SphereMask
from core.progress import Progress
from core.scene import Segment
from panoviewer.jobs import Jobs
from panoviewer.translation import tr


class Areas(QObject):
    """Solid angles of segments, as far as they are known.

    Signals:
        changed: More are known.
    """

    changed = Signal()

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._known: WeakKeyDictionary[SphereMask, float] = WeakKeyDictionary()

    def of(self, segment: Segment) -> float:
        """Steradians; NaN while they are not known."""
        return self._known.get(segment.mask, math.nan)

    def want(self, segments: Iterable[Segment]) -> None:
        """Have the areas of these worked out."""
        missing = [segment.mask for segment in segments if segment.mask not in self._known]
        if not missing:
            return

        def measure(progress: Progress) -> list[tuple[SphereMask, float]]:
            areas = []
            for done, mask in enumerate(missing):
                progress(done, len(missing))
                areas.append((mask, mask.solid_angle()))
            return areas

        self._jobs.run(tr("Measuring"), measure, done=self._take, key="areas", visible=False)

    def _take(self, areas: list[tuple[SphereMask, float]]) -> None:
        self._known.update(areas)
        self.changed.emit()
