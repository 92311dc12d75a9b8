"""From a training run to what is shipped: weights as safetensors, the graph that reads them, the model card."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from core.errors import PanoError
from core.io.atomic import atomic_file
from core.models.networks.pano_s import PanoSOutput
from core.models.networks.sphere_layers import rotary_angles
from core.models.pano_s import MAX_BYTES, NAME, PanoSConfig
from core.models.runners import DIGEST_KEY
from core.models.weights import data_offset, header_digest, load_strictly
from training.checkpoint import load_checkpoint
from training.model_card import describe_run, read_card, write_card
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
    out.mkdir(parents=True, exist_ok=True)
    weights = write_weights(network, config, out / f"{STEM}.safetensors")
    graph = weights.with_suffix(".onnx")
    written = [weights]
    if onnx:
        written.append(write_graph(network, config, weights))
    elif graph.is_file() and header_digest(weights).encode() not in graph.read_bytes():
        graph.unlink()
    card_file = out / f"{STEM}.json"
    limits = read_card(card_file).get("limits", []) if card_file.is_file() else []
    notes_file = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / "notes.txt"
    notes = notes_file.read_text(encoding="utf-8").splitlines() if notes_file.is_file() else []
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
        "notes": notes,
        "limits": limits,
    }
    return [*written, *write_card(card, card_file)]


def network_of_run(state: dict[str, Any], checkpoint: Path) -> tuple[PanoSConfig, PanoSNet]:
    """The network of a run with its averaged weights, and what describes it.

    Raises:
        PanoError: The weights are not those of the network that this version builds.
    """
    config = PanoSConfig(CLASS_NAMES, height=int(state["config"]["height"]))
    network = config.build().eval()
    try:
        network.load_state_dict(state["ema"], strict=True)
    except RuntimeError as error:
        raise PanoError(
            f"Expected the weights of this version's {NAME}, got others ({str(error).splitlines()[-1].strip()}); "
            f"train again: {checkpoint}"
        ) from error
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
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {name: value.contiguous() for name, value in network.state_dict().items()}
    infinite = [name for name, value in tensors.items() if not value.isfinite().all()]
    if infinite:
        raise PanoError(f"Weights must be finite, got others in {', '.join(infinite[:3])}; train again: {path}")
    packed = save(tensors, metadata=config.to_metadata())
    if len(packed) > MAX_BYTES:
        raise PanoError(f"Weights may take {MAX_BYTES / 1e6:.0f} MB, got {len(packed) / 1e6:.1f} MB: {path}")
    with atomic_file(path) as stream:
        stream.write(packed)
    load_strictly(config.build(), path, max_bytes=MAX_BYTES)
    return path


def write_graph(network: PanoSNet, config: PanoSConfig, weights: Path) -> Path:
    """Write the ONNX graph of a network, its numbers being those in the safetensors file beside it.

    The format lets a tensor lie at an offset of another file (ONNX, docs/ExternalData.md), so nothing is stored twice.
    Nothing is folded here, or a graph would hold numbers of its own; ONNX Runtime folds when it opens the file.

    Returns:
        The file, named like the weights.

    Raises:
        ExportError: The file cannot be written.
    """
    import onnx

    graph = _trace(network, config.height)
    for node in graph.graph.node:
        # Where in our source a node comes from would be most of the file.
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    graph.graph.ClearField("value_info")
    start = data_offset(weights)
    with weights.open("rb") as stream:
        places = json.loads(stream.read(start)[8:])
    for tensor in graph.graph.initializer:
        if tensor.name not in places:
            continue
        begin, end = places[tensor.name]["data_offsets"]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", weights.name), ("offset", start + begin), ("length", end - begin)):
            tensor.external_data.add(key=key, value=str(value))
    graph.metadata_props.add(key=DIGEST_KEY, value=header_digest(weights))
    path = weights.with_suffix(".onnx")
    with atomic_file(path) as stream:
        stream.write(graph.SerializeToString(deterministic=True))
    return path


def _trace(network: PanoSNet, height: int) -> Any:  # noqa: ANN401 - onnx has no types
    """The network as an ONNX model for one picture."""
    # The tracer must neither find real angles in the cache nor leave its symbolic ones there.
    rotary_angles.cache_clear()
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network.eval(),
                (torch.zeros(1, 3, height, 2 * height),),
                dynamo=True,
                verbose=False,
                optimize=False,
                input_names=["rgb"],
                output_names=list(PanoSOutput._fields),
            )
    finally:
        exporter_log.setLevel(level)
        rotary_angles.cache_clear()
    if program is None:
        raise RuntimeError("the exporter returned no program")
    return program.model_proto
