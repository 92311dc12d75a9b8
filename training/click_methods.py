"""The ways to cut objects out that are judged side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import PanoError
from core.models import find_segmenter, load_segmenter
from core.models.click_s import NAME, ClickS
from core.models.own import CARD_SUFFIX
from core.panorama import Panorama
from core.scene import Click
from core.segment.features import FeatureStore
from core.segment.options import Order, SegmentOptions
from core.segment.session import SegmentSession
from core.segment.updates import Stage
from training.checkpoint import is_run_place, recipe_of
from training.click_baselines import color_flood, grab_cut
from training.click_evaluate import Answer, Mask, Method
from training.export_model import export_run

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


def click_network(choice: str | Path | None = None) -> ClickNetwork:
    """A network to click with.

    Args:
        choice: A name of the catalogue (sam2.1-tiny), a folder of a run of click-s or sap, a checkpoint, or a folder or
            file of exported weights; the bundled click-s when left out. Click-s runs on the CPU: its figures must not
            depend on a GPU.

    Raises:
        PanoError: There is no such network, or the run is of one that is not clicked with.
    """
    if choice is None:
        return ClickS(device="cpu")
    path = Path(choice)
    if isinstance(choice, str) and not path.exists():
        return _loaded(choice)
    if is_run_place(path):
        recipe = recipe_of(path)
        if recipe not in ("click-s", "sap"):
            raise PanoError(
                f"Expected a run of click-s or sap to click with, got one of {recipe}; choose another: {path}"
            )
        with tempfile.TemporaryDirectory() as folder:
            export_run(path, Path(folder))
            return _loaded(folder)
    file = path / "click_s.safetensors" if path.is_dir() else path
    if file.is_file() and not file.with_suffix(CARD_SUFFIX).is_file():
        return ClickS(file, device="cpu")
    return _loaded(str(path.absolute()))


def _loaded(name: str) -> ClickNetwork:
    is_click_s = find_segmenter(name).entry == find_segmenter(NAME).entry
    return load_segmenter(name, device="cpu" if is_click_s else "auto")
