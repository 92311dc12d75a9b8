"""Networks as ONNX graphs, for onnxruntime and for other programs.

A graph holds no numbers of its own: it reads them from the safetensors file beside it, which the format allows (ONNX,
docs/ExternalData.md). Nothing is stored twice, and no size of a network is too large.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ExportError, ModelUnavailable
from core.io.atomic import atomic_file, make_folder, prepare_file
from core.io.digest import content_sha256
from core.models import MODELS, SEGMENTERS, ModelSpec, find_any, weights_file
from core.models.graph_runner import DIGEST_KEY, GRAPH_SUFFIX, graph_file
from core.models.weights import data_offset, header_digest, load_strictly, read_metadata
from core.progress import Progress, silent

if TYPE_CHECKING:
    from core.models.networks.graphs import Graph

_OPSET = 20
_CHUNK = 64 << 20


def export_onnx(
    name: str,
    target: Path | None = None,
    *,
    progress: Progress = silent,
    tell: Callable[[str], object] = lambda _sentence: None,
) -> list[Path]:
    """Write a model as one or several ONNX graphs, and beside them the file that they read their numbers from.

    Args:
        name: As for `core.models.find_model`, or a click network.
        target: A folder; or a file that ends in .onnx, to whose name the part is added where there are several. Beside
            the weights when left out, where models look for it; those that come with the program need a target.
        progress: Called as the work goes on; may raise `Cancelled`.
        tell: Hears what is done next. A part may take a minute, of which nothing is known in between.

    Returns:
        What was written.

    Raises:
        ModelUnavailable: There is no such model, its weights are missing or broken, it cannot be exported, or the
            packages for that are missing.
        ExportError: A file cannot be written, or other weights have the name that these would get.
    """
    spec = find_any(name)
    graphs_of = _KINDS.get(spec.entry.partition(":")[0])
    if graphs_of is None:
        known = ", ".join(known.name for known in (*MODELS, *SEGMENTERS) if known.entry.partition(":")[0] in _KINDS)
        raise ModelUnavailable(f"Expected one of the models that can be exported to ONNX, {known}, got {name}.")
    if target is None and spec.is_bundled and spec.folder is None:
        raise ModelUnavailable(f"The weights of {name} come with the program; say where its graphs go with -o FOLDER.")
    check_packages()
    weights = weights_file(spec)
    read_metadata(weights)
    place = weights.with_suffix(GRAPH_SUFFIX)
    if target is not None:
        place = target if target.suffix.lower() == GRAPH_SUFFIX else target / place.name
    make_folder(place.parent)
    prepare_file(place)
    progress(0, 1)
    graphs = graphs_of(spec)
    steps = len(graphs) + 2
    progress(1, steps)
    beside = place.with_suffix(weights.suffix)
    written = []
    if beside.exists():
        if not beside.samefile(weights) and content_sha256(beside) != content_sha256(weights):
            raise ExportError(
                f"Expected no other weights under this name, got some; choose another name, or remove them: {beside}"
            )
    else:
        _copy(weights, beside, lambda done, total: progress(total + done, steps * total))
        written.append(beside)
    for number, graph in enumerate(graphs):
        progress(2 + number, steps)
        tell(f"{name}: writing graph {number + 1} of {len(graphs)} {graph.part}".rstrip())
        written.append(write_graph(graph, beside, graph_file(place, graph.part)))
    progress(steps, steps)
    return written


def can_export(name: str) -> bool:
    """Whether there is a graph of a model; arguments and errors as for `export_onnx`."""
    return find_any(name).entry.partition(":")[0] in _KINDS


def check_packages() -> None:
    """Refuse to begin without what exports.

    Raises:
        ModelUnavailable: A package is missing; names it.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ModelUnavailable(
            f"Writing ONNX needs the packages onnx and onnxscript, and {error.name or 'one of them'} is not installed; "
            "run: pip install onnx onnxscript"
        ) from error


