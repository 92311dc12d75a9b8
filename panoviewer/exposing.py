"""The exposure of pictures of more than 8 bits: slider, keys and status line, one value for all of them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QLabel

from core.tone import MAX_EV
from panoviewer.panels.exposure_panel import ExposurePanel, exposure_text
from panoviewer.session import Session
from panoviewer.shortcuts import Shortcuts

STEP = 0.5
KEYS = {"brighter": "E", "darker": "Shift+E"}
"""Of pictures that have an exposure; of all others E is the eraser's."""


class Exposing(QObject):
    """Holds the exposure of the open panorama, which begins at 0 and is no part of the scene."""

    def __init__(
        self,
        session: Session,
        *,
        panel: ExposurePanel,
        status: QLabel,
        actions: Mapping[str, QAction],
        shortcuts: Shortcuts,
        parent: QObject | None = None,
    ) -> None:
        """Connect them.

        Args:
            session: Develops the picture.
            panel: Sets the exposure; hidden for pictures that have none.
            status: Tells it; hidden, too.
            actions: Those of `KEYS`, 'exposure', and 'eraser', whose key is lent.
            shortcuts: The keys of the actions.
            parent: Its parent.
        """
        super().__init__(parent)
        self._session = session
        self._panel = panel
        self._status = status
        self._actions = actions
        self._ev = 0.0
        panel.exposure_changed.connect(self.set_exposure)
        self._shortcuts = shortcuts
        session.opened.connect(self._begin)
        shortcuts.changed.connect(self._lend_keys)
        self._begin()

    @property
    def exposure(self) -> float:
        """Steps that are added to the light which models see."""
        return self._ev

    def brighten(self, by: float) -> None:
        """Add steps."""
        self.set_exposure(self._ev + by)

    def set_exposure(self, ev: float) -> None:
        """Show this exposure in all views, where the picture has one."""
        if not self._is_possible():
            return
        ev = round(min(max(ev, -MAX_EV), MAX_EV), 1)
        if ev != self._ev:
            self._ev = ev
            self._session.set_exposure(ev)
        self._tell()

    def _begin(self) -> None:
        """Another panorama begins as models see it."""
        self._ev = 0.0
        self._lend_keys()
        possible = self._is_possible()
        for name in (*KEYS, "exposure"):
            self._actions[name].setEnabled(possible)
        self._panel.setVisible(possible)
        self._status.setVisible(possible)
        self._tell()

    def _lend_keys(self) -> None:
        """Where there is light to change, keys for it go before the eraser's, unless the user chose others."""
        keys = self._shortcuts.keys()
        possible = self._is_possible()
        given = {key for name, own in keys.items() if name not in (*KEYS, "eraser") for key in own}
        lent: set[str] = set()
        for name, key in KEYS.items():
            own = keys[name] or tuple({key} - given)
            lent.update(own)
            self._actions[name].setShortcuts([QKeySequence(key) for key in own] if possible else [])
        eraser = [key for key in keys["eraser"] if not possible or key not in lent]
        self._actions["eraser"].setShortcuts([QKeySequence(key) for key in eraser])

    def _is_possible(self) -> bool:
        panorama = self._session.document.panorama
        return panorama is not None and panorama.radiance is not None

    def _tell(self) -> None:
        self._panel.set_exposure(self._ev)
        self._status.setText(exposure_text(self._ev))
