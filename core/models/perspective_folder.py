"""Folders as the Hugging Face Hub publishes perspective networks: what lies in one, told without running anything.

Such a folder holds config.json, preprocessor_config.json and safetensors files. Nothing is fetched: it lies where the
user says, or in the cache of the hub's own tools. Code that a folder may bring is never looked at.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelUnavailable
from core.models.ade20k import ADE20K_NAMES
from core.models.base import Task

if TYPE_CHECKING:
    from core.models import ModelSpec

CONFIG = "config.json"
PREPROCESSING = "preprocessor_config.json"
README = "README.md"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_JSON_BYTES = 32 << 20
DEPTH_TYPES = ("depth_anything", "depth_pro", "dpt", "glpn", "zoedepth")
"""Kinds of depth networks of which we know what their numbers mean."""
ENTRY = "core.models.perspective:Perspective"
SIZES = (32, 2048)
"""Sides of the pictures that a network may want, in pixels."""
OTHERWISE = 480
"""The side where the folder leaves it open, near what such networks were trained on."""

_CLASS_ENDINGS = ("ForSemanticSegmentation", "ForUniversalSegmentation", "ForInstanceSegmentation")
_ASKING = ("oneformer", "videomt", "detr")
"""Kinds that need more than a picture, or say something else than a class for each pixel."""
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SHOWN = 60
_OWN = "hub"
_REPO = "models--{}"
_HEAD_BYTES = 16384
_UNSTATED = "not stated by the publisher"


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its pictures.

    Attributes:
        size: Pixels along each side of a square one.
        scale: By which 8-bit values are multiplied.
        mean, deviation: Taken from, and then divided out of, the scaled red, green and blue.
        blue_first: True where the channels are reversed.
    """

    size: int
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blue_first: bool = False


@dataclass(frozen=True)
class PerspectiveFolder:
    """What a folder says about itself.

    Attributes:
        folder: Where it lies.
        name: "owner/name" of a folder in the hub's cache, else its own name.
        kind: The `model_type` of its configuration.
        architecture: The class of `transformers`.
        task: Depth or classes.
        class_names: Of its classes, in their order.
        preprocessing: How it wants its pictures.
        config: Its configuration.
        weights: Its safetensors files.
        main: The one of them, or the list of them, that stands for all.
        licence: Of the weights, as the publisher states it in the head of the README.
    """

    folder: Path
    name: str
    kind: str
    architecture: str
    task: Task
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    config: Mapping[str, Any]
    weights: tuple[Path, ...]
    main: Path
    licence: str = _UNSTATED

    def spec(self) -> ModelSpec:
        """The folder as a line of the catalogue."""
        from core.models import ModelSpec

        return ModelSpec(
            self.name,
            f"{self.name} on perspective tiles",
            (self.task,),
            ENTRY,
            self.main.name,
            source=f"{self.architecture} of the user's own",
            licence=self.licence,
            folder=self.main.parent,
        )


def find_folder(choice: str) -> Path | None:
    """The folder of a perspective network that a choice of a model means, or None.

    Args:
        choice: A folder with a config.json; or "owner/name" of what the hub's tools have put into their cache, when
            there is no such folder.
    """
    place = Path(choice)
    try:
        if place.is_dir():
            return place if (place / CONFIG).is_file() else None
    except (OSError, ValueError):
        return None
    return cached_folder(choice) if is_hub_name(choice) and not os.path.lexists(choice) else None


def is_hub_name(choice: str) -> bool:
    """True for "owner/name"."""
    return _HUB_NAME.fullmatch(choice) is not None and ".." not in choice


def hub_cache() -> Path:
    """Where the hub's tools keep what they fetched. Source: huggingface_hub, Environment variables, HF_HUB_CACHE."""
    if own := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(own).expanduser()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HF_HOME") or caches / "huggingface").expanduser() / "hub"


def own_folder(name: str = "") -> Path:
    """Where this program keeps what it fetched, or the repository of a name, laid out as in the hub's cache."""
    from core.models import models_folder

    folder = models_folder() / _OWN
    return folder / _REPO.format(name.replace("/", "--")) if name else folder


