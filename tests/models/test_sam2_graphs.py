"""SAM 2.1 as ONNX graphs: they say what the network says, for any number of points, memories and pointers."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny_sam2 import SMALLEST, VIEW, entries_of, save, smallest

import core.models
from core.models import find_segmenter, weights_file
from core.models.graph_runner import graph_file
from core.models.networks.sam2 import BOX_BEGIN, BOX_END, LIMIT, NEGATIVE, POSITIVE, Maps, Sam2Parts
from core.models.networks.sam2_graphs import sam2_graphs
from core.models.onnx_export import export_onnx, write_graph
from core.models.store import add_model
from core.models.weights import load_strictly

__all__ = ["smallest"]
RELATIVE = 1e-4
CELLS = VIEW // 16


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A file of weights of the small network, and the network."""
    folder = tmp_path_factory.mktemp("sam2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        patch.setattr("core.models.networks.sam2.TINY", SMALLEST)
        add_model(save(entries_of(), folder / "a.pt"), name="sam2.1-tiny")
        weights = weights_file(find_segmenter("sam2.1-tiny"))
    network = SMALLEST.build(VIEW)
    load_strictly(network, weights)
    return weights, network.eval()


@pytest.fixture(scope="module")
def opened(added):
    """Opens the graph of one part, made when it is asked for; gives a call with arrays in the graph's order."""
    weights, network = added
    made = {}

    def open_part(part):
        if part not in made:
            (graph,) = (graph for graph in sam2_graphs(network, VIEW) if graph.part == part)
            path = write_graph(graph, weights, graph_file(weights, part))
            assert path.stat().st_size < 1_000_000, "the numbers stay in the file of weights"
            made[part] = onnxruntime.InferenceSession(path)
        session = made[part]
        names = [given.name for given in session.get_inputs()]
        return lambda *given: session.run(None, {n: np.asarray(v) for n, v in zip(names, given, strict=True)})

    return open_part


def same(found, wanted):
    wanted = np.asarray(wanted)
    assert found.shape == wanted.shape
    assert np.abs(wanted).max() > 0
    assert np.abs(found - wanted).max() <= RELATIVE * np.abs(wanted).max()


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("presence", "prompted"), [(2.0, True), (2.0, False), (-1.0, False)])
def test_a_view_is_remembered(added, opened, presence, prompted):
    coarse, logits = numbers(1, 256, CELLS, CELLS), 4 * numbers(4 * CELLS, 4 * CELLS, seed=1)
    with torch.inference_mode():
        wanted = Sam2Parts(added[1]).remember(coarse, logits, presence, prompted=prompted)
    same(opened("memory")(coarse, logits, np.float32(presence), np.float32(prompted))[0], wanted)


@pytest.mark.slow
def test_a_picture_is_encoded(added, opened):
    rgb = torch.rand(1, 3, VIEW, VIEW, generator=torch.Generator().manual_seed(0))
    parts = Sam2Parts(added[1])
    with torch.inference_mode():
        maps = parts.encode(rgb)
        wanted = (*maps, parts.first_sight(maps.coarse))
    for found, theirs in zip(opened("encoder")(rgb), wanted, strict=True):
        same(found, theirs)


PROMPTS = {
    "one point": ([[40.0, 60.0]], [POSITIVE], False),
    "a box and two points": (
        [[10.0, 20.0], [90.0, 100.0], [40.0, 60.0], [4.0, 5.0]],
        [BOX_BEGIN, BOX_END, POSITIVE, NEGATIVE],
        False,
    ),
    "a mask and a point": ([[40.0, 60.0]], [NEGATIVE], True),
    "no point": ([[0.0, 0.0]], [-1], False),
}


@pytest.mark.slow
@pytest.mark.parametrize(("points", "kinds", "has_mask"), PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_becomes_masks(added, opened, points, kinds, has_mask):
    maps = Maps(
        numbers(1, 32, 4 * CELLS, 4 * CELLS), numbers(1, 64, 2 * CELLS, 2 * CELLS), numbers(1, 256, CELLS, CELLS)
    )
    points, kinds = torch.tensor(points), torch.tensor(kinds, dtype=torch.int32)
    mask = (9 * numbers(1, 1, 4 * CELLS, 4 * CELLS, seed=3)).clamp(-LIMIT, LIMIT)
    parts = Sam2Parts(added[1])
    with torch.inference_mode():
        masks = parts.decode(maps, points, kinds, mask if has_mask else None)
        wanted = (masks.logits, masks.quality, masks.presence, parts.pointers(masks))
    found = opened("decoder")(*maps, points, kinds, mask, np.float32(has_mask))
    for ours, theirs in zip(found, wanted, strict=True):
        same(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize(("memories", "pointers"), [(1, 1), (2, 3), (6, 6)])
def test_memories_are_read(added, opened, memories, pointers):
    given = (
        numbers(1, 256, CELLS, CELLS),
        numbers(memories, CELLS * CELLS, 64, seed=1),
        torch.arange(memories) % 7,
        numbers(pointers, 256, seed=2),
        torch.linspace(0, 1, pointers),
    )
    with torch.inference_mode():
        wanted = Sam2Parts(added[1]).attend(*given)
    same(opened("attention")(*given)[0], wanted)


@pytest.mark.slow
def test_added_weights_are_exported_in_four_parts(smallest, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    add_model(save(entries_of(), tmp_path / "a.pt"), name="sam2.1-tiny")
    small = replace(find_segmenter("sam2.1-tiny"), view_sizes=(VIEW,))
    monkeypatch.setattr(core.models, "SEGMENTERS", (small,))
    written = export_onnx("sam2.1-tiny")
    parts = ("encoder", "decoder", "attention", "memory")
    assert [path.name for path in written] == [f"sam2.1_tiny_{part}.onnx" for part in parts]
    for path in written:
        onnx.checker.check_model(str(path), full_check=True)
