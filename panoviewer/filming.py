"""Fills the filmstrip: small pictures of the views, and what is found in them while an object is being made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_lonlat, lonlat_to_pixels
from core.geometry.warp import erp_to_camera
from core.mask import SphereMask
from core.progress import Progress
from core.segment.options import SegmentOptions
from core.segment.updates import FrameReport
from core.segment.zigzag import frame_set
from panoviewer.clicking import Found
from panoviewer.panels.filmstrip import SIDE, Filmstrip
from panoviewer.session import Session
from panoviewer.tools.segment_tool import SegmentTool
from panoviewer.translation import tr

SOURCE_WIDTH = 4 * SIDE
"""Of the panorama from which the small pictures are taken: a view of 90 degrees has about as many pixels."""


class Filming(QObject):
    """Follows the segment tool."""

    def __init__(self, session: Session, tool: SegmentTool, strip: Filmstrip, parent: QObject | None = None) -> None:
        """Connect them.

        Args:
            session: Has the picture and runs work.
            tool: Makes objects.
            strip: Shows their views.
            parent: Its parent.
        """
        super().__init__(parent)
        self._session = session
        self._tool = tool
        self._strip = strip
        self._filmed: object = None
        tool.making_changed.connect(self.refresh)
        session.leaving.connect(self._clear)

    def refresh(self) -> None:
        """Show the views of what is being made; all views without anything in them when nothing is."""
        making = self._tool.making
        if making is None:
            frames = _unvisited()
            self._session.jobs.cancel("film mask")
            self._strip.set_elsewhere({})
            self._strip.set_frames(frames)
            self._film(frames)
        elif making.found is not None and making.found.update.frames:
            self._show(making.found, making.found.update.frames)

    def _clear(self) -> None:
        self._filmed = None
        self._strip.set_frames(())
        self._strip.set_photos({})

    def _show(self, found: Found, frames: Sequence[FrameReport]) -> None:
        self._strip.set_frames(frames)
        self._film(frames)
        if found.mask is not None:
            self._project(found.mask, [frame for frame in frames if frame.logits is None])

    def _film(self, frames: Sequence[FrameReport]) -> None:
        """Have the small pictures made, once for each panorama."""
        pyramid = self._session.pyramid
        if pyramid is None or self._filmed is pyramid:
            return
        self._filmed = pyramid
        level = pyramid.levels[pyramid.level_for(SOURCE_WIDTH)][..., :3]
        cameras = {frame.number: _small(frame.camera) for frame in frames}

        def film(progress: Progress) -> dict[int, NDArray[np.uint8]]:
            photos = {}
            for done, (number, camera) in enumerate(cameras.items()):
                progress(done, len(cameras))
                photos[number] = erp_to_camera(np.ascontiguousarray(level), camera)
            return photos

        self._session.jobs.run(tr("Filming"), film, done=self._strip.set_photos, key="film", visible=False)

    def _project(self, mask: SphereMask, frames: Sequence[FrameReport]) -> None:
        """Have it worked out what the mask covers of views that nobody looks at."""
        cameras = {frame.number: _small(frame.camera) for frame in frames}
        self._session.jobs.run(
            tr("Filming"),
            lambda _progress: {number: seen_by(camera, mask) for number, camera in cameras.items()},
            done=self._strip.set_elsewhere,
            key="film mask",
            visible=False,
        )


def seen_by(camera: Camera, mask: SphereMask) -> NDArray[np.bool_]:
    """(h, w) whether the mask covers each pixel of a camera."""
    lon, lat = directions_to_lonlat(camera.rays())
    rows, cols = lonlat_to_pixels(lon, lat, *mask.size)
    rows, cols = rows - mask.row, (cols - mask.col) % mask.width
    near = (rows >= 0) & (rows < mask.rows) & (cols < mask.cols)
    seen = np.zeros(near.shape, np.bool_)
    if near.any():
        seen[near] = mask.box()[rows[near], cols[near]]
    return seen


def _unvisited() -> list[FrameReport]:
    """The views in their order, before anything was clicked."""
    views = frame_set(SegmentOptions(), SIDE)
    return [FrameReport(number, views.camera(number), None, 0.0, False, None) for number in views.path(0)]


def _small(camera: Camera) -> Camera:
    return replace(camera, height=SIDE, width=SIDE)