def own_names() -> list[str]:
    """The names of the repositories that this program fetched, sorted."""
    repos = own_folder().glob(_REPO.format("*--*"))
    names = (repo.name.removeprefix(_REPO.format("")).replace("--", "/", 1) for repo in repos)
    return sorted(name for name in names if _copy(own_folder(name)) is not None)


def cached_folder(name: str) -> Path | None:
    """The whole copy of a repository that this program fetched, or else the newest one in the hub's cache; None where
    there is none. Opens no connection.
    """
    return _copy(own_folder(name)) or _copy(hub_cache() / own_folder(name).name)


def _copy(repo: Path) -> Path | None:
    try:
        commit = (repo / "refs" / "main").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    folder = repo / "snapshots" / commit
    is_there = re.fullmatch(r"[0-9a-f]{4,64}", commit) is not None and (folder / CONFIG).is_file()
    return folder if is_there else None


def read_folder(folder: Path) -> PerspectiveFolder:
    """What lies in a folder; the weights are not read.

    Raises:
        ModelUnavailable: A file is missing or broken, or the network is of a kind that is not understood.
    """
    return described(folder, *_weights(folder))


def described(folder: Path, main: Path, weights: tuple[Path, ...]) -> PerspectiveFolder:
    """What a folder says of a network whose weights need not be there.

    Args:
        folder: With the files that describe it.
        main: Where the weights, or the list of them, will lie.
        weights: Where all of them will.

    Raises:
        ModelUnavailable: As for `read_folder`.
    """
    config = _read_json(folder / CONFIG)
    kind, architectures = config.get("model_type"), config.get("architectures")
    architecture = architectures[0] if isinstance(architectures, list) and architectures else None
    if not isinstance(kind, str) or not isinstance(architecture, str):
        raise ModelUnavailable(
            f"Expected a configuration that names its network (model_type, architectures), got one that does not; "
            f"choose the folder of a published network: {folder / CONFIG}"
        )
    task = _task(kind, architecture, folder)
    return PerspectiveFolder(
        folder,
        _name(folder),
        kind,
        architecture,
        task,
        _class_names(config, folder) if task is Task.CLASSES else (),
        _preprocessing(_read_json(folder / PREPROCESSING), config, folder),
        config,
        weights,
        main,
        _licence(folder),
    )


