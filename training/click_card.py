"""From a run of click-s to what is shipped: weights, and a card with how it does on drawn objects and on worlds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import PanoError
from core.io.atomic import make_folder
from core.models.click_s import NAME, ClickSConfig
from core.models.own import WEIGHTS_SUFFIX
from core.progress import Progress, silent
from training.checkpoint import load_checkpoint
from training.click_evaluate import CLICKS, ClickRow, evaluate_clicks
from training.click_methods import NO_SWEEP, ZIGZAG, click_network, network_methods, untrained_methods
from training.click_worlds import evaluate_worlds
from training.clicks.photos import photo_terms
from training.clicks.ranking import forget_old_ranking
from training.clicks.views import ViewFolder
from training.export_model import write_weights
from training.model_card import (
    describe_run,
    drawn_parts,
    held_out_parts,
    list_parts,
    read_card,
    runs_table,
    settings_text,
    table,
    world_parts,
    write_card,
)
from training.recipes.click_s import ZIGZAG_SHARE

STEM = "click_s"


def export_click_s(
    checkpoint: Path, out: Path, *, photos: Sequence[Path] = (), other_runs: Sequence[Path] = ()
) -> list[Path]:
    """Write the averaged weights of a run of click-s and their card.

    Args:
        checkpoint: A run's folder, or a checkpoint in it.
        out: Folder for `click_s.safetensors`, `click_s.json` and `click_s.md`; made when missing.
        photos: Folders whose manifests tell the terms of the photographs that the run saw.
        other_runs: Runs with other seeds, whose results the card tells beside.

    Returns:
        The files that were written. What an older card there says under "limits" is kept, results are not; nor is the
        ranking of other weights: learn it anew (`panoviewer-train rank`).

    Raises:
        PanoError: There is no checkpoint, or it is of another network.
        ExportError: A file cannot be written.
    """
    state = load_checkpoint(checkpoint, NAME)
    side = int(state["config"]["height"])
    config = ClickSConfig(view_size=int(side * ZIGZAG_SHARE) // 32 * 32, centred_size=side)
    network = config.build().eval()
    try:
        network.load_state_dict(state["ema"], strict=True)
    except RuntimeError as error:
        raise PanoError(
            f"Expected the weights of this version's {NAME}, got others; train again: {checkpoint}"
        ) from error
    make_folder(out)
    weights = write_weights(network, config, out / f"{STEM}.safetensors")
    forget_old_ranking(weights)
    card_file = out / f"{STEM}.json"
    limits = read_card(card_file).get("limits", []) if card_file.is_file() else []
    notes_file = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / "notes.txt"
    card = {
        "model": NAME,
        "view_size": config.view_size,
        "centred_size": config.centred_size,
        "parameters": sum(value.numel() for value in network.parameters()),
        "megabytes": round(weights.stat().st_size / 1e6, 2),
        "runs": [describe_run(load_checkpoint(run, NAME)) for run in (checkpoint, *other_runs)],
        "photographs": _photographs(Path(state["config"]["views"]), photos),
        "notes": notes_file.read_text(encoding="utf-8").splitlines() if notes_file.is_file() else [],
        "limits": limits,
    }
    return [weights, *write_card(card, card_file, click_card_page)]


def _photographs(views: Path, folders: Sequence[Path]) -> list[dict[str, str]]:
    """The photographs behind a folder of views, with their terms."""
    used = {Path(source).name for source in ViewFolder(views).sources}
    return [row for row in photo_terms(folders) if row["file"] in used]


def judge_clicks_for_card(
    card_file: Path,
    *,
    drawn: Path | None,
    worlds: Sequence[Path],
    page: Callable[[Mapping[str, Any]], str] | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Judge the weights beside a card and write the results into it.

    Args:
        card_file: Of click-s, or of what the recipe sap trained.
        drawn: Folder with hand-drawn objects.
        worlds: Held-out worlds.
        page: Makes the page of the card; `click_card_page` when left out.
        progress: Called after each panorama.
    """
    card = read_card(card_file)
    methods = network_methods(click_network(card_file.with_suffix(WEIGHTS_SUFFIX)))
    if drawn is not None:
        rows = evaluate_clicks(drawn, {**methods, **untrained_methods()}, clicks=CLICKS, progress=progress)
        card["drawn"] = [_plain(row) for row in rows]
    if worlds:
        both = {name: methods[name] for name in (ZIGZAG, NO_SWEEP)}
        card["worlds"] = [_plain(row) for row in evaluate_worlds(worlds, both, clicks=1, progress=progress)]
    return write_card(card, card_file, page or click_card_page)


def _plain(row: ClickRow) -> dict[str, Any]:
    return {
        "picture": row.picture,
        "object": row.name,
        "method": row.method,
        "ious": [round(value, 4) for value in row.ious],
    }


def click_card_page(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    runs: Sequence[Mapping[str, Any]] = card["runs"]
    photographs = [
        f"- {row['file']}: {row['terms']}; {row.get('source', '')}".rstrip("; ") for row in card["photographs"]
    ]
    parts = [
        f"# {card['model']}",
        "A small network that cuts objects out by click. It was trained from scratch by this project; no weights of "
        "others went into it.",
        table(
            ("", ""),
            [
                ("Parameters", f"{card['parameters'] / 1e6:.2f} M, {card['megabytes']} MB as safetensors (float32)"),
                ("Views around a click", f"{card['centred_size']} pixels square"),
                ("Views of the zigzag", f"{card['view_size']} pixels square"),
                ("Licence", "Apache-2.0, as the rest of the project"),
            ],
        ),
        "## Training",
        runs_table(runs),
        settings_text(runs[0]),
        *list_parts("### How it went", card.get("notes", [])),
        "### Data",
        "Regions of photographs, found by merging and never drawn by hand, and objects of worlds rendered by "
        "`panoviewer-train generate`.",
        f"{len(photographs)} photographs:\n\n" + "\n".join(photographs) if photographs else "No photograph was used.",
        *held_out_parts(runs),
        *drawn_parts(card.get("drawn", [])),
        *world_parts(card.get("worlds", [])),
        *list_parts("## What does not work", card.get("limits", [])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
