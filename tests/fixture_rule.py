"""Weights and pictures by a rule, for which reference outputs are stored; see the README of the parity fixtures."""

import re
from pathlib import Path

import numpy as np

from panoviewer.benches.fixture_weights import drawn

DATA = Path(__file__).resolve().parent / "data"
SHARED = Path(__file__).resolve().parents[1] / "../shared/parity"
_ALIAS = "core.pretrained.blocks."


def fixed(name, shape):
    """A buffer that the architecture defines, or None."""
    if name.endswith("rope_embed.periods"):
        return (100.0 ** (np.arange(shape[0]) / shape[0])).astype(np.float32)
    if name.endswith("qkv.bias_mask"):
        return np.repeat(np.float32([1, 0, 1]), shape[0] // 3)
    if name in ("RayDir", "PE"):
        phi, theta = np.meshgrid(np.linspace(0, 1, 32) * np.pi, np.linspace(0, 1, 64) * 2 * np.pi, indexing="ij")
        rays = (np.sin(phi) * np.cos(theta), np.cos(phi), np.sin(phi) * np.sin(theta))
        return np.stack(rays if name == "RayDir" else (phi, theta))[None].astype(np.float32)
    return None


def listed(path):
    """Names and shapes of a ``*_state_dict.tsv``."""
    rows = (line.split("\t") for line in path.read_text().splitlines() if line)
    return {name: tuple(int(number) for number in re.findall(r"\d+", shape)) for name, shape in rows}


def checkpoint(shapes, seed="public"):
    """What a published file would hold: torch tensors by name; an alias is the same tensor as what it stands for."""
    import torch

    made = {}
    for name, shape in shapes.items():
        original = name.replace(_ALIAS, "core.pretrained.model.blocks.", 1) if name.startswith(_ALIAS) else name
        if original not in made:
            value = fixed(original, shape)
            made[original] = torch.from_numpy(np.asarray(drawn(seed, original, shape) if value is None else value))
        made[name] = made[original]
    return {name: made[name] for name in shapes}


def picture(height, width, phase=0.0, frame=0):
    """(height, width, 3) uint8 RGB."""
    v = (np.arange(height)[:, None] + 0.5) / height
    a = 2 * np.pi * (np.arange(width)[None, :] + 0.5) / width
    p = phase + 0.37 * frame
    e1 = np.sign(np.sin(5 * a + 0.7 * p + 0.3) * np.sin(4 * np.pi * v + 0.5))
    e2 = 1.0 * ((1 - np.cos(a - 2.0 - 0.25 * p)) + 12 * (v - 0.45) ** 2 < 0.35)
    e3 = 1.0 * (v > 0.72 + 0.06 * np.sin(2 * a + p))
    r = 0.45 + 0.22 * np.sin(2 * a + 3 * v + p) + 0.10 * e1 + 0.30 * e2 - 0.18 * e3
    g = 0.50 + 0.20 * np.cos(3 * a - 5 * v - p) + 0.08 * e1 - 0.25 * e2 + 0.12 * e3
    b = (
        0.55
        + 0.24 * np.sin(a + 7 * v + 2 * p)
        - 0.12 * e1
        + 0.05 * e2
        - 0.22 * e3
        + 0.06 * np.sin(40 * a) * np.sin(60 * v)
    )
    values = np.stack(np.broadcast_arrays(r, g, b), -1)
    return np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


PROBE = "inner value"
"""So begin the names of what is compared of a probe."""
PROBE_LIMIT = 2e-4
"""Of a probe's greatest difference over the deviation of its tensor."""


def probe_rows(stored, name, tensor):
    """(name, limit, measured) of a tensor's stored samples and statistics, which are taken out of `stored`."""
    shape, stats, samples = (stored.pop(f"probe/{name}/{what}") for what in ("shape", "stats", "samples"))
    assert tuple(shape) == tuple(tensor.shape), name
    flat = tensor.detach().cpu().numpy().ravel()
    seen = flat[(np.arange(16, dtype=np.int64) * 2654435761 + 12345) % flat.size]
    own = [flat.mean(dtype=np.float64), flat.std(dtype=np.float64), flat.min(), flat.max()]
    return [
        (f"{PROBE} {name} samples", PROBE_LIMIT, np.abs(seen - samples).max() / stats[1]),
        (f"{PROBE} {name} stats", PROBE_LIMIT, np.abs(np.subtract(own, stats)).max() / stats[1]),
    ]


def broken_limits(rows):
    """The rows whose limit is not kept, as sentences."""
    return [f"{name}: {measured:.1e}, {limit:.0e} allowed" for name, limit, measured in rows if not measured <= limit]


def measured_lines(rows):
    """Rows as a table: every output by itself, and of what is inside the network what is nearest to its limit."""
    outputs = [row for row in rows if not row[0].startswith(PROBE)]
    inner = [row for row in rows if row[0].startswith(PROBE)]
    if inner:
        worst = max(inner, key=lambda row: row[2] / row[1])
        outputs.append((f"{len(inner)} inner values, at most, of {worst[0].removeprefix(PROBE).strip()}", *worst[1:]))
    return ["| difference of | allowed | measured |", "| --- | --- | --- |"] + [
        f"| {name} | {limit:.0e} | {measured:.1e} |" for name, limit, measured in outputs
    ]
