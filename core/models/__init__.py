"""The catalogue of models that PanoViewer can run."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from core.errors import DeviceFull, ModelUnavailable
from core.io.memory import available_memory, format_bytes
from core.models.base import PanoramaModel, Task
from core.models.devices import pick_device
from core.models.own import find_own_model, is_place, own_models
from core.models.perspective_folder import find_folder, read_folder
from core.models.places import default_folder, read_places

if TYPE_CHECKING:
    from core.segment.network import ClickNetwork

DEVICES = ("auto", "cpu", "cuda", "mps")

Backend = Literal["auto", "torch", "onnxruntime"]
BACKENDS: tuple[Backend, ...] = ("auto", "torch", "onnxruntime")
"""What computes; "auto" takes what is faster on the device that is used."""

Size = Literal["full", "native"]
SIZES: tuple[Size, ...] = ("full", "native")
"""Of a prediction: the photograph's, or the one at which the model works."""


@dataclass(frozen=True)
class HubFile:
    """Where a published file lies.

    Attributes:
        repo: Its repository on the Hugging Face Hub, "owner/name".
        file: Its name there.
        revision: A branch, or the commit that is meant and no other.
    """

    repo: str
    file: str
    revision: str = "main"


@dataclass(frozen=True)
class ModelSpec:
    """One line of the catalogue.

    Attributes:
        name: What it is called on the command line.
        title: What it is called in the window.
        tasks: What it can say.
        entry: ``"module:Class"``; the class takes ``device=``, one of `DEVICES`, refuses a device
            that is not there with `ModelUnavailable`, and is a `PanoramaModel`.
        weights: Name of its file of weights.
        source: Where it comes from, as one would cite it.
        licence: Of the weights.
        layout: ``"module:function"`` that says what the published file holds, for weights that do not come with the
            program; the user adds that file once, see `core.models.store`.
        folder: Where the weights lie when the user brought them, who is nobody to vouch for them; None for the package
            `resources` or the folder of added weights. The class is then given their file as its first argument, too.
        hub: Where the published file lies; None where that is not known, or nothing is published.
        asks: True when the licence forbids commercial use or is not stated, so that one is asked before downloading.
        parameters: Of the network; 0 when not known.
        operations: Floating-point operations of one prediction, or of looking once at one view; a product and its sum
            are two. 0 when not known.
        peak_bytes: Memory that one prediction took on a CPU; 0 when not known.
        view_sizes: Pixels along each side of a click network's views that there are to choose from, its own first; the
            class then takes ``view_size=``. Empty where there is no choice.
        backends: What can run it; with more than torch, its class takes ``backend=``, too.
    """

    name: str
    title: str
    tasks: tuple[Task, ...]
    entry: str
    weights: str
    source: str
    licence: str
    layout: str = ""
    folder: Path | None = None
    hub: HubFile | None = None
    asks: bool = False
    parameters: int = 0
    operations: float = 0.0
    peak_bytes: int = 0
    view_sizes: tuple[int, ...] = ()
    backends: tuple[Backend, ...] = ("torch",)

    @property
    def is_bundled(self) -> bool:
        """True when the weights come with the program."""
        return not self.layout


MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
        "pano-s",
        "PanoViewer S (bundled)",
        (Task.DEPTH, Task.NORMALS, Task.CLASSES),
        "core.models.pano_s:PanoS",
        "pano_s.safetensors",
        source="trained from scratch by this project, see resources/pano_s.json",
        licence="Apache-2.0",
        parameters=3_703_557,
        operations=2 * 9.35e9,
        peak_bytes=370_000_000,
        backends=("torch", "onnxruntime"),
    ),
    ModelSpec(
        "dap",
        "Depth Any Panoramas",
        (Task.DEPTH,),
        "core.models.dap:Dap",
        "dap.safetensors",
        source="Insta360 Research, arXiv:2512.16913; model.pth of Insta360-Research/DAP-weights",
        licence="not stated by the publisher, reported as CC BY-NC 4.0 (non-commercial); DINOv3 License",
        layout="core.models.dap:published_layout",
        hub=HubFile("Insta360-Research/DAP-weights", "model.pth"),
        asks=True,
        parameters=365_050_242,
        operations=2 * 2.544e12,
        peak_bytes=2_070_000_000,
        backends=("torch", "onnxruntime"),
    ),
    *(
        ModelSpec(
            f"mtpano-{size}",
            f"MTPano {size}",
            (Task.DEPTH, Task.NORMALS, Task.CLASSES),
            f"core.models.mtpano:Mtpano{size}",
            f"mtpano_{size}.safetensors",
            source=f"arXiv:2602.05330; mtpano_model_{size}.pth.tar of jdzhang0929/MTPano",
            licence="not stated by the publisher, whose code says CC BY-NC 4.0 (non-commercial); DINOv3 License",
            layout="core.models.mtpano:published_layout",
            hub=HubFile("jdzhang0929/MTPano", f"mtpano_model_{size}.pth.tar"),
            asks=True,
            parameters=589_514_490,
            operations=2 * 3.818e12,
            peak_bytes=3_190_000_000,
            backends=("torch", "onnxruntime"),
        )
        for size in ("140k", "408k")
    ),
)
DEFAULT_MODEL = MODELS[0].name

