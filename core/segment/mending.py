"""Clicks on a mask that is there already, whoever made it: what they are about is changed, all else stays as it is.

A network answers clicks and knows nothing of what a hand, a class or another program has made of a mask since. So what
it finds is not taken for the mask; what the mask differs by from what its own clicks find is kept beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from core.mask import SphereMask
from core.progress import Progress, silent
from core.scene import Box, Click
from core.segment.session import SegmentSession


@dataclass(frozen=True, eq=False)
class Mending:
    """A mask that clicks go on from.

    Attributes:
        mask: As it is.
        clicks: That it was made by, before whatever else was done to it; none where there were no clicks.
        box: That was drawn for it, if any.
        reading: What its clicks mean.
    """

    mask: SphereMask
    clicks: tuple[Click, ...] = ()
    box: Box | None = None
    reading: int | None = None
    _own: dict[SegmentSession, SphereMask] = field(default_factory=dict, repr=False)

    def over(
        self, session: SegmentSession, clicks: Sequence[Click], *, progress: Progress = silent
    ) -> Callable[[SphereMask], SphereMask]:
        """What becomes of a mask that is found for some clicks: it keeps what was added and left out by other means.

        A click beside these overrules that: a negative one on what was added takes the object under it away again, a
        positive one on what was left out brings it back.

        Args:
            session: On the panorama of the mask.
            clicks: For which masks will be found, with the same box and reading.
            progress: May raise `Cancelled`.
        """
        if session not in self._own:
            found = session.segment(self.clicks, box=self.box, reading=self.reading, progress=progress)
            self._own[session] = found.mask
        own = self._own[session]
        added, left_out = self.mask - own, own - self.mask
        for click in clicks:
            overruled = left_out if click.positive else added
            if click not in self.clicks and overruled.contains(click.lon, click.lat):
                there = session.segment([replace(click, positive=True)], progress=progress).mask
                if click.positive:
                    left_out = left_out - there
                else:
                    added = added - there
        return lambda found: (found | added) - left_out
