"""What the bundled dense network says of the classes in a panorama, for whoever wants to know nothing else of it."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.models import find_model, weights_file
from core.models.pano_s import NAME, PanoS, maps_of_reading
from core.progress import Progress, silent


class PanoClasses:
    """A `core.segment.piece.DenseNetwork`; always on the CPU, so that what is cut out depends on no device."""

    @cached_property
    def _network(self) -> PanoS:
        return PanoS(device="cpu")

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the classes."""
        return self._network.config.class_names

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the weights."""
        return f"{NAME}-{hashlib.sha256(weights_file(find_model(NAME)).read_bytes()).hexdigest()[:16]}"

    def chances(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> NDArray[np.uint8]:
        """See `core.segment.piece.DenseNetwork`.

        Raises:
            ModelUnavailable: The weights are missing or broken.
        """
        network = self._network
        maps = maps_of_reading(network.read(rgb, progress=progress), network.config)
        return np.rint(maps.chances * 255).astype(np.uint8)