_SAM2_SIZES = {
    "tiny": (38_962_498, 293e9),
    "small": (46_060_354, 360e9),
    "base-plus": (80_850_178, 648e9),
    "large": (224_446_642, 1825e9),
}
"""Parameters of each, and operations of its encoder."""
_SAM2_REST = 550e9
"""Operations behind the encoder, with six memories, of which nearly all are spent on reading those."""
_SAM2_PEAKS = {
    "tiny": 1_370_000_000,
    "small": 1_480_000_000,
    "base-plus": 1_720_000_000,
    "large": 2_140_000_000,
}
"""The first of cutting out an object with it; how much more the others take, of looking at a view with six memories."""

SEGMENTERS: tuple[ModelSpec, ...] = (
    ModelSpec(
        "click-s",
        "PanoViewer Click S (bundled)",
        (),
        "core.models.click_s:ClickS",
        "click_s.safetensors",
        source="trained from scratch by this project, see resources/click_s.json",
        licence="Apache-2.0",
        parameters=3_382_751,
        operations=5.66e9,
        peak_bytes=340_000_000,
        backends=("torch", "onnxruntime"),
    ),
    *(
        ModelSpec(
            f"sam2.1-{size}",
            f"SAM 2.1 {size}",
            (),
            f"core.models.sam2:sam21_{size.replace('-', '_')}",
            f"sam2.1_{size.replace('-', '_')}.safetensors",
            source=f"Meta, arXiv:2408.00714; sam2.1_hiera_{size.replace('-', '_')}.pt of facebook/sam2.1-hiera-{size}",
            licence="Apache-2.0",
            layout=f"core.models.sam2:{size.replace('-', '_')}_layout",
            hub=HubFile(f"facebook/sam2.1-hiera-{size}", f"sam2.1_hiera_{size.replace('-', '_')}.pt"),
            parameters=parameters,
            operations=encoder + _SAM2_REST,
            peak_bytes=_SAM2_PEAKS[size],
            view_sizes=(1024, 512),
        )
        for size, (parameters, encoder) in _SAM2_SIZES.items()
    ),
    *(
        ModelSpec(
            f"sap-{size}",
            f"SAP {size}, SAM 2.1 trained on panoramas",
            (),
            f"core.models.sam2:sap_{size.replace('-', '_')}",
            f"sap_{size.replace('-', '_')}.safetensors",
            source="arXiv:2603.12759, announced and not yet published; a file of SAM 2.1 that was trained further",
            licence="not stated by the publisher",
            layout=f"core.models.sam2:{size.replace('-', '_')}_layout",
            asks=True,
            parameters=parameters,
            operations=encoder + _SAM2_REST,
            peak_bytes=_SAM2_PEAKS[size],
            view_sizes=(1024, 512),
        )
        for size, (parameters, encoder) in _SAM2_SIZES.items()
    ),
)
"""Networks that cut out what is clicked on. They say nothing about a panorama by themselves and so have no tasks; their
entry is a `core.segment.network.ClickNetwork`."""
DEFAULT_SEGMENTER = SEGMENTERS[0].name


def find_model(name: str) -> ModelSpec:
    """The line of the catalogue with a name, or one for a model that the user brings.

    Args:
        name: One of the catalogue, those of the user's own in the folder of added weights included; a folder or
            safetensors file as `core.models.own` describes it; or a folder or hub name of a perspective network as
            `core.models.perspective_folder` does.

    Raises:
        ModelUnavailable: There is no such model; names those that there are.
    """
    if all(spec.name != name for spec in MODELS) and is_place(name):
        folder = find_folder(name)
        return find_own_model(Path(name), MODELS) if folder is None else read_folder(folder).spec()
    return _find(name, listed_models())


def find_segmenter(name: str) -> ModelSpec:
    """The line of the catalogue of click networks with a name, or one for a network that the user brings.

    Args:
        name: One of the catalogue, as for `find_model`; or a folder or safetensors file.

    Raises:
        ModelUnavailable: There is no such network; names those that there are.
    """
    if all(spec.name != name for spec in SEGMENTERS) and is_place(name):
        return find_own_model(Path(name), SEGMENTERS)
    return _find(name, listed_segmenters())


