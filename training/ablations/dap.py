"""DAP's comparison: what each of its losses is worth here, and its range masks."""

from __future__ import annotations

from training.ablations.judging import judge_last
from training.ablations.ladder import Ladder, Row, Score, Stage

_SMALL = {"size": "T", "height": 64, "batch": 4, "warmup": 20, "ema": 0.99}


def _row(key: str, title: str, published: str = "", *, headline: bool = True, **changes: object) -> Row:
    return Row(key, title, (Stage("dap", {**_SMALL, **changes}),), published=published, headline=headline)


DAP = Ladder(
    name="dap",
    about="A transformer of size T with the recipe's decoder at 128 x 64 pixels, from random numbers, on generated "
    "worlds; judged on held-out worlds within 100 m, by area, AbsRel without alignment. Published: AbsRel on "
    "Stanford2D3D of the paper's smaller setup (from DINOv3, on its own data), for range masks on DAP-2M-Labeled, read "
    "by readers of the paper; the published row without masks has no counterpart, as the head belongs to the network "
    "here.",
    rows=(
        _row("full", "full: SILog + distortion map + geometry + sharpness", ".1084"),
        _row("silog", "none: SILog", ".1166", distortion=False, geometry=False, sharpness=False),
        _row("distortion", "SILog + distortion map", ".1149", geometry=False, sharpness=False),
        _row("geometry", "SILog + distortion map + geometry", ".1112", sharpness=False),
        *(
            _row(
                f"range-{metres}",
                f"full with one range mask, {metres} m",
                told,
                headline=False,
                ranges=(float(metres),),
            )
            for metres, told in ((100, ".0793"), (10, ".0801"), (20, ".0823"), (50, ".0864"))
        ),
        _row("sphere", "full with a decoder that knows of the sphere (our own)", headline=False, decoder="sphere"),
    ),
    scores=(
        Score("absrel", "AbsRel", higher_is_better=False),
        Score("delta1", "within 1.25"),
        Score("rmse_m", "RMSE (m)", higher_is_better=False),
        Score("absrel_aligned", "AbsRel, aligned", higher_is_better=False),
        Score("far_iou", "IoU of far"),
    ),
    judge=judge_last,
    published="published AbsRel",
)
