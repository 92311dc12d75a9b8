"""One interface for everybody who can label: for each picture a teacher gives a network that answers about its views.

Perspective networks look at each view. A model of whole panoramas looks once, and its answer is read through the views;
so is what is known of a generated world, by the oracle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.io.digest import file_sha256
from core.models import find_model, load_model, weights_file
from core.models.base import PanoramaModel, PartialModel
from core.models.tiled import DepthKind, Tiled, TileNetwork
from core.progress import Progress, silent
from training.labelled import Labelled
from training.teachers import WorldTeacher
from training.truths import Truth

ORACLE = "oracle"


@dataclass(frozen=True, eq=False)
class Subject:
    """A panorama that is to be labelled.

    Attributes:
        name: Of its file, without folder and ending.
        digest: SHA-256 of its file.
        rgb: (H, W, 3) uint8, a level full sphere.
        valid: (H, W) bool, False where the photograph saw nothing; None when it saw everything.
        world: What is known of it when it is a generated world; None for photographs.
    """

    name: str
    digest: str
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None = None
    world: Labelled | None = None


@dataclass(frozen=True, eq=False)
class Expert:
    """Who answers about the views of one panorama.

    Attributes:
        network: To be asked by `core.models.tiled.read_tiles`.
        can_differ: Whether two views can contradict each other, so that their agreement means something.
        is_metric: Whether its depth is in metres.
        camera_height, ceiling_height: Metres; NaN where it says nothing about them.
        indoor: Whether it is inside a building; None where it does not say.
    """

    network: TileNetwork
    can_differ: bool = True
    is_metric: bool = False
    camera_height: float = float("nan")
    ceiling_height: float = float("nan")
    indoor: bool | None = None


class Teacher(Protocol):
    """Somebody who can label.

    Attributes:
        name: Of the model, wherever it lies.
        version: What tells one version from the next: SHA-256 of the weights; empty where there are none.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...

    def expert(self, subject: Subject, *, size: int, progress: Progress = silent) -> Expert:
        """Who answers about this panorama.

        Args:
            subject: The panorama.
            size: Pixels along each side of its views, for who has no size of its own.
            progress: Called as the work goes on; may raise `Cancelled`.

        Raises:
            PanoError: It can say nothing about it.
        """
        ...


def open_teacher(choice: str, *, device: str = "auto") -> Teacher:
    """A teacher, ready to be asked.

    Args:
        choice: `ORACLE`; or a model, as for `core.models.find_model`.
        device: As for `core.models.load_model`.

    Raises:
        ModelUnavailable: There is no such model, or it cannot be used here.
    """
    if choice == ORACLE:
        return Oracle()
    model = load_model(choice, device=device)
    name, version = teacher_name(choice), teacher_version(choice)
    if isinstance(model, Tiled):
        return NetworkTeacher(name, version, model.network)
    return ModelTeacher(name, version, model)


def teacher_name(choice: str) -> str:
    """`Teacher.name` without loading it.

    Raises:
        ModelUnavailable: There is no such model.
    """
    return ORACLE if choice == ORACLE else find_model(choice).name


def teacher_version(choice: str) -> str:
    """`Teacher.version` without loading it.

    Raises:
        ModelUnavailable: There is no such model.
    """
    if choice == ORACLE:
        return ""
    weights = weights_file(find_model(choice))
    return file_sha256(weights) if weights.is_file() else ""


@dataclass(frozen=True, eq=False)
class NetworkTeacher:
    """A perspective network."""

    name: str
    version: str
    network: TileNetwork

    def expert(self, subject: Subject, *, size: int, progress: Progress = silent) -> Expert:  # noqa: ARG002
        """See `Teacher`; it is the same for every panorama and has a size of its own."""
        return Expert(self.network, is_metric=self.network.depth_kind is DepthKind.METRIC)


@dataclass(frozen=True, eq=False)
class ModelTeacher:
    """A model of whole panoramas."""

    name: str
    version: str
    model: PanoramaModel

    def expert(self, subject: Subject, *, size: int, progress: Progress = silent) -> Expert:
        """See `Teacher`."""
        if subject.valid is not None and isinstance(self.model, PartialModel):
            said = self.model.predict_part(subject.rgb, subject.valid, progress=progress)
        else:
            said = self.model.predict(subject.rgb, progress=progress)
        truth = Truth(
            subject.name,
            subject.rgb,
            depth=said.depth,
            normals=said.normals,
            classes=said.classes,
            class_names=said.class_names,
            far=said.far,
            is_metric=said.is_metric,
        )
        height = said.camera_height if said.is_metric and said.camera_height is not None else float("nan")
        return Expert(WorldTeacher(truth, size=size), False, said.is_metric, camera_height=height)


@dataclass(frozen=True, eq=False)
class Oracle:
    """Knows generated worlds."""

    name: str = ORACLE
    version: str = ""

    def expert(self, subject: Subject, *, size: int, progress: Progress = silent) -> Expert:
        """See `Teacher`.

        Raises:
            PanoError: The panorama is no generated world.
        """
        progress(0, 1)
        world = subject.world
        if world is None:
            raise PanoError("The oracle labels generated worlds alone, got a photograph; choose a model as teacher.")
        truth = Truth(
            subject.name,
            subject.rgb,
            depth=world.depth,
            normals=world.normals,
            classes=world.classes,
            class_names=world.class_names,
            far=world.far,
            is_metric=True,
        )
        return Expert(
            WorldTeacher(truth, size=size),
            is_metric=True,
            camera_height=world.camera_height,
            ceiling_height=world.ceiling_height,
            indoor=world.indoor,
        )
