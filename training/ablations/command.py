"""`panoviewer-train ablate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from training.console import console


def ablate(
    name: Annotated[str, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    worlds: Path,
    minutes_per_run: float = 4.0,
    seeds: int = 3,
    rows: tuple[str, ...] = (),
    steps: int = 0,
    held_out: int = 16,
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int = 1,
) -> None:
    """Compare a method with itself without one of its parts, in small, and write a table with spreads.

    Headline rows come first. Results are written after every run (results.json, results.md); the same command goes on
    after an interruption or a kill, and adds rows and seeds.

    Args:
        name: Which one: sap, dap or mtpano.
        out: Folder of the comparison.
        worlds: Folder of generated worlds; those with the lowest seeds (--held-out) are judged by.
        minutes_per_run: How long the full method may be trained, stage by stage; the other rows take as many steps.
        seeds: How often each row is trained.
        rows: Keys of the rows, all when left out.
        steps: Of every stage, instead of minutes.
        held_out: Worlds that are judged by.
        device: 'cpu', or 'cuda' where there is one.
        threads: Torch threads.
    """
    from training.ablations.ladders import find_ladder
    from training.ablations.run import Ablation, run_ladder

    plan = Ablation(out, worlds, held_out, minutes_per_run, seeds, steps, device, threads)
    run_ladder(
        find_ladder(name), plan, rows=rows, report=lambda line: console.print(line, highlight=False, markup=False)
    )
