"""The training loop: steps, checkpoints, evaluation, log."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from core.errors import PanoError
from core.io.atomic import atomic_file, make_folder
from training.board import Board
from training.checkpoint import load_checkpoint
from training.choices import Processes, choose
from training.config import TrainConfig, plain
from training.feed import steps_of
from training.heap import keep_freed_memory
from training.quarantine import FILE_NAME as QUARANTINE_NAME
from training.quarantine import Quarantine
from training.recipes import find_recipe
from training.run import Run, is_run, learning_rate
from training.run_log import FILE_NAME as LOG_NAME
from training.run_log import RunLog

__all__ = ["learning_rate", "train"]

CONFIG_NAME = "config.json"


def train(name: str, config: TrainConfig, *, resume: bool, report: Callable[[dict[str, Any]], None]) -> Path:
    """Train a model and return the folder of the run.

    Started by torchrun, all its processes do this together; the first one writes and reports.

    Args:
        name: Of the recipe.
        config: Everything else.
        resume: Go on from the run's last checkpoint; the steps done so far count.
        report: Gets a row of figures every few steps and after each evaluation; the run's log gets them, too.

    Raises:
        KeyboardInterrupt: With a sentence; the step in hand was finished and a checkpoint saved. The second Ctrl+C
            waits for neither. SIGTERM, with which clusters announce an end, counts as the first.
        PanoError: There is nothing to train on, nothing to resume, a run is in the way, or the device cannot be used.
    """
    processes = Processes.of_environment()
    spec = find_recipe(name)
    state = load_checkpoint(config.out, name) if resume else None
    if state is None and is_run(config.out):
        raise PanoError(
            f"Expected an empty folder for a new run, got one with a checkpoint. Add --resume: {config.out}"
        )
    if state is not None and state["step"] > config.steps:
        raise PanoError(
            f"Expected --steps of at least the {state['step']} that the run has made, got {config.steps}; give more of "
            f"them, or leave out --resume and choose another --out: {config.out}"
        )
    config, choices = choose(config, processes, resumed=state["config"] if state else None)
    torch.set_num_threads(config.threads)
    keep_freed_memory()
    recipe = spec.make(config)
    recipe.open()
    run = Run(recipe, config, processes, choices)
    if state is not None:
        run.load(state)
        state = None
    is_first = processes.rank == 0
    if is_first:
        make_folder(config.out)
        with atomic_file(config.out / CONFIG_NAME) as stream:
            facts = {"recipe": name, **plain(config), "choices": [vars(choice) for choice in choices]}
            stream.write(json.dumps(facts, indent=1).encode() + b"\n")
    run.machine.wait()
    quarantine = Quarantine(config.out / QUARANTINE_NAME, step=run.step, writes=is_first)
    log = RunLog(config.out / LOG_NAME, step=run.step) if is_first else None
    board = Board(config.out, step=run.step) if is_first else None

    def tell(group: str, row: dict[str, Any]) -> None:
        if log and board:
            log.write(row)
            board.figures(group, row)
            report(row)

    def evaluate() -> None:
        row, pictures = run.evaluate()
        tell("held out", row)
        if board:
            board.pictures(pictures, run.step)

    if config.evaluate_first and run.step == 0:
        evaluate()
    saved = evaluated = time.monotonic()
    steps = steps_of(recipe, config, processes, quarantine, first=run.step, refresh=run.refresh)
    try:
        with _interrupt_noted() as interrupted:
            for parts in steps:
                row = run.advance(parts, quarantine)
                if row is not None:
                    tell("training", row)
                now = time.monotonic()
                done = run.step >= config.steps
                wanted = [
                    done or (is_first and now - evaluated > 60 * config.evaluate_minutes),
                    is_first and now - saved > 60 * config.save_minutes,
                    interrupted.is_set(),
                ]
                # Clocks of several processes differ, and one may be interrupted before the others.
                to_evaluate, to_save, to_stop = run.machine.any_says(wanted)
                if to_evaluate:
                    evaluate()
                    evaluated = time.monotonic()
                    (to_stop,) = run.machine.any_says([interrupted.is_set()])
                if done or to_stop or to_save:
                    run.save(must=done or to_stop)
                    saved = time.monotonic()
                if to_stop and not done:
                    raise KeyboardInterrupt(f"Interrupted after step {run.step}; go on with --resume: {config.out}")
    finally:
        if board:
            board.close()
    return config.out


@contextmanager
def _interrupt_noted() -> Iterator[threading.Event]:
    """Within, the first Ctrl+C or SIGTERM is noted in the event and nothing else: in a step nothing can be saved."""
    noted = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if noted.is_set():
            signal.default_int_handler(number, frame)
        noted.set()

    # Whoever handles or ignores them in a way of their own goes on doing so; other threads hear of none.
    usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    ours = [number for number, handler in usual.items() if signal.getsignal(number) is handler]
    if threading.current_thread() is not threading.main_thread():
        ours = []
    for number in ours:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number in ours:
            signal.signal(number, usual[number])
