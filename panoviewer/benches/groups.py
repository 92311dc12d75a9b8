"""The tables of a bench; another one is a module beside this one and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from panoviewer.benches.rows import Measure


@dataclass(frozen=True)
class Group:
    """One table of a bench.

    Attributes:
        name: On the command line.
        title: Above the table.
        module: Whose function `measure` yields the rows; imported when it is wanted.
        on_request: True when it takes too long to be measured unless it is asked for.
    """

    name: str
    title: str
    module: str
    on_request: bool = False

    def load(self) -> Measure:
        """The function that yields the rows."""
        measure: Measure = import_module(self.module).measure
        return measure


NETWORK_GROUP = "models"
"""The one of which single networks can be measured."""
GROUPS = (
    Group("segment", "Cutting out what is clicked on", "panoviewer.benches.segment"),
    Group("geometry", "Panoramas, views, depth and clouds", "panoviewer.benches.geometry"),
    Group("growth", "From 2K to 16K", "panoviewer.benches.growth"),
    Group("opening", "Until a picture is seen", "panoviewer.benches.opening"),
    Group("soak", "Hundreds of panoramas in one window", "panoviewer.benches.soak", on_request=True),
    Group("window", "The window", "panoviewer.benches.window"),
    Group(NETWORK_GROUP, "Networks, with random weights", "panoviewer.benches.models", on_request=True),
    Group("published", "Published networks on turned panoramas", "panoviewer.benches.published", on_request=True),
)
