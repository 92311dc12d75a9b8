"""The ways to cut objects out that are judged side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.models.click_s import ClickS
from core.panorama import Panorama
from core.scene import Click
from core.segment.features import FeatureStore
from core.segment.options import Order, SegmentOptions
from core.segment.session import SegmentSession
from core.segment.updates import Stage
from training.click_baselines import color_flood, grab_cut
from training.click_evaluate import Answer, Mask, Method

if TYPE_CHECKING:
    from core.segment.network import ClickNetwork

ZIGZAG, RASTER, ERP, NO_SWEEP = "zigzag", "raster", "resized ERP", "first view only"


def network_methods(network: ClickNetwork) -> dict[str, Method]:
    """A network in each order of views, and without any sweep.

    Encodings are shared between them, for they depend on the photograph alone.
    """
    store = FeatureStore()

    def swept(order: Order) -> Method:
        def prepare(panorama: Panorama) -> Answer:
            session = SegmentSession(network, panorama, SegmentOptions(order=order), store=store)
            return lambda clicks: session.segment(clicks).mask.unpack()

        return prepare

    def first_only(panorama: Panorama) -> Answer:
        session = SegmentSession(network, panorama, store=store)
        return lambda clicks: _first_mask(session, clicks)

    return {
        ZIGZAG: swept(Order.ZIGZAG),
        RASTER: swept(Order.RASTER),
        ERP: swept(Order.ERP),
        NO_SWEEP: first_only,
    }


def _first_mask(session: SegmentSession, clicks: Sequence[Click]) -> Mask:
    mask = np.zeros((session.panorama.height, session.panorama.width), np.bool_)
    for update in session.updates(clicks):
        if update.stage not in (Stage.FIRST, Stage.REFINED):
            break
        mask = update.mask.unpack()
    return mask


def untrained_methods() -> dict[str, Method]:
    """The yardsticks that nobody had to train."""
    return {"GrabCut": grab_cut, "colour flood": color_flood}


def click_network(weights: Path | None = None) -> ClickS:
    """Click-s, bundled or from a file or folder of exported weights, on the CPU: figures must not depend on a GPU."""
    if weights is not None and weights.is_dir():
        weights = weights / "click_s.safetensors"
    return ClickS(weights, device="cpu")