def find_any(name: str) -> ModelSpec:
    """The line of the catalogue with a name, of a model of panoramas or of a click network, which has no tasks.

    Args:
        name: As for `find_model` or `find_segmenter`.

    Raises:
        ModelUnavailable: There is neither.
    """
    if any(spec.name == name for spec in listed_segmenters()):
        return find_segmenter(name)
    try:
        return find_model(name)
    except ModelUnavailable:
        if not is_place(name):
            raise
        return find_segmenter(name)


def listed_models() -> tuple[ModelSpec, ...]:
    """Every model that has a name: those of this program, and the user's own in the folder of added weights."""
    return (*MODELS, *(spec for spec in _own_models() if spec.tasks))


def listed_segmenters() -> tuple[ModelSpec, ...]:
    """The same of networks for clicks."""
    return (*SEGMENTERS, *(spec for spec in _own_models() if not spec.tasks))


def _own_models() -> tuple[ModelSpec, ...]:
    return own_models(models_folder(), (*MODELS, *SEGMENTERS))


def _find(name: str, specs: tuple[ModelSpec, ...]) -> ModelSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    names = ", ".join(spec.name for spec in specs)
    raise ModelUnavailable(
        f"Expected one of the models {names}, or a folder or file of a model, got {name}, and no folder or file of "
        "that name was found; choose one of these, or give the place of yours."
    )


def models_folder() -> Path:
    """Where the weights lie that the user added; it may not exist yet."""
    return read_places().folder or default_folder()


def weights_file(spec: ModelSpec) -> Path:
    """Where a model's weights lie; whether they are there is for the model to say."""
    own = Path(str(files("resources"))) if spec.is_bundled else models_folder()
    return (spec.folder or own) / spec.weights


def load_model(name: str, *, device: str = "auto", backend: Backend = "auto") -> PanoramaModel:
    """A model, ready to predict.

    Args:
        name: As for `find_model`.
        device: One of `DEVICES`; "auto" takes a GPU when there is one.
        backend: One of `BACKENDS`; onnxruntime needs the graph that `core.models.onnx_export` writes.

    Raises:
        ModelUnavailable: There is no such model, its weights are missing or broken, there is no such device, or the
            model does not run on that backend.
    """
    spec = find_model(name)
    _check_backend(spec, backend)
    return cast(PanoramaModel, _load(spec, device, backend))


def load_segmenter(
    name: str, *, device: str = "auto", backend: Backend = "auto", view_size: int | None = None
) -> ClickNetwork:
    """A click network, ready for `core.segment`.

    Args:
        name: As for `find_segmenter`.
        device: As for `load_model`.
        backend: As for `load_model`.
        view_size: One of its `ModelSpec.view_sizes`, or its own, which is meant by None, too.

    Raises:
        ModelUnavailable: As for `load_model`, or the network has no views of this size.
    """
    spec = find_segmenter(name)
    _check_backend(spec, backend)
    if view_size is None or not spec.view_sizes:
        network = cast("ClickNetwork", _load(spec, device, backend))
        if view_size not in (None, network.view_size):
            raise ModelUnavailable(
                f"Expected views of {network.view_size} pixels, the only size that {name} reads, got {view_size}; "
                "leave the size out."
            )
        return network
    if view_size not in spec.view_sizes:
        sizes = " or ".join(map(str, spec.view_sizes))
        raise ModelUnavailable(f"Expected views of {sizes} for {name}, got {view_size}; choose another size.")
    return cast("ClickNetwork", _load(spec, device, backend, view_size=view_size))


def _check_backend(spec: ModelSpec, backend: Backend) -> None:
    if backend not in ("auto", *spec.backends):
        raise ModelUnavailable(
            f"The model {spec.name} runs on {' or '.join(spec.backends)}, got the backend {backend}."
        )


def _load(spec: ModelSpec, device: str, backend: Backend = "auto", **options: object) -> object:
    if device not in DEVICES:
        raise ModelUnavailable(f"Expected one of the devices {', '.join(DEVICES)}, got {device}.")
    if not spec.is_bundled and device in ("auto", "cpu") and pick_device(device) == "cpu":
        _check_memory(spec)
    module, _, entry = spec.entry.partition(":")
    model = getattr(import_module(module), entry)
    if len(spec.backends) > 1:
        options["backend"] = backend
    return model(*[] if spec.folder is None else [weights_file(spec)], device=device, **options)


def _check_memory(spec: ModelSpec) -> None:
    """Refuse a model that the system would end half way: it gives memory that it does not have, and kills who uses it.

    The weights do not count: they are mapped from their file, and what of them is in memory can be given up.
    """
    path = weights_file(spec)
    needed = spec.peak_bytes - (path.stat().st_size if path.is_file() else spec.peak_bytes)
    free = available_memory()
    if free < needed:
        raise DeviceFull(
            f"Expected {format_bytes(needed)} of free memory for the model {spec.name}, got {format_bytes(free)}; "
            "close other programs or choose a smaller model."
        )
