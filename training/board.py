"""A run as TensorBoard shows it: figures over steps, and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = "board"


class Board:
    """Writes events for `tensorboard --logdir RUN`.

    Args:
        run: Folder of the run.
        step: Where it goes on: what was written of later steps by a process that was killed is not shown.
    """

    def __init__(self, run: Path, *, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run / FOLDER), purge_step=step + 1)

    def figures(self, group: str, row: Mapping[str, float]) -> None:
        """Add a row of figures, its step among them."""
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(f"{group}/{name}", value, int(row["step"]))

    def pictures(self, pictures: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Add pictures, (h, w, 3) by name."""
        for name, picture in pictures.items():
            self._writer.add_image(name, picture, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
