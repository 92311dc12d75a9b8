"""SAM 2.1 says what the published code says, with weights that take a user's way in."""

import hashlib

import numpy as np
import pytest
import torch
from fixture_rule import DATA, SHARED, checkpoint, listed, picture, probe_rows

from core.models import find_segmenter, weights_file
from core.models.networks.sam2 import (
    BASE_PLUS,
    BOX_BEGIN,
    BOX_END,
    LARGE,
    LIMIT,
    NEGATIVE,
    POSITIVE,
    SMALL,
    TINY,
    chosen_mask,
    stability,
)
from core.models.sam2 import sam21_tiny
from core.models.sam2_layout import sam2_layout
from core.models.store import add_model, verify_model

REFERENCE = SHARED / "sam2_hiera_t_1024.npz"
LISTED = DATA / "sam2_hiera_t_state_dict.tsv"
BIAS = "sam_mask_decoder.pred_obj_score_head.layers.2.bias"
VIDEO_PROBE = 2e-3
"""Of a video's probe, the greatest difference over the deviation of its tensor."""


def test_the_published_file_holds_exactly_what_is_expected_of_it():
    layout = sam2_layout(TINY)
    assert layout.shapes == listed(LISTED)
    assert len(layout.shapes) == 471


@pytest.mark.parametrize(
    ("config", "name"),
    [(TINY, "sam2.1-tiny"), (SMALL, "sam2.1-small"), (BASE_PLUS, "sam2.1-base-plus"), (LARGE, "sam2.1-large")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_size_fills_the_network_exactly(config, name):
    layout = sam2_layout(config)
    with torch.device("meta"):
        state = layout.convert({name: torch.empty(shape) for name, shape in layout.shapes.items()})
    network = config.build(256)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert {name: tuple(value.shape) for name, value in state.items()} == expected
    assert sum(value.numel() for value in network.parameters()) == find_segmenter(name).parameters
    left = {name for name, value in network.named_buffers() if value.is_meta}
    assert left <= state.keys(), "a table would have no numbers"


def test_every_entry_of_a_file_ends_up_in_the_network_and_nothing_else_does():
    layout = sam2_layout(TINY)
    numbers = {name: float(number) for number, name in enumerate(layout.shapes)}
    entries = {name: torch.tensor(numbers[name]).expand(shape) for name, shape in layout.shapes.items()}
    state = layout.convert(entries)
    points = state.pop("prompt_encoder.point_embed.weight")
    found = [int(value.unique()) for value in state.values()] + [int(row.unique()) for row in points]
    gauss = numbers["sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
    assert sorted(found) == sorted([*map(int, numbers.values()), int(gauss)]), "one of them is kept twice"
    assert [int(row[0]) for row in points] == [
        numbers[f"sam_prompt_encoder.point_embeddings.{kind}.weight"] for kind in range(4)
    ]


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Adds the published file as a user does, with some entries changed, and opens the network on it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    def add(**changes):
        entries = checkpoint(listed(LISTED))
        for name, change in changes.items():
            entries[name] = entries[name] + change
        path = tmp_path / "sam2.1_hiera_tiny.pt"
        torch.save({"model": entries}, path)
        assert add_model(path).model == "sam2.1-tiny"
        path.unlink()
        verify_model("sam2.1-tiny")
        return sam21_tiny(device="cpu")

    yield add
    weights_file(find_segmenter("sam2.1-tiny")).unlink(missing_ok=True)


@pytest.fixture
def stored():
    if not REFERENCE.is_file():
        pytest.skip(f"needs {REFERENCE}")
    return dict(np.load(REFERENCE))


def _frame(number):
    rgb = picture(1024, 1024, 0.0, number)
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255, hashlib.sha256(rgb.tobytes()).hexdigest()


def _difference(stored, name, own, most, mean=np.inf):
    difference = np.abs(np.asarray(own, np.float64) - stored.pop(name))
    return [(f"{name} max", most, difference.max()), (f"{name} mean", mean, difference.mean())]


def _encoder_rows(stored, parts, rgb):
    """The encoder, watched; returns its maps."""
    rows, model = [], parts.model
    backbone = model.vision_encoder.backbone
    watched = {"patch_embed": backbone.patch_embed}
    watched |= {f"trunk{stage}": backbone.blocks[last] for stage, last in enumerate(backbone.stage_ends)}

    def watch(name, part):
        def note(_part, _given, output):
            shown = output if name == "patch_embed" else output.permute(0, 3, 1, 2).contiguous()
            rows.extend(probe_rows(stored, f"image/{name}", shown))

        return part.register_forward_hook(note)

    hooks = [watch(name, part) for name, part in watched.items()]
    maps = parts.encode(rgb)
    for hook in hooks:
        hook.remove()
    for level, values in enumerate(maps):
        rows += probe_rows(stored, f"image/fpn{level}_stride{4 << level}", values)
        places = model.vision_encoder.neck.position_encoding((1, 256, *values.shape[2:]), values.device, values.dtype)
        rows += probe_rows(stored, f"image/pos{level}", places)
    rows += probe_rows(stored, "image/image_embed", parts.first_sight(maps.coarse))
    rows += probe_rows(stored, "image/dense_pe", model.get_image_wide_positional_embeddings())
    return maps, rows


def _case_rows(stored, parts, maps, case, points, kinds, mask):
    """One prompt, with everything that is stored of it."""
    rows, sparse = [], []

    def note(_part, _given, output):
        sparse.append(output[0][0, 0])
        rows.extend(probe_rows(stored, f"{case}/dense_embeddings", output[1].contiguous()))

    hook = parts.model.prompt_encoder.register_forward_hook(note)
    masks = parts.decode(maps, torch.tensor(points), torch.tensor(kinds, dtype=torch.int32), mask)
    hook.remove()
    step = 256 // stored[f"{case}/low_res_logits"].shape[-1]
    rows += _difference(stored, f"{case}/low_res_logits", masks.logits[:, ::step, ::step], 1e-4, 1e-5)
    rows += _difference(stored, f"{case}/iou", masks.quality, 1e-5)
    rows += _difference(stored, f"{case}/object_score_logit", masks.presence[None], 1e-5)
    for name, own in (("mask_tokens", masks.tokens), ("sparse_embeddings", sparse[0])):
        rows += _difference(stored, f"{case}/{name}", own, 2e-4 * stored[f"{case}/{name}"].std())
    rows += _difference(stored, f"{case}/stability", stability(masks.logits), 1e-3)
    assert chosen_mask(masks, 2)[0] == stored.pop(f"{case}/single_mask_token"), case
    return masks, rows


def _remembered(parts, coarse, logits, presence, *, prompted, exact):
    tokens = parts.remember(coarse, logits, float(presence), prompted=prompted)
    return tokens if exact else tokens.to(torch.bfloat16).float()


def _video(parts, point, count, *, exact, note):
    """The first frames of the video, clicked on in the first one; `note` gets what there is to see of each."""
    memories, pointers, found = [], [], []
    for number in range(count):
        rgb, digest = _frame(number)
        maps = parts.encode(rgb)
        if number == 0:
            coarse, points, kinds = parts.first_sight(maps.coarse), point[None], [POSITIVE]
        else:
            before = range(number)
            coarse = parts.attend(
                maps.coarse,
                torch.stack(memories),
                torch.tensor([0 if n == 0 else number - n for n in before]),
                torch.stack(pointers),
                # In a video this short, the longest memory is that of its first frame.
                torch.tensor([(number - n) / (count - 1) for n in before], dtype=torch.float32),
            )
            note(f"frame{number}/memory_attention_out", coarse[0].flatten(1).T[:, None].contiguous())
            points, kinds = np.zeros((0, 2), np.float32), []
        masks = parts.decode(
            maps._replace(coarse=coarse), torch.tensor(points), torch.tensor(kinds, dtype=torch.int32), None
        )
        taken, pointed = chosen_mask(masks, len(points))
        logits = masks.logits[taken] if masks.presence > 0 else torch.full_like(masks.logits[taken], -1024.0)
        pointers.append(parts.pointers(masks)[pointed])
        memories.append(_remembered(parts, maps.coarse, logits, masks.presence, prompted=number == 0, exact=exact))
        note(f"frame{number}/maskmem_features", memories[-1].T.reshape(1, 64, 64, 64).contiguous())
        found.append((logits, masks.quality[1:], masks.presence[None], pointers[-1], digest))
    return [list(values) for values in zip(*found, strict=True)]


def _video_rows(stored, name, found, *, logits, step):
    """What was found in a video beside what is stored of it; the first frame knows no rounded memory."""
    own = dict(zip((logits, "iou", "object_score_logit", "obj_ptr"), found, strict=False))
    own[logits] = [values[::step, ::step] for values in own[logits]]
    limits = {logits: ((1e-4, 1e-5), (3e-3, 3e-4)), "iou": ((1e-5, 1e-5), (1e-3, 1e-3)),
              "object_score_logit": ((1e-5, 1e-5), (1e-3, 1e-3)), "obj_ptr": ((1e-4, 1e-5), (3e-3, 3e-4))}  # fmt: skip
    rows = []
    for what, values in own.items():
        difference = np.abs(torch.stack(values).numpy().astype(np.float64) - stored.pop(f"{name}/{what}"))
        for frames, part, (most, mean) in zip(
            ("frame 0", "frames 1 on"), (difference[:1], difference[1:]), limits[what], strict=True
        ):
            rows.append((f"{name}/{what} {frames} max", most, part.max()))
            rows.append((f"{name}/{what} {frames} mean", mean, part.mean()))
    return rows


@pytest.mark.slow
@pytest.mark.timeout(3600)
@torch.inference_mode()
def test_every_stored_array_is_met_by_a_model_that_a_user_has_added(added, stored, broken):
    model = added()
    parts = model._parts
    rgb, digest = _frame(0)
    assert digest == str(stored.pop("input_sha256"))
    point, negative, box = (stored.pop(f"prompt/{name}") for name in ("point", "negative_point", "box"))
    maps, rows = _encoder_rows(stored, parts, rgb)
    seen = maps._replace(coarse=parts.first_sight(maps.coarse))
    first, more = _case_rows(stored, parts, seen, "p0_point", point[None], [POSITIVE], None)
    rows += more
    both = np.stack([point, negative])
    rows += _case_rows(stored, parts, seen, "p1_point_neg", both, [POSITIVE, NEGATIVE], None)[1]
    rows += _case_rows(stored, parts, seen, "p2_box", box.reshape(2, 2), [BOX_BEGIN, BOX_END], None)[1]
    mask = first.logits[1 + int(stored.pop("p3_mask_input_index"))].clamp(-LIMIT, LIMIT)[None, None]
    rows += _case_rows(stored, parts, seen, "p3_point_mask", point[None], [POSITIVE], mask)[1]

    def probed(name):
        def note(what, tensor):
            key = f"{name}/{what}"
            if f"probe/{key}/shape" in stored:
                rows.extend((row, VIDEO_PROBE, measured) for row, _, measured in probe_rows(stored, key, tensor))

        return note

    *found, digests = _video(parts, point, 4, exact=False, note=probed("video"))
    assert digests == list(stored.pop("video/frame_sha256"))
    rows += _video_rows(stored, "video", found, logits="low_res_logits", step=1)
    *found, _ = _video(parts, point, 4, exact=True, note=probed("video_fp32mem"))
    rows += _video_rows(stored, "video_fp32mem", found, logits="low_res_logits_s2", step=2)
    lost = added(**{BIAS: -3.5})._parts
    *found, _ = _video(lost, point, 2, exact=False, note=probed("video_lost"))
    rows += _video_rows(stored, "video_lost", found, logits="low_res_logits", step=64)
    assert not broken(rows)
    assert not stored, f"not compared: {sorted(stored)}"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_raw_outputs_and_the_four_calls_say_the_same(added, stored):
    from core.segment.network import ViewPrompt

    model = added()
    rgb = picture(1024, 1024)
    point = stored["prompt/point"]
    raw = model.raw_clicked(rgb, point[None], np.array([True]), None)
    np.testing.assert_allclose(raw["low_res_logits"], stored["p0_point/low_res_logits"], atol=1e-4)
    np.testing.assert_allclose(raw["iou"], stored["p0_point/iou"], atol=1e-5)
    np.testing.assert_allclose(raw["object_score_logit"], stored["p0_point/object_score_logit"], atol=1e-5)
    features = model.attend(model.encode(rgb), [])
    answer = model.decode(features, ViewPrompt((point + 0.5)[None].astype(np.float32), np.array([True])))
    np.testing.assert_array_equal(answer.logits, raw["low_res_logits"][[1, 2, 3, 0]])
    assert answer.chosen == int(raw["iou"][1:].argmax())
