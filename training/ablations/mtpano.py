"""MTPano's comparison: gradient truncation, auxiliary tasks, single views, and learning from labels of teachers."""

from __future__ import annotations

from pathlib import Path

from core.io.atomic import make_folder
from training.ablations.judging import judge_last
from training.ablations.ladder import Ladder, Made, Row, Score, Stage
from training.dataset import WorldFolder
from training.worlds.sample import read_sample, write_sample

_SMALL = {"size": "T", "height": 64, "batch": 4, "warmup": 20, "ema": 0.99, "weight_decay": 0.02, "views_from": 100}
_FEW = 8
"""Worlds whose own labels are known, where labels are scarce."""
_TAUGHT = 400
"""Panoramas that are labelled by the teacher, at most."""


def _few_worlds(folder: Path, worlds: Path, held_out: int) -> None:
    """The held-out worlds and a few others, in a folder of their own."""
    found = WorldFolder(worlds, held_out=held_out)
    make_folder(folder)
    for path in (*found.held_out, *found.training[:_FEW]):
        copy = folder / f"{path.stem}.npz"
        if not copy.is_file():
            write_sample(read_sample(path), copy)


def _taught(folder: Path, worlds: Path, held_out: int) -> None:
    """Worlds labelled through 32 random views by the oracle, which sees views alone."""
    from training.labels.job import label_folder
    from training.labels.label import LabelPlan

    files = WorldFolder(worlds, held_out=held_out).training[:_TAUGHT]
    plan = LabelPlan(teachers=("oracle",), height=128, views=32, view_size=128, patch_size=64)
    label_folder(files, folder, plan, device="cpu")


_FEW_WORLDS = Made(f"worlds-{_FEW}", _few_worlds)
_LABELS = Made("labels-oracle", _taught)
_FROM_LABELS = Stage("mtpano", {**_SMALL, "labelled": (_LABELS,), "labelled_share": 1.0})
_ON_FEW = {**_SMALL, "worlds": _FEW_WORLDS}


def _row(key: str, title: str, published: str = "", *, headline: bool = False, **changes: object) -> Row:
    return Row(key, title, (Stage("mtpano", {**_SMALL, **changes}),), published=published, headline=headline)


MTPANO = Ladder(
    name="mtpano",
    about="A transformer of size T with the recipe's decoder at 128 x 64 pixels, from random numbers, on generated "
    "worlds; judged on held-out worlds by area: AbsRel without alignment, mean angle of normals, mIoU of classes. "
    f"Label-free: worlds are labelled through 32 random views of each by the oracle, a teacher without errors of its "
    f"own, and {_FEW} other labels are there to go on with; so these rows tell what labels through views are worth at "
    "best. Published: mIoU on Matterport3D with a small backbone, transcribed by a reader of the paper; for the "
    "label-free rows on Stanford2D3D after 140,000 and without such panoramas.",
    rows=(
        _row("full", "full: truncation, auxiliary tasks, single views", ".2689", headline=True),
        _row("none", "none of them", ".2194", headline=True, truncation=False, helpers=False, views=False),
        _row("no-truncation", "without truncation", headline=True, truncation=False),
        _row("no-helpers", "without auxiliary tasks", ".2438", headline=True, helpers=False),
        Row(
            "label-free-then-few",
            f"label-free, then labels of {_FEW} worlds",
            (_FROM_LABELS, Stage("mtpano", _ON_FEW, follows="start")),
            published=".704",
            headline=True,
        ),
        Row(
            "few",
            f"labels of {_FEW} worlds alone, as many steps",
            (Stage("mtpano", _ON_FEW), Stage("mtpano", _ON_FEW, follows="start")),
            published=".685",
            headline=True,
        ),
        Row("label-free", "label-free alone", (_FROM_LABELS,)),
        _row("no-views", "without single views", views=False),
    ),
    scores=(
        Score("miou", "mIoU"),
        Score("absrel", "AbsRel", higher_is_better=False),
        Score("normals_deg", "normals (degrees)", higher_is_better=False),
    ),
    judge=judge_last,
    published="published mIoU",
)
