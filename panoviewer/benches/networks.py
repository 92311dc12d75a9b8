"""The networks that are measured, with random numbers: what is built, what it is asked, and how much that computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.models.networks.graphs import Graph

Shapes = dict[str, list[int]]
"""Of the inputs of a call, by name."""

_CLICKS = 3
_MEMORIES = 6
_VIEW = 256
_SAM2_VIEW = 1024
_CLASSES = 30


@dataclass(frozen=True)
class Network:
    """A network in the size in which it is used.

    Attributes:
        name: Of the catalogue; with a width behind it where another picture is meant than the network's usual one.
        size: Of the picture that it is asked about.
        build: Makes it with random numbers, on torch's default device.
        graphs: Its calls.
        ask: How many pictures, clicks and so on a call gets, instead of those of the calls' own examples.
        is_large: True when most of it is a transformer of the size L.
        is_mapped: Its numbers are used as they lie in their file; those of small networks are put into another order.
        peak_goal: Bytes that a process may hold that runs it; 0 where nothing is wanted.
    """

    name: str
    size: str
    build: Callable[[], nn.Module]
    graphs: Callable[[Any], list[Graph]]
    ask: Callable[[Graph], Shapes]
    is_large: bool = False
    is_mapped: bool = False
    peak_goal: float = 0.0

    def with_weights(self, weights: Path) -> nn.Module:
        """The network with the numbers of a file, as the program loads it on a CPU."""
        import torch

        from core.io.memory import return_large_blocks
        from core.models.weights import load_strictly

        with torch.device("meta" if self.is_mapped else "cpu"):
            network = self.build()
        load_strictly(network, weights)
        # As in TorchRunner, or what is measured is not what the program does.
        if self.is_mapped:
            return_large_blocks()
        else:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.eval()

    def operations(self) -> dict[str, float]:
        """Floating-point operations of each call; a product and its sum are two. Nothing is computed for it."""
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        with torch.device("meta"):
            network = self.build().eval().to("meta")
            counted = {}
            for graph in self.graphs(network):
                shapes = self.ask(graph)
                given = [
                    torch.zeros(shapes[name], dtype=example.dtype, device="meta")
                    for name, example in graph.inputs.items()
                ]
                with torch.inference_mode(), FlopCounterMode(display=False) as counter:
                    graph.call(*given)
                counted[graph.part] = float(counter.get_total_flops())
        return counted


def _pano_s() -> nn.Module:
    from core.models.pano_s import PanoSConfig

    return PanoSConfig(("anything",) * _CLASSES).build()


def _pano_s_graphs(height: int) -> Callable[[Any], list[Graph]]:
    """Its graph reads one size alone."""

    def graphs(network: Any) -> list[Graph]:  # noqa: ANN401 - each takes its own
        from core.models.networks.graphs import pano_s_graph

        return [pano_s_graph(network, height)]

    return graphs


def _click_s() -> nn.Module:
    from core.models.click_s import ClickSConfig

    return ClickSConfig().build()


def _click_s_graphs(network: Any) -> list[Graph]:  # noqa: ANN401
    from core.models.networks.graphs import click_s_graphs

    return click_s_graphs(network, _VIEW)


def _dap() -> nn.Module:
    from core.models.networks import dap

    return dap.DapNet(dap.PUBLISHED)


def _dap_graphs(network: Any) -> list[Graph]:  # noqa: ANN401
    from core.models.networks.graphs import dap_graph

    return [dap_graph(network)]


def _mtpano() -> nn.Module:
    from core.models.networks import mtpano

    return mtpano.MtpanoNet(mtpano.PUBLISHED)


def _mtpano_graphs(network: Any) -> list[Graph]:  # noqa: ANN401
    from core.models.networks.graphs import mtpano_graph

    return [mtpano_graph(network)]


def _sam2(size: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import torch

        from core.models import find_segmenter
        from core.models.sam2 import build

        return build(find_segmenter(f"sam2.1-{size}"), _SAM2_VIEW, device=torch.get_default_device().type)

    return build


def _sam2_graphs(network: Any) -> list[Graph]:  # noqa: ANN401
    from core.models.networks.sam2_graphs import sam2_graphs

    return sam2_graphs(network, _SAM2_VIEW)


def _sam2_encoder(network: Any) -> list[Graph]:  # noqa: ANN401
    """All else is alike in all sizes."""
    return _sam2_graphs(network)[:1]


def _one_picture(height: int) -> Callable[[Graph], Shapes]:
    return lambda _: {"rgb": [1, 3, height, 2 * height]}


def _one_view(graph: Graph) -> Shapes:
    """One view of the size of the zigzag, some clicks, some memories, each with a pointer."""
    lengths = {"batch": 1, "memories": _MEMORIES, "pointers": _MEMORIES, "cells": _VIEW // 32}
    lengths |= dict.fromkeys(("clicks", "points"), _CLICKS)
    return {name: _shape(example, graph.free.get(name, {}), lengths) for name, example in graph.inputs.items()}


def _shape(example: Tensor, free: Any, lengths: dict[str, int]) -> list[int]:  # noqa: ANN401 - of torch's dimensions
    shape = list(example.shape)
    for axis, dimension in free.items():
        times, _, name = dimension.__name__.rpartition("*")
        shape[axis] = int(times or 1) * lengths[name]
    return shape


NETWORKS = (
    Network("pano-s", "512 x 256", _pano_s, _pano_s_graphs(256), _one_picture(256)),
    Network("pano-s-1024", "1024 x 512", _pano_s, _pano_s_graphs(512), _one_picture(512)),
    Network("click-s", f"{_VIEW} x {_VIEW}", _click_s, _click_s_graphs, _one_view),
    Network("dap", "1024 x 512", _dap, _dap_graphs, _one_picture(512), is_large=True, is_mapped=True, peak_goal=2.2e9),
    Network(
        "mtpano", "1024 x 512", _mtpano, _mtpano_graphs, _one_picture(512),
        is_large=True, is_mapped=True, peak_goal=3.2e9,
    ),
    *(
        Network(
            f"sam2.1-{size}", f"{_SAM2_VIEW} x {_SAM2_VIEW}", _sam2(size),
            _sam2_graphs if size == "tiny" else _sam2_encoder, _one_view, is_mapped=True,
        )
        for size in ("tiny", "small", "base-plus", "large")
    ),
)  # fmt: skip


def find_network(name: str) -> Network:
    """The network of a name."""
    return next(network for network in NETWORKS if network.name == name)
