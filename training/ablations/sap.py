"""SAP's comparison: what perspective views, overlap, training on the zigzag, and memories are worth here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.segment.options import MemoryChoice, Policy
from training.ablations.ladder import Ladder, Row, Score, Scores, Stage
from training.checkpoint import load_checkpoint
from training.config import config_of
from training.dataset import WorldFolder
from training.recipes.sap import SapRecipe, SapTraining
from training.sap.layouts import Layout, Looks
from training.sap.recall import MEMORIES
from training.sap.scan import ScanOptions, judge_worlds

_SMALL = {
    "network": "click-s", "height": 128, "frames": 8, "corrections": 1, "batch": 2, "judged": 1,
    "judged_clicks": 1, "warmup": 5, "ema": 0.95,
}  # fmt: skip
_BASE = Stage("sap", {**_SMALL, "zigzags": 0.0, "drifts": 0.35})
"""In the place of SAM 2: what ships, trained further on plain pictures and slow videos of perspective cameras."""


def _trained(**changes: object) -> tuple[Stage, Stage]:
    return _BASE, Stage("sap", {**_SMALL, **changes}, follows="start")


_FULL = _trained()


def _scan(row: str, title: str, **judging: object) -> Row:
    return Row(row, title, _FULL, judging)


def judge_scan(run: Path, judging: Mapping[str, object]) -> Scores:
    """Scores of a run on the worlds that it held out, by SAP's literal inference.

    Args:
        run: Its folder.
        judging: `looks`, `overlap`, `policy`, `memory`, `memories` where they are not as by default.
    """
    state = load_checkpoint(run, "sap")
    config = config_of(SapTraining, state["config"])
    network = SapRecipe(config).build()
    network.load_state_dict(state["ema"])
    options = ScanOptions(
        Layout(Looks(str(judging.get("looks", "views"))), bool(judging.get("overlap", True))),
        Policy[str(judging.get("policy", "P2"))],
        MemoryChoice(str(judging.get("memory", "angle"))),
        int(str(judging.get("memories", MEMORIES))),
    )
    files = WorldFolder(config.worlds, held_out=config.held_out).held_out
    return judge_worlds(network.to(config.device), files, options, size=config.height)


SAP = Ladder(
    name="sap",
    about="All rows begin with click-s as it ships, at views of 128 pixels, trained further on plain perspective "
    "pictures and slowly turning cameras in generated worlds, in the place of SAM 2; each trained row goes on for as "
    "many steps. Encoders are frozen. mIoU by solid angle on objects of held-out worlds after one click, in equal "
    "numbers wide, across the seam, at a pole, and plain; the masks of all looks are merged by their maximum. Memory "
    "policies are judged on the full method's weights, which were trained with memories by angle; its own is P2 by "
    "angle. Published: mIoU of SAP-large on PAV-SOD after one click, a model a hundred times larger on photographs.",
    rows=(
        Row("full", "full: zigzag views, overlap, trained on windows", _FULL, published=".773", headline=True),
        Row("none", "none: resized ERP, untrained", (_BASE,), {"looks": "whole"}, ".663", headline=True),
        Row("scan", "zigzag views, untrained", (_BASE,), published=".690", headline=True),
        Row("whole", "resized ERP, trained on it", _trained(looks="whole"), {"looks": "whole"}, ".730", headline=True),
        Row("crops", "ERP crops, trained on them", _trained(looks="crops"), {"looks": "crops"}, ".726", headline=True),
        Row("apart", "views without overlap", _trained(overlap=False), {"overlap": False}, ".665", headline=True),
        Row(
            "plain",
            "trained further on plain pictures and videos alone",
            _trained(zigzags=0.0, drifts=0.35),
            published=".600",
        ),
        Row("panoramas", "trained on windows alone", _trained(zigzags=1.0, drifts=0.0), published=".673"),
        Row("index", "trained and scanned with memories by index", _trained(memory="index"), {"memory": "index"}),
        *(
            _scan(f"{policy}-{memory}".lower(), f"policy {policy}, memories by {memory}", policy=policy, memory=memory)
            for policy in ("P1", "P2", "P3")
            for memory in ("angle", "index")
            if (policy, memory) != ("P2", "angle")  # the full method's own
        ),
        _scan("alone", "no memories", memories=0),
        _scan("click-everywhere-alone", "no memories, every view on its own (P1)", policy="P1", memories=0),
    ),
    scores=(
        Score("iou_1", "mIoU"),
        Score("small", "small"),
        Score("medium", "medium"),
        Score("large", "large"),
        Score("seam_pole", "seam and poles"),
    ),
    judge=judge_scan,
    published="published",
)
