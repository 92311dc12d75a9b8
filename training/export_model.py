"""From a training run to what is shipped: weights as safetensors, the graph that reads them, the model card."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

from core.errors import PanoError
from core.io.atomic import atomic_file, make_folder
from core.models.networks.graphs import pano_s_graph
from core.models.onnx_export import can_export, export_onnx, write_graph
from core.models.pano_s import MAX_BYTES, NAME, PanoSConfig
from core.models.weights import MAX_BYTES as LARGEST
from core.models.weights import header_digest, load_strictly
from training.checkpoint import load_checkpoint, recipe_of
from training.model_card import describe_run, read_card, shipped_page, write_card
from training.recipes import recipe_of_run
from training.worlds.classes import CLASS_NAMES

if TYPE_CHECKING:
    from core.models.networks.pano_s import PanoSNet

STEM = "pano_s"


def export_model(checkpoint: Path, out: Path, *, onnx: bool = False, other_runs: Sequence[Path] = ()) -> list[Path]:
    """Write a run's averaged weights and their card.

    Args:
        checkpoint: A run's folder, or a checkpoint in it.
        out: Folder for `pano_s.safetensors`, `pano_s.json` and `pano_s.md`; made when missing.
        onnx: Also write `pano_s.onnx`, a graph without numbers of its own that reads them from the safetensors file; an
            older graph there is removed otherwise, unless it still fits.
        other_runs: Runs with other seeds, whose results the card tells beside.

    Returns:
        The files that were written. What an older card there says under "limits" is kept, results are not. The lines of
        a file `notes.txt` beside the checkpoint tell on the card how the run went.

    Raises:
        PanoError: There is no checkpoint, it is of another model, or its weights are larger than may be shipped.
        ExportError: A file cannot be written.
    """
    state = load_checkpoint(checkpoint, NAME)
    config, network = network_of_run(state, checkpoint)
    make_folder(out)
    weights = write_weights(network, config, out / f"{STEM}.safetensors")
    graph = weights.with_suffix(".onnx")
    written = [weights]
    if onnx:
        written.append(write_graph(pano_s_graph(network, config.height), weights))
    elif graph.is_file() and header_digest(weights).encode() not in graph.read_bytes():
        graph.unlink()
    card_file = out / f"{STEM}.json"
    runs = [describe_run(state), *(describe_run(load_checkpoint(run, NAME)) for run in other_runs)]
    card = {
        "model": NAME,
        "class_names": list(config.class_names),
        "height": config.height,
        "widths": list(config.widths),
        "layers": config.layers,
        "parameters": sum(value.numel() for value in network.parameters()),
        "megabytes": round(weights.stat().st_size / 1e6, 2),
        "runs": runs,
        "notes": notes_beside(checkpoint),
        "limits": limits_of(card_file),
    }
    return [*written, *write_card(card, card_file)]


def export_run(checkpoint: Path, out: Path, *, onnx: bool = False, other_runs: Sequence[Path] = ()) -> list[Path]:
    """Write a run's averaged weights and their card: for any recipe, in what its `ship` says.

    Args:
        checkpoint: As for `export_model`.
        out: Folder for weights, card and page; made when missing. PanoViewer opens it by its place, and lists it where
            `panoviewer models add` took it over.
        onnx: Also write the ONNX graphs, of networks that have any.
        other_runs: As for `export_model`.

    Returns:
        The files that were written.

    Raises:
        PanoError: There is no checkpoint, or its weights are not those of the network that this version builds.
        ExportError: A file cannot be written.
    """
    name = recipe_of(checkpoint)
    state = load_checkpoint(checkpoint, name)
    recipe = recipe_of_run(state)
    network = recipe.build().eval()
    _fill(network, state, name, checkpoint)
    shipped = recipe.ship(network)
    make_folder(out)
    weights = write_network(network, shipped.metadata, out / f"{shipped.stem}.safetensors")
    written = [weights]
    for old in out.glob(f"{shipped.stem}*.onnx"):
        # A graph names the file that it reads its numbers from; those of other models may lie here, too.
        if weights.name.encode() in old.read_bytes():
            old.unlink()
    card = {
        "model": shipped.model,
        "recipe": name,
        "about": shipped.about,
        "data": list(shipped.data),
        "licence": shipped.licence,
        "facts": dict(shipped.facts),
        "headline": {"name": recipe.headline.name, "higher_is_better": recipe.headline.higher_is_better},
        "parameters": sum(value.numel() for value in network.parameters()),
        "megabytes": round(weights.stat().st_size / 1e6, 2),
        "runs": [describe_run(state), *(describe_run(load_checkpoint(run, name)) for run in other_runs)],
        "notes": notes_beside(checkpoint),
        "limits": limits_of(out / f"{shipped.stem}.json"),
    }
    written += write_card(card, out / f"{shipped.stem}.json", shipped_page)
    if onnx and can_export(str(weights)):
        written += [path for path in export_onnx(str(weights)) if path not in written]
    return written


def notes_beside(checkpoint: Path) -> list[str]:
    """The lines of notes.txt beside a checkpoint: how the run went."""
    file = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / "notes.txt"
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def limits_of(card: Path) -> list[str]:
    """What an older card says under "limits", which is kept."""
    limits: list[str] = read_card(card).get("limits", []) if card.is_file() else []
    return limits


def _fill(network: nn.Module, state: Mapping[str, Any], name: str, checkpoint: Path) -> None:
    try:
        network.load_state_dict(state["ema"], strict=True)
    except RuntimeError as error:
        raise PanoError(
            f"Expected the weights of this version's {name}, got others ({str(error).splitlines()[-1].strip()}); "
            f"train again: {checkpoint}"
        ) from error


def network_of_run(state: dict[str, Any], checkpoint: Path) -> tuple[PanoSConfig, PanoSNet]:
    """The network of a run with its averaged weights, and what describes it.

    Raises:
        PanoError: The weights are not those of the network that this version builds.
    """
    config = PanoSConfig(CLASS_NAMES, height=int(state["config"]["height"]))
    network = config.build().eval()
    _fill(network, state, NAME, checkpoint)
    return config, network


class Described(Protocol):
    """What is stored beside the numbers of a network, and builds it again."""

    def build(self) -> nn.Module:
        """The network with arbitrary weights."""
        ...

    def to_metadata(self) -> dict[str, str]:
        """Text for the file of weights."""
        ...


def write_weights(network: nn.Module, config: Described, path: Path) -> Path:
    """Store a network's numbers and description as safetensors, and read them back strictly.

    Raises:
        PanoError: The file would be larger than may be shipped, or a number is not finite.
        ExportError: The file cannot be written.
    """
    write_network(network, config.to_metadata(), path, max_bytes=MAX_BYTES)
    load_strictly(config.build(), path, max_bytes=MAX_BYTES)
    return path


def write_network(network: nn.Module, metadata: Mapping[str, str], path: Path, *, max_bytes: int = LARGEST) -> Path:
    """Store a network's numbers and the text that describes it as safetensors, and read them back strictly.

    Raises:
        PanoError: The file would be larger than is opened, or a number is not finite.
        ExportError: The file cannot be written.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {name: value.contiguous() for name, value in network.state_dict().items()}
    infinite = [name for name, value in tensors.items() if not value.isfinite().all()]
    if infinite:
        raise PanoError(f"Weights must be finite, got others in {', '.join(infinite[:3])}; train again: {path}")
    packed = save(tensors, metadata=dict(metadata))
    if len(packed) > max_bytes:
        raise PanoError(f"Weights may take {max_bytes / 1e6:.0f} MB, got {len(packed) / 1e6:.1f} MB: {path}")
    with atomic_file(path) as stream:
        stream.write(packed)
    load_strictly(copy.deepcopy(network), path, max_bytes=max_bytes)
    return path