def _licence(folder: Path) -> str:
    """What the head of the README says. Source: the hub's documentation, Model cards, metadata."""
    try:
        with (folder / README).open("rb") as stream:
            head = stream.read(_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return _UNSTATED
    lines = head.splitlines()
    if not lines or lines[0].strip() != "---":
        return _UNSTATED
    stated = dict(
        re.findall(r"(?m)^(license|license_name):[ \t]*[\"']?([\w.+ -]{1,60}?)[\"']?[ \t]*$", head.split("\n---")[0])
    )
    licence = stated.get("license", "")
    return str(stated.get("license_name", licence) if licence in ("", "other") else licence) or _UNSTATED


def _task(kind: str, architecture: str, folder: Path) -> Task:
    if kind in DEPTH_TYPES and architecture.endswith("ForDepthEstimation"):
        return Task.DEPTH
    if architecture.endswith(_CLASS_ENDINGS) and kind not in _ASKING:
        return Task.CLASSES
    raise ModelUnavailable(
        f"Expected a network for depth ({', '.join(DEPTH_TYPES)}) or for classes of pixels, got "
        f"{_shown(architecture)} of the kind {_shown(kind)}, which is not understood here; choose another: {folder}"
    )


def _weights(folder: Path) -> tuple[Path, tuple[Path, ...]]:
    """The file that stands for the weights, and all of them."""
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS, (folder / WEIGHTS,)
    if not (folder / INDEX).is_file():
        raise ModelUnavailable(
            f"Expected {WEIGHTS} beside {CONFIG}, got none; other kinds of files may run code when they are read and "
            f"are left alone, so choose a revision with safetensors: {folder}"
        )
    return folder / INDEX, tuple(folder / name for name in weight_files(folder / INDEX))


def weight_files(index: Path) -> list[str]:
    """The names of the files of weights that a list names, which lie beside it.

    Raises:
        ModelUnavailable: It is broken, or names other files.
    """
    listed = _read_json(index).get("weight_map")
    names = sorted({str(name) for name in listed.values()}) if isinstance(listed, dict) and listed else []
    if not names or not all(re.fullmatch(r"[\w.-]+\.safetensors", name) for name in names):
        raise ModelUnavailable(f"Expected a list of safetensors files of its folder, got another one: {index}")
    return names


def _class_names(config: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    labels = config.get("id2label")
    names = [str(labels.get(str(number))) for number in range(len(labels))] if isinstance(labels, dict) else []
    if len(names) == len(ADE20K_NAMES):
        return ADE20K_NAMES
    if not 1 < len(names) <= 1000 or any(re.fullmatch(r"LABEL_\d+|None", name) for name in names):
        raise ModelUnavailable(
            f"Expected the names of the {len(ADE20K_NAMES)} classes of ADE20K or of others (id2label), got "
            f"{len(names)} without names; choose a network that was trained for classes: {folder / CONFIG}"
        )
    return tuple(re.split(r"[,;]", name)[0].strip() for name in names)


def _preprocessing(values: Mapping[str, Any], config: Mapping[str, Any], folder: Path) -> Preprocessing:
    size = values.get("size", OTHERWISE)
    if isinstance(size, dict):
        sides = [size[key] for key in ("height", "width", "shortest_edge") if key in size]
        size = min(sides, default=OTHERWISE) if all(isinstance(side, int) for side in sides) else None
    of = next((values[key] for key in ("ensure_multiple_of", "size_divisor") if values.get(key)), None)
    patch = config.get("patch_size")
    of = of or (patch if isinstance(patch, int) and patch > 0 else 1)
    try:
        low, high = SIZES
        if type(size) is not int or type(of) is not int or not low <= size <= high or not 1 <= of <= 512:
            raise ValueError(f"sides of {_shown(size)} pixels, in steps of {_shown(of)}")
        is_normalised = values.get("do_normalize", True)
        mean, deviation = (_three(values.get(key)) for key in ("image_mean", "image_std"))
        scale = float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0
        return Preprocessing(
            size=max(1, round(size / of)) * of,
            scale=scale,
            mean=mean if is_normalised and mean else (0.0, 0.0, 0.0),
            deviation=deviation if is_normalised and deviation else (1.0, 1.0, 1.0),
            blue_first=bool(values.get("do_flip_channel_order", False)),
        )
    except (TypeError, ValueError) as error:
        raise ModelUnavailable(
            f"Expected how the network wants its pictures, got something else ({error}); choose the folder as it was "
            f"published: {folder / PREPROCESSING}"
        ) from error


def _three(values: object) -> tuple[float, float, float] | None:
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != 3:
        raise ValueError(f"{_shown(values)} for three channels")
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _name(folder: Path) -> str:
    """What the folder is called; a copy in the hub's cache lies in snapshots/COMMIT of models--owner--name."""
    place = folder.absolute()
    repo = place.parent.parent.name
    if place.parent.name == "snapshots" and repo.startswith("models--"):
        return repo.removeprefix("models--").replace("--", "/", 1)
    return place.name


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("it is too large")
        values = json.loads(path.read_bytes())
        if not isinstance(values, dict):
            raise TypeError("it is no object")
    except FileNotFoundError as error:
        raise ModelUnavailable(
            f"Expected {path.name} in the folder of a published network, got none; fetch the whole folder: {path}"
        ) from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelUnavailable(
            f"Expected a readable {path.name}, got a broken one ({_shown(error)}); fetch it again: {path}"
        ) from error
    return values


def _shown(what: object) -> str:
    text = str(what)[:_SHOWN]
    return text if text.isprintable() else ascii(text)
