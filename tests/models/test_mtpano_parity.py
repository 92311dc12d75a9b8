"""The network of MTPano says what the published code says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fixture_rule import DATA, SHARED, checkpoint, fixed, listed, picture, probe_rows
from tiny_mtpano import CONFIG, save

from core.models import find_model, weights_file
from core.models.checkpoints import converted
from core.models.mtpano import Mtpano140k
from core.models.mtpano_layout import mtpano_layout
from core.models.networks.mtpano import HELPERS, TASKS, MtpanoConfig, MtpanoNet, places
from core.models.networks.mtpano_decoder import doubled
from core.models.store import add_model

REFERENCE = SHARED / "mtpano_512x1024.npz"
LIMITS = {"semseg": (3e-4, 3e-5), "depth": (2e-4, 2e-5), "normals": (5e-4, 5e-5), "coarse": (5e-5, 5e-6)}
LIMITS |= {"post_depth": (2e-4, 2e-5), "post_normals": (2e-3, 5e-5)}
"""Greatest and mean difference."""
SEAM = [*range(1018, 1024), *range(6)]
"""The columns that are stored of both sides."""
BRIDGED = [1022, 1023, 0, 1]
ANCHORS = [1021, 2]
SKY = 2


def network_of(config, entries):
    """A network with the numbers of a published file."""
    with torch.device("meta"):
        network = MtpanoNet(config)
    network.load_state_dict(converted(entries, mtpano_layout(config), Path("model.pth.tar")), assign=True)
    return network.eval()


def test_the_published_file_holds_exactly_what_is_expected_of_it():
    layout = mtpano_layout(MtpanoConfig())
    assert layout.shapes == listed(DATA / "mtpano_state_dict.tsv")
    assert len(layout.shapes) == 1201
    buffers = ("RayDir", "PE", "running_mean", "running_var", "num_batches_tracked")
    assert sum(np.prod(shape) for name, shape in layout.shapes.items() if not name.endswith(buffers)) == 589_514_490


def test_the_grid_is_the_one_of_the_published_file():
    rays, place = places(32)
    np.testing.assert_allclose(rays, fixed("RayDir", None), atol=1e-6)
    np.testing.assert_allclose(place, fixed("PE", None), atol=1e-6)


def test_a_small_network_runs_on_numbers_in_the_published_layout():
    shapes = mtpano_layout(CONFIG).shapes
    entries = {**checkpoint(shapes, seed="tiny"), "RayDir": places(4)[0], "PE": places(4)[1]}
    with torch.inference_mode():
        semseg, depth, normals = network_of(CONFIG, entries)(torch.rand(1, 3, 64, 128))
    assert semseg.shape == (1, 150, 64, 128)
    assert depth.shape == (1, 1, 64, 128)
    assert normals.shape == (1, 3, 64, 128)
    assert float(depth.min()) == 0
    assert all(float(output.std()) > 0 for output in (semseg, depth, normals))


def test_every_number_of_a_small_file_has_a_say_except_the_known_ones():
    shapes = mtpano_layout(CONFIG).shapes
    entries = {**checkpoint(shapes, seed="tiny"), "RayDir": places(4)[0], "PE": places(4)[1]}
    rgb = torch.rand(1, 3, 64, 128, generator=torch.Generator().manual_seed(0))
    network = network_of(CONFIG, entries).requires_grad_(requires_grad=True)
    semseg, depth, normals = network(rgb)
    (semseg.square().mean() + depth.square().mean() + normals.square().mean()).backward()
    idle = {name.split(".")[0] for name, value in network.named_parameters() if value.grad is None}
    assert idle == {"vit", "task_head"}
    silent = {name for name, value in network.named_parameters() if value.grad is None}
    assert all(name.startswith("vit.norm.") or ".classify." in name for name in silent)


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The model after a user has added the published file, with what a training keeps around the weights."""
    if not REFERENCE.is_file():
        pytest.skip(f"needs {REFERENCE}")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    entries = checkpoint(listed(DATA / "mtpano_state_dict.tsv"))
    path = save(entries, tmp_path / "mtpano_model_140k.pth.tar", prefix="module.", epoch=3, iter_count=7)
    del entries
    add_model(path)
    path.unlink()
    yield Mtpano140k(device="cpu")
    weights_file(find_model("mtpano-140k")).unlink()  # 2.4 GB that nobody wants to keep


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_stored_array_of_512_by_1024_is_met_by_a_model_that_a_user_has_added(added, broken):
    stored = dict(np.load(REFERENCE))
    network = added._runner.network
    rows, coarse = [], {}

    def watch(part, name, arrange=lambda output: output):
        part.register_forward_hook(lambda _part, _given, output: rows.extend(probe_rows(stored, name, arrange(output))))

    network.vit.blocks[0].register_forward_pre_hook(
        lambda _part, given: rows.extend(probe_rows(stored, "embeddings", given[0])) or None
    )
    for number in (0, 5, 11, 17, 23):
        watch(network.vit.blocks[number], f"block{number:02}_out")
    for level in range(4):
        watch(network.group[level], f"feature_grouping{level}/invariant", lambda output: output[0])
        watch(network.group[level], f"feature_grouping{level}/variant", lambda output: output[1])
    for ours, theirs in (("steady", "inv"), ("turning", "var")):
        watch(getattr(network, f"gather_{ours}"), f"aggregator_{theirs}")
        watch(getattr(network, f"bridge_{ours}"), f"bridge_{theirs}")
    for task, head in network.task_head.items():
        watch(head, f"{'aux' if task in TASKS else 'ext'}_feature/{task}")
        head.register_forward_hook(lambda part, _given, output, task=task: coarse.update({task: part.classify(output)}))
    for task in TASKS:
        for level in range(4):
            # Enlarged, as the published code does at once.
            watch(network.neck[task].fuse[3 - level], f"neck/{task}/{level}", doubled)
        network.neck[task].register_forward_pre_hook(
            lambda _part, given, task=task: rows.extend(
                row for level in range(4) for row in probe_rows(stored, f"neck_input/{task}/{level}", given[0][level])
            )
        )
    rgb = torch.from_numpy(picture(512, 1024)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        semseg, depth, normals = (output[0].numpy() for output in network(rgb))
    rows += _difference(stored, "semseg_s16", semseg[:, ::16, ::16], "semseg")
    rows += _difference(stored, "depth_s2", depth[0, ::2, ::2], "depth")
    rows += _difference(stored, "depth_seam", depth[0][:, SEAM], "depth")
    rows += _difference(stored, "normals_s4", normals[:, ::4, ::4], "normals")
    rows += _difference(stored, "normals_seam", normals[:, :, SEAM], "normals")
    best = semseg.argmax(axis=0)
    is_same = best == stored.pop("semseg_argmax")
    rows.append(("argmax differs", 5e-4, 1 - is_same.mean()))
    rows.append(("clear argmax differs", 0, (~is_same[::2, ::2])[stored.pop("semseg_margin_s2") > 0.01].sum()))
    rows += _behind_the_network(stored, depth[0], normals, best, is_same)
    for task in (*TASKS, *HELPERS):
        name = f"{'aux' if task in TASKS else 'ext'}_preds/{task}"
        with torch.inference_mode():
            full = torch.nn.functional.interpolate(coarse[task], (512, 1024), mode="bilinear", align_corners=False)
        rows += probe_rows(stored, name, full)
        rows += _difference(stored, f"{name}_s16", full[0, :8, ::16, ::16].numpy(), "coarse")
    assert not broken(rows)
    assert stored.keys() == {"input_sha256"}


def test_what_was_published_behind_the_network_is_understood():
    if not REFERENCE.is_file():
        pytest.skip(f"needs {REFERENCE}")
    stored = dict(np.load(REFERENCE))
    best = stored["semseg_argmax"]
    depth, normals = released(stored["depth_seam"], stored["normals_seam"], best[:, SEAM] == SKY)
    at = [SEAM.index(column) for column in (*BRIDGED, *ANCHORS)]
    bridge(depth, normals, at[:4], at[4:])
    np.testing.assert_allclose(depth, stored["post_depth_seam"], atol=1e-6)
    np.testing.assert_allclose(normals, stored["post_normals_seam"], atol=1e-6)


def released(depth, normals, sky):
    """What the published code does with its answers: nothing for the sky, normals of length 1."""
    length = np.maximum(np.linalg.norm(normals, axis=0), 1e-12)
    return np.where(sky, 0, depth), np.where(sky, 0, normals / length)


def bridge(depth, normals, columns, anchors):
    """Replace columns by what lies between those beside them, in place; 0 where one of these knows nothing."""
    first, last = anchors
    for step, column in enumerate(columns, start=1):
        share = step / (len(columns) + 1)
        known = (depth[:, first] > 1e-4) & (depth[:, last] > 1e-4)
        depth[:, column] = np.where(known, (1 - share) * depth[:, first] + share * depth[:, last], 0)
        known = normals[:, :, first].any(axis=0) & normals[:, :, last].any(axis=0)
        between = (1 - share) * normals[:, :, first] + share * normals[:, :, last]
        between /= np.maximum(np.linalg.norm(between, axis=0), 1e-12)
        normals[:, :, column] = np.where(known, between, 0)


def _behind_the_network(stored, depth, normals, best, is_same):
    """Rows on what the published code makes of its answers, where both see the same class."""
    depth, normals = released(depth, normals, best == SKY)
    bridge(depth, normals, BRIDGED, ANCHORS)
    where = is_same.copy()
    where[:, BRIDGED] &= is_same[:, ANCHORS].all(axis=1)[:, None]
    return [
        *_difference(stored, "post_depth_s2", depth[::2, ::2], "post_depth", where[::2, ::2]),
        *_difference(stored, "post_depth_seam", depth[:, SEAM], "post_depth", where[:, SEAM]),
        *_difference(stored, "post_normals_s4", normals[:, ::4, ::4], "post_normals", where[::4, ::4]),
        *_difference(stored, "post_normals_seam", normals[:, :, SEAM], "post_normals", where[:, SEAM]),
    ]


def _difference(stored, name, own, kind, where=True):
    difference = np.abs(own.astype(np.float64) - stored.pop(name)) * where
    most, mean = LIMITS[kind]
    return [(f"{name} max", most, difference.max()), (f"{name} mean", mean, difference.mean())]
