"""Train the models of PanoViewer: generate worlds, cut views with regions, train on them, evaluate, export."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from core.errors import PanoError
from training.config import RankConfig, TrainConfig
from training.console import console as _console
from training.console import progress_bar as _progress_bar
from training.progress_line import ProgressLine
from training.recipes import RECIPES

try:
    import tyro
except ModuleNotFoundError:
    sys.stderr.write("Training needs tyro, which is not installed. Install it with: pip install 'panoviewer[train]'\n")
    sys.exit(2)

from training.ablations.command import ablate
from training.data_commands import check, import_set
from training.label_commands import label, predict
from training.stage_commands import intake, select, stages


def generate(
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    count: int = 1000,
    first_seed: int = 0,
    height: int = 256,
    workers: int = 1,
    sheet: Path | None = None,
    shards: bool = False,
    shard_size: int = 64,
) -> None:
    """Render worlds with exact labels into a folder; those that are there already are kept.

    Args:
        out: Folder of the worlds.
        count: How many seeds.
        first_seed: The first of them. Seeds far from those trained on make worlds to judge by.
        height: Rows of the panoramas, a multiple of 4 from 16 to 2048; the width is twice that. To train on, the
            network's or a power of two times as many.
        workers: Processes.
        sheet: Also write a contact sheet of the first 64 worlds here (PNG or JPEG). Of one world it is the photograph.
        shards: Write WebDataset shards (tar files of many worlds each), which train and evaluate read as well.
        shard_size: Worlds in a shard.
    """
    from training.pictures import check_picture, write_picture
    from training.worlds.generate import check_world_height, generate_shards, generate_worlds

    for flag, number, least in (
        ("count", count, 1),
        ("first-seed", first_seed, 0),
        ("workers", workers, 1),
        ("shard-size", shard_size, 1),
    ):
        if number < least:
            raise PanoError(f"Expected --{flag} of at least {least}, got {number}; choose another.")
    check_world_height(height)
    check_picture(sheet)
    seeds = range(first_seed, first_seed + count)
    started, used = time.monotonic(), sum(os.times()[:4])
    with _progress_bar("Rendering worlds") as update:
        if shards:
            rendered = generate_shards(
                out, seeds, height=height, shard_size=shard_size, workers=workers, progress=update
            )
        else:
            rendered = generate_worlds(out, seeds, height=height, workers=workers, progress=update)
    if rendered:
        seconds, used = time.monotonic() - started, sum(os.times()[:4]) - used
        _console.print(
            f"{rendered} worlds in {seconds:.0f} s: {2 * height} x {height}, {rendered / seconds:.2g} panoramas a "
            f"second, {rendered / used:.2g} per second of one core."
        )
    if sheet:
        from training.worlds.contact_sheet import contact_sheet
        from training.worlds.sample import read_sample
        from training.worlds.shards import world_files

        named = {f"{seed:08d}" for seed in seeds[:64]}
        files = [path for path in world_files(out) if path.stem in named]
        write_picture(contact_sheet(map(read_sample, files), columns=min(8, len(files))), sheet)


def clicks(
    folders: Annotated[tuple[Path, ...], tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    worlds: Path | None = None,
    per_large: int = 300,
    per_small: int = 70,
    per_world: int = 10,
    seed: int = 0,
) -> None:
    """Cut views with regions out of photographs and worlds, for click-s; those that are there already are kept.

    Args:
        folders: Of photographs with a manifest.tsv; only what it marks CC0 or CC BY is used, and nothing that has
            labels beside it (*.instances.json, *.depth_rel.png and the like), for these are judged by.
        out: Folder of the views.
        worlds: Folder of generated worlds, 512 rows or more.
        per_large: Views of a photograph wider than 2048 pixels.
        per_small: Views of a smaller one.
        per_world: Views of a world.
        seed: Decides where they look.
    """
    from training.clicks.harvest import HarvestPlan, harvest_photos, harvest_worlds
    from training.clicks.photos import permitted_photos
    from training.worlds.shards import world_files

    plan = HarvestPlan(per_large=per_large, per_small=per_small, per_world=per_world, seed=seed)
    photos = permitted_photos(folders)
    _console.print(f"Photographs: {', '.join(path.name for path in photos)}", highlight=False)
    with _progress_bar("Views of photographs") as update:
        written = harvest_photos(photos, out, plan, progress=update)
    if worlds:
        with _progress_bar("Views of worlds") as update:
            written += harvest_worlds(world_files(worlds), out, plan, progress=update)
    _console.print(f"{written} views written: {out}")


def _train_command(arguments: Sequence[str]) -> Callable[..., None]:
    """The command `train` with the flags of the recipe that the arguments name."""
    named = [(before.startswith("-"), text) for before, text in pairwise(arguments) if text in RECIPES]
    # Behind a flag it may be that flag's value, or it stands behind one that has none.
    found = min(named, default=None, key=lambda one: one[0]) if arguments[:1] == ["train"] else None
    kind = TrainConfig if found is None else RECIPES[found[1]].config_class()

    def train(name, config, resume=False, dry_run=False):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - below
        from training.choices import Processes
        from training.trainer import train as run

        if name in RECIPES and not isinstance(config, RECIPES[name].config_class()):
            raise PanoError(f"Expected the model first, as in 'train {name} --out FOLDER', got flags before it.")
        if dry_run:
            from training.rehearsal import rehearse

            rehearse(name, config, say=lambda line: _console.print(line, highlight=False))
            return

        with ProgressLine(_console, config.steps) as report:
            run(name, config, resume=resume, report=report)
        if Processes.of_environment().rank == 0:
            _console.print(f"{config.steps} steps are done: {config.out}", highlight=False)

    # The class of the configuration is known only now, so that it cannot stand in the signature.
    train.__annotations__ = {
        "name": Annotated[str, tyro.conf.Positional],
        "config": Annotated[kind, tyro.conf.arg(name="")],
        "resume": bool,
        "dry_run": bool,
        "return": None,
    }
    train.__doc__ = f"""Train a model.

    What is held out (--held-out) is never trained on. Ctrl+C saves what was learned. A run that was interrupted or
    killed goes on with --resume, also with more --steps. 'train NAME --help' tells the flags of one model.

    Args:
        name: Which one: {"; ".join(f"{name}, {spec.summary}" for name, spec in RECIPES.items())}.
        config: Of the run.
        resume: Go on from the run's last checkpoint.
        dry_run: Do one step of everything in small, leave nothing behind, and print what memory the run will take.
    """
    return train


def rank(
    weights: Annotated[Path, tyro.conf.Positional],
    folders: Annotated[tuple[Path, ...], tyro.conf.Positional],
    config: Annotated[RankConfig, tyro.conf.arg(name="")],
    worlds: Path | None = None,
) -> None:
    """Learn which of the first masks of click-s is meant, and write that beside its weights (click_s_ranking.json).

    To be done again for every new weights, after export and before they are judged. Without it the first mask is the
    one that agrees with most others; beside the ranking of other weights, weights are refused.

    Args:
        weights: Exported ones, or their folder.
        folders: Of photographs with a manifest.tsv, of which those are used that 'clicks' uses.
        config: Of the run.
        worlds: Folder of generated worlds, 512 rows or more.
    """
    from training.click_card import STEM
    from training.clicks.photos import permitted_photos
    from training.clicks.ranking import learn_ranking
    from training.worlds.shards import world_files

    file = weights / f"{STEM}.safetensors" if weights.is_dir() else weights
    scenes = world_files(worlds) if worlds else []
    with _progress_bar("Clicking") as update:
        written, scores = learn_ranking(file, permitted_photos(folders), scenes, config, progress=update)
    for score in scores:
        _console.print(
            f"{score.clicks} held-out clicks on {score.kind}, mean IoU: learned {score.learned:.3f}, by agreement "
            f"{score.voted:.3f}, best of all {score.best:.3f}, with pieces of pano-s {score.pieced:.3f}",
            highlight=False,
        )
    _console.print(f"Written: {written}")


def evaluate(
    task: Annotated[Literal["depth", "normals", "classes", "clicks", "detail"], tyro.conf.Positional],
    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")],
    model: Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH")] = None,
    protocol: Literal["corrected", "dap", "mtpano", "sap"] = "corrected",
    layout: str | None = None,
    published: bool = True,
) -> None:
    """Judge a model on worlds, on a public data set, or on pictures with labels beside them.

    Args:
        task: What is judged. detail: how sharp depth of the photograph's size is, made larger in three ways.
        folder: Worlds (*.npz), a public set as for check, or STEM.jpg with STEM.depth_rel.png, STEM.normal.png,
            STEM.semantic.png; for clicks STEM.instances.json with what it names, frames with instance masks, or worlds.
            Of the worlds that a run given as --model was trained on, only those are judged by that it held out; for
            exported weights, give worlds that they never saw.
        model: A name of the catalogue (for clicks click-s, sam2.1-tiny, ...), a folder of a run, a checkpoint, or a
            folder or file of exported weights. The bundled one when left out.
        protocol: How it is judged: weighted by solid angle with true errors in metres, seam and poles apart
            (corrected), or as the papers do, with their quirks: dap for depth, mtpano for depth, normals and classes,
            sap for clicks.
        layout: How the folder lies on disk, as for check; found out when left out.
        published: Also print what the papers report, marked as such.
    """
    if task == "clicks":
        _evaluate_clicks(folder, model, protocol, layout, published=published)
        return
    if task == "detail":
        _evaluate_detail(folder, model or "pano-s")
        return
    from training.evaluate import evaluate as judge
    from training.evaluate import report_table

    report = judge(task, folder, model=model or "pano-s", protocol=protocol, layout=layout)
    _console.print(report_table(report))
    _print_published(task, report.layout, published=published)


def _evaluate_detail(folder: Path, model: str) -> None:
    from training.detail import detail_table, evaluate_detail
    from training.evaluate import open_model

    with _progress_bar("Refining") as update:
        rows = evaluate_detail(folder, model=open_model(model), progress=update)
    _console.print(detail_table(rows, folder.name, model), highlight=False)


def _print_published(task: str, layout: str, *, published: bool) -> None:
    from training.published import published_table

    table = published_table(task, layout) if published else None
    if table is not None:
        _console.print(table)


def _evaluate_clicks(folder: Path, model: str | None, protocol: str, layout: str | None, *, published: bool) -> None:
    from training.click_evaluate import click_table, evaluate_clicks
    from training.click_methods import click_network, network_methods, untrained_methods
    from training.datasets import has_label
    from training.evaluate import worlds_held_out
    from training.instance_evaluate import evaluate_instances, instance_table

    if protocol not in ("corrected", "sap"):
        raise PanoError(f"Expected one of the protocols corrected, sap for clicks, got {protocol}.")
    drawn = any(folder.glob("*.instances.json"))
    if protocol == "sap" or layout is not None or (not drawn and has_label(folder, "instances")):
        methods, by_pixels = network_methods(click_network(model)), protocol == "sap"
        worlds = worlds_held_out(model, folder) if model else None
        with _progress_bar("Clicking") as update:
            judged = evaluate_instances(
                folder, methods, layout=layout, by_pixels=by_pixels, worlds=worlds, progress=update
            )
        _console.print(instance_table(judged, folder.name, by_pixels=by_pixels))
        _print_published("clicks", "instances", published=published)
        return
    methods = {**network_methods(click_network(model)), **untrained_methods()}
    with _progress_bar("Clicking") as update:
        rows = evaluate_clicks(folder, methods, progress=update)
    _console.print(click_table(rows), highlight=False)


def export(
    run: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    onnx: bool = True,
    other_runs: tuple[Path, ...] = (),
    judge: tuple[Path, ...] = (),
    scenes: Path | None = None,
    sheet: Path | None = None,
    photos: tuple[Path, ...] = (),
) -> None:
    """Write a run's averaged weights as safetensors with a model card.

    PanoViewer opens that folder by its place; 'panoviewer models add FOLDER' lists it under the folder's name.

    Args:
        run: Folder of the run, or a checkpoint.
        out: Folder for the weights and the card.
        onnx: Also write the ONNX graphs, of networks that have any; they read their numbers from the safetensors file.
            With that of pano-s the CPU is faster.
        other_runs: Runs with other seeds, for the spread of the results in the card.
        judge: Folders with labels, as for evaluate, whose results go into the card; of worlds only those count that the
            run was not trained on.
        scenes: For pano-s, a folder of photographs with a manifest.tsv that says indoor or outdoor; their table goes
            into the card.
        sheet: Also write a picture of the results on those photographs here (PNG).
        photos: For click-s, folders whose manifest.tsv tells the terms of the photographs that it saw.
    """
    from training.checkpoint import recipe_of
    from training.pictures import check_picture

    check_picture(sheet)
    recipe = recipe_of(run)
    _refuse_flags_of_others(recipe, "click-s", photos=photos)
    _refuse_flags_of_others(recipe, "pano-s", scenes=scenes, sheet=sheet)
    if recipe == "click-s":
        written = _export_click_s(run, out, photos=photos, other_runs=other_runs, judge=judge)
    elif recipe == "sap":
        written = _export_sap(run, out, onnx=onnx, other_runs=other_runs, judge=judge)
    else:
        from training.export_model import export_model, export_run
        from training.judge_card import judge_for_card, judge_run_for_card

        make = export_model if recipe == "pano-s" else export_run
        written = make(run, out, onnx=onnx, other_runs=other_runs)
        if judge or scenes or sheet:
            with _progress_bar("Judging") as update:
                if recipe == "pano-s":
                    judged = judge_for_card(out, labelled=judge, scenes=scenes, sheet=sheet, run=run, progress=update)
                else:
                    card = written[0].with_suffix(".json")
                    judged = judge_run_for_card(card, labelled=judge, run=run, progress=update)
            written = list(dict.fromkeys([*written, *judged]))
    for path in written:
        _console.print(f"Written: {path}")


def _refuse_flags_of_others(recipe: str, model: str, **flags: object) -> None:
    given = [name for name, value in flags.items() if value]
    if given and recipe != model:
        raise PanoError(f"Expected --{given[0]} for a run of {model} only, got a run of {recipe}; leave it out.")


def _export_click_s(
    run: Path, out: Path, *, photos: tuple[Path, ...], other_runs: tuple[Path, ...], judge: tuple[Path, ...]
) -> list[Path]:
    from training.click_card import STEM, export_click_s, judge_clicks_for_card

    drawn, worlds = _judged_by(run, judge)
    written = export_click_s(run, out, photos=photos, other_runs=other_runs)
    if judge:
        with _progress_bar("Judging") as update:
            judge_clicks_for_card(out / f"{STEM}.json", drawn=drawn, worlds=worlds, progress=update)
    return written


def _export_sap(
    run: Path, out: Path, *, onnx: bool, other_runs: tuple[Path, ...], judge: tuple[Path, ...]
) -> list[Path]:
    from training.click_card import judge_clicks_for_card
    from training.export_model import export_run
    from training.model_card import shipped_page

    drawn, worlds = _judged_by(run, judge)
    written = export_run(run, out, onnx=onnx, other_runs=other_runs)
    if judge:
        with _progress_bar("Judging") as update:
            card = written[0].with_suffix(".json")
            judge_clicks_for_card(card, drawn=drawn, worlds=worlds, page=shipped_page, progress=update)
    return written


def _judged_by(run: Path, folders: tuple[Path, ...]) -> tuple[Path | None, list[Path]]:
    """The folder of hand-drawn objects and the worlds by which a run of click-s or sap may be judged."""
    if not folders:
        return None, []
    from training.checkpoint import load_checkpoint, recipe_of
    from training.clicks.views import ViewFolder
    from training.dataset import held_out_worlds
    from training.worlds.shards import world_files

    drawn = [folder for folder in folders if any(folder.glob("*.instances.json"))]
    if len(drawn) > 1:
        raise PanoError(f"Expected one folder of hand-drawn objects, got {len(drawn)}; leave out one: {drawn[1]}")
    config = load_checkpoint(run, recipe_of(run))["config"]
    # A view tells of which world it is by the name of that world's file, which is its seed.
    views = config.get("views") or config.get("pictures")
    seen = set(ViewFolder(Path(views)).sources) if views else set()
    worlds: list[Path] = []
    for folder in folders:
        held_out = held_out_worlds(folder, config)
        found = world_files(folder) if held_out is None else held_out
        unseen = [path for path in found if path.name not in seen]
        if not unseen and folder not in drawn:
            raise PanoError(
                "Expected hand-drawn objects, or worlds that the run has not seen, to judge by, got none; generate "
                f"others with another --first-seed: {folder}"
            )
        worlds += unseen
    return next(iter(drawn), None), worlds


def main() -> None:
    """Run the command line; errors are one sentence, exit code 2; an interrupt is 130."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    commands: dict[str, Callable[..., None]] = {
        "generate": generate,
        "clicks": clicks,
        "check": check,
        "import": import_set,
        "intake": intake,
        "label": label,
        "select": select,
        "predict": predict,
        "train": _train_command(sys.argv[1:]),
        "stages": stages,
        "rank": rank,
        "evaluate": evaluate,
        "ablate": ablate,
        "export": export,
    }
    try:
        tyro.extras.subcommand_cli_from_dict(commands, prog="panoviewer-train", description=__doc__)
    except PanoError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except KeyboardInterrupt as interrupt:
        sys.stderr.write(f"{str(interrupt) or 'Interrupted.'}\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
