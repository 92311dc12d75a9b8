"""The comparisons that can be made."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from core.errors import PanoError
from training.ablations.ladder import Ladder

LADDERS: Mapping[str, str] = {
    "sap": "training.ablations.sap:SAP",
    "dap": "training.ablations.dap:DAP",
    "mtpano": "training.ablations.mtpano:MTPANO",
}
"""Where each stands; imported when it is asked for."""


def find_ladder(name: str) -> Ladder:
    """A comparison by its name.

    Raises:
        PanoError: There is none.
    """
    if name not in LADDERS:
        raise PanoError(f"Expected a comparison ({', '.join(LADDERS)}), got '{name}'. Choose one of these.")
    module, value = LADDERS[name].split(":")
    ladder: Ladder = getattr(import_module(module), value)
    return ladder