def write_graph(graph: Graph, weights: Path, path: Path | None = None) -> Path:
    """Write the ONNX graph of one call, its numbers being those in the safetensors file beside it.

    Nothing is folded here, or a graph would hold numbers of its own; ONNX Runtime folds when it opens the file.

    Args:
        graph: Whose network has the names of the weights.
        weights: The safetensors file.
        path: The file to write, in the folder of the weights; named like them when left out.

    Returns:
        The file, which ONNX's own checker has accepted.

    Raises:
        ExportError: The file cannot be written.
    """
    import onnx
    from onnxscript import ir

    path = path or weights.with_suffix(GRAPH_SUFFIX)
    model = _traced(graph)
    start = data_offset(weights)
    with weights.open("rb") as stream:
        places = json.loads(stream.read(start)[8:])
    used = {value.name for node in model.graph.all_nodes() for value in node.inputs if value is not None}
    for name, value in list(model.graph.initializers.items()):
        own = name.removeprefix("network.")
        if name not in used:
            del model.graph.initializers[name]
        elif own in places:
            begin, end = places[own]["data_offsets"]
            value.const_value = ir.ExternalTensor(
                weights.name, start + begin, end - begin, value.dtype, shape=value.shape, name=name
            )
    for node in model.graph.all_nodes():
        # Where in our source a node comes from would be most of the file.
        node.metadata_props.clear()
        node.doc_string = None
    proto = ir.serde.serialize_model(model)
    name_types(proto)
    proto.graph.ClearField("value_info")
    proto.metadata_props.add(key=DIGEST_KEY, value=header_digest(weights))
    with atomic_file(path) as stream:
        stream.write(proto.SerializeToString(deterministic=True))
    onnx.checker.check_model(str(path), full_check=True)
    return path


def name_types(proto: Any) -> None:  # noqa: ANN401 - onnx has no types
    """Cast to types by their names, in place: "like another value" is what ONNX Runtime cannot fold, as it tells
    everybody who opens the graph.
    """
    import onnx

    graph = onnx.shape_inference.infer_shapes(proto).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    for node in proto.graph.node:
        if node.op_type == "CastLike" and types.get(node.output[0]):
            del node.input[1:]
            node.op_type = "Cast"
            node.attribute.append(onnx.helper.make_attribute("to", types[node.output[0]]))


def _traced(graph: Graph) -> Any:  # noqa: ANN401 - onnx has no types
    import torch

    from core.models.networks.sphere_layers import rotary_angles

    with _quietly():
        # The tracer must neither find real angles in the cache nor leave its symbolic ones there.
        rotary_angles.cache_clear()
        try:
            program = torch.onnx.export(
                graph.call.eval(),
                # The tracer takes one tensor that is given twice for one input.
                tuple(value.clone() for value in graph.inputs.values()),
                dynamo=True,
                verbose=False,
                optimize=False,
                opset_version=_OPSET,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=tuple(graph.free.get(name) for name in graph.inputs),
            )
        finally:
            rotary_angles.cache_clear()
    if program is None:
        raise RuntimeError("the exporter returned no program")
    return program.model


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's remarks on itself."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "torch.fx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _copy(source: Path, target: Path, progress: Progress) -> None:
    total = source.stat().st_size
    with source.open("rb") as given, atomic_file(target) as taken:
        while chunk := given.read(_CHUNK):
            progress(given.tell(), total)
            taken.write(chunk)


def _pano_s(spec: ModelSpec) -> list[Graph]:
    from core.models.networks.graphs import pano_s_graph
    from core.models.pano_s import PanoSConfig

    weights = weights_file(spec)
    config = PanoSConfig.from_metadata(read_metadata(weights))
    network = config.build()
    load_strictly(network, weights)
    return [pano_s_graph(network, config.height)]


def _click_s(spec: ModelSpec) -> list[Graph]:
    from core.models.click_s import ClickSConfig
    from core.models.networks.graphs import click_s_graphs

    weights = weights_file(spec)
    config = ClickSConfig.from_metadata(read_metadata(weights))
    network = config.build()
    load_strictly(network, weights)
    return click_s_graphs(network.eval(), config.view_size)


def _dap(spec: ModelSpec) -> list[Graph]:
    import torch

    from core.models.networks import dap
    from core.models.networks.graphs import dap_graph

    weights = weights_file(spec)
    with torch.device("meta"):
        network = dap.DapNet(dap.DapConfig.from_metadata(read_metadata(weights)))
    load_strictly(network, weights)
    return [dap_graph(network)]


def _mtpano(spec: ModelSpec) -> list[Graph]:
    import torch

    from core.models.networks import mtpano
    from core.models.networks.graphs import mtpano_graph

    weights = weights_file(spec)
    with torch.device("meta"):
        network = mtpano.MtpanoNet(mtpano.MtpanoConfig.from_metadata(read_metadata(weights)))
    load_strictly(network, weights)
    return [mtpano_graph(network)]


def _sam2(spec: ModelSpec) -> list[Graph]:
    from core.models.networks.sam2_graphs import sam2_graphs
    from core.models.sam2 import build

    size = spec.view_sizes[0]
    network = build(spec, size)
    load_strictly(network, weights_file(spec))
    return sam2_graphs(network.eval(), size)


_KINDS: dict[str, Callable[[ModelSpec], list[Graph]]] = {
    "core.models.pano_s": _pano_s,
    "core.models.click_s": _click_s,
    "core.models.dap": _dap,
    "core.models.mtpano": _mtpano,
    "core.models.sam2": _sam2,
}
"""By the module of a model's entry."""
