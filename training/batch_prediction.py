"""Predicting many panoramas: photographs in, sets of files out as ``panoviewer predict`` writes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from core.export.results import ResultOptions, why_unfinished, write_results
from core.io.images import read_panorama
from core.io.kept_level import kept_level
from core.io.kept_scale import read_scale, scale_settings
from core.models import load_model
from core.models.base import PanoramaModel
from core.models.levelled import predict_panorama
from training.batch import Do, named_by_content


@dataclass(frozen=True)
class PredictWork:
    """See `training.batch.Work`.

    Attributes:
        out: Folder of the sets; STEM-HASH.json and maps beside it, with the first digits of the photograph's SHA-256.
        options: What is wanted.
        device: Where the model runs; see `core.models.load_model`.
    """

    out: Path
    options: ResultOptions
    device: str = "auto"

    def start(self) -> Do:
        """Load the model."""
        model = load_model(self.options.model, device=self.device)
        return lambda path: self.predict(path, model)

    def predict(self, path: Path, model: PanoramaModel) -> bool:
        """Predict one panorama, unless that was done already with the same options and weights.

        What somebody has set for it, level and scale, holds as it does for `panoviewer predict`.

        Raises:
            PanoError: It cannot be read, or the model cannot be run on it.
        """
        target = self.out / named_by_content(path)[0]
        scale = read_scale(path)
        wanted = replace(self.options, scale=scale_settings(scale), level=kept_level(path))
        if why_unfinished(path, target, wanted) is None:
            return False
        panorama = read_panorama(path).with_level(wanted.level)
        prediction = predict_panorama(model, panorama, tasks=wanted.tasks, size=wanted.size)
        write_results(panorama, scale.apply(prediction), target, wanted)
        return True
