"""The three stages of Depth Any Panoramas (arXiv:2512.16913) as one piece of work that can be killed at any moment.

A labeller learns from worlds; a discriminator ranks what it says of photographs; a second labeller learns from worlds
and the truest of these labels; the final network learns from worlds and from what the second labeller says of all
photographs. What the paper leaves open is our choice where it stands.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

from core.errors import PanoError
from core.models.dap import NAME
from core.progress import Progress, silent
from training.batch import Where
from training.checkpoint import load_checkpoint
from training.choices import Processes, choose, hardware_of
from training.config import plain
from training.dataset import WorldFolder
from training.export_model import export_run
from training.labelled import labelled_files, read_labelled
from training.labels.job import label_folder
from training.labels.label import LabelPlan
from training.manifest import read_scenes
from training.metrics import depth_scores
from training.recipes.dap import DapTraining
from training.run import is_run
from training.spherical import resampled
from training.stages.discriminator import PatchDiscriminator, QualityPlan, learn_quality, score
from training.stages.intake import IntakePlan, take_in
from training.stages.record import Record, open_record, results_text, write_record
from training.stages.selection import CHOSEN, SHEET, rank_labels, select
from training.trainer import train

STAGES: Mapping[str, str] = {
    "photos": "photographs and frames taken in",
    "labeller": "a network learns from worlds",
    "labels": "it labels the photographs",
    "said": "it says what it sees of worlds whose depth is exact",
    "selection": "a discriminator of the two ranks the labels; the truest are kept",
    "second": "a second labeller learns from worlds and the kept labels",
    "relabelled": "it labels all photographs",
    "final": "the final network learns from worlds and these labels",
}
MODEL = "model"
"""Folder of exported weights, in that of a training and, of the final one, in the folder of all stages."""
_VIEWS = 32
_FREE = ("out", "threads", "save_minutes", "evaluate_minutes", "log_steps", "evaluate_first", "loaders", "device")
"""Settings that do not decide what comes out, and may differ when a folder is gone on with."""
_KEEP = 0.7
"""Pixels of a view for each row of the panorama: a little finer than the panorama, so that labels stay as sharp."""


@dataclass(frozen=True)
class StagedTraining(DapTraining):
    """How dap is trained in stages; all but the first fields are those of each of the three trainings."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("stages")
    """Folder of everything; the same command goes on with it."""
    photos: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PHOTO|VIDEO|FOLDER...")] = ()
    """Photographs, panoramic videos, and folders of them, without labels."""
    top: float = 0.3
    """Share of the labels of each scene, indoor and outdoor, that the second labeller learns from; published: 300000 of
    each, which are about two thirds of those indoors and a fifth of those outdoors."""
    compared: int = 512
    """Worlds of those trained on, at most, of which the discriminator learns how true depth and the labeller's look."""
    carry: bool = False
    """Begin each network with the one before, instead of anew as the first."""
    intake: IntakePlan = field(default_factory=IntakePlan)
    """What photographs are taken in."""
    discriminator: QualityPlan = field(default_factory=QualityPlan)
    """How labels are ranked; its maps have no more rows than the labels."""
    where: tyro.conf.OmitArgPrefixes[Where] = field(default_factory=Where)
    """Photographs are labelled."""
    # Decided by the stages.
    start: tyro.conf.Suppress[Path | None] = None
    labelled: tyro.conf.Suppress[tuple[Path, ...]] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.top <= 1 or self.compared < 1:
            raise PanoError(
                "Expected --top above 0 and up to 1 and at least one of --compared, got "
                f"{self.top} and {self.compared}; choose others."
            )
        if self.intake.height < self.height:
            raise PanoError(
                f"Expected photographs of at least the network's {self.height} rows, got --intake.height "
                f"{self.intake.height}; choose a larger one."
            )

    def training(self, **changes: Any) -> DapTraining:  # noqa: ANN401 - of any field
        """One of the three trainings."""
        own = {one.name: getattr(self, one.name) for one in fields(DapTraining)}
        return DapTraining(**(own | changes))

    def deciding(self) -> dict[str, Any]:
        """All settings that decide the result, as text, numbers and lists."""
        return {name: value for name, value in plain(self).items() if name not in (*_FREE, "where")}


class Show:
    """Whom the stages tell how far they are; this one hears nothing."""

    def line(self, text: str) -> None:
        """A stage began or ended."""

    def bar(self, title: str) -> AbstractContextManager[Progress]:  # noqa: ARG002
        """For work of known length."""
        return nullcontext(silent)

    def training(self, steps: int) -> AbstractContextManager[Callable[[dict[str, Any]], None]]:  # noqa: ARG002
        """For rows of figures of a training."""
        return nullcontext(lambda _row: None)


def run_stages(config: StagedTraining, show: Show | None = None) -> Record:
    """Do what is missing of all stages.

    What is done stands in the record of the folder, with settings and results; what was interrupted or killed within a
    stage goes on where it was, and ends with the same weights.

    Args:
        config: Everything.
        show: Is told how far it is.

    Returns:
        The record of all stages.

    Raises:
        PanoError: There are no photographs or worlds, or the folder was begun with other settings.
        KeyboardInterrupt: With a sentence; the same command goes on.
    """
    return _Stages(config, show or Show()).run()


class _Stages:
    def __init__(self, config: StagedTraining, show: Show) -> None:
        processes = Processes.of_environment()
        if processes.count > 1:
            raise PanoError(
                "Training in stages is for one process, got several; start it without torchrun, or do the stages one "
                "by one: train, label, select."
            )
        if not config.photos:
            raise PanoError("Expected photographs or videos to learn from, got none; name some with --photos.")
        # Looked at before anything is begun, so that what is missing is told at once.
        self._worlds = WorldFolder(config.worlds, held_out=config.held_out)
        settled, _ = choose(config.training(), processes)
        self._hardware = hardware_of(settled, processes)
        self._config, self._show, self._out = config, show, config.out
        self._record = open_record(config.out, NAME, config.deciding())

    def run(self) -> Record:
        self._show.line(
            f"Steps: {self._config.steps} of each of the three trainings (--steps), "
            f"{self._config.discriminator.steps} of the discriminator (--discriminator.steps)"
        )
        work: dict[str, Callable[[], dict[str, Any]]] = {
            "photos": self._take_in,
            "labeller": lambda: self._train("labeller"),
            "labels": lambda: self._label("labels", self._photos(), "labeller"),
            "said": lambda: self._label("said", self._compared(), "labeller"),
            "selection": self._select,
            "second": lambda: self._train("second", self._out / "selection" / CHOSEN, before="labeller"),
            "relabelled": lambda: self._label("relabelled", self._photos(), "second"),
            "final": lambda: self._train("final", self._out / "relabelled", before="second"),
        }
        for number, (name, about) in enumerate(STAGES.items(), start=1):
            done = self._record.done.get(name)
            if done is None:
                self._show.line(f"{number} of {len(STAGES)}, {name}: {about}")
                started = time.monotonic()
                try:
                    results = work[name]()
                except KeyboardInterrupt:
                    raise KeyboardInterrupt(f"Interrupted in {name}; the same command goes on: {self._out}") from None
                seconds = time.monotonic() - started
                done = {"seconds": seconds, "hardware": self._hardware, "results": results}
                self._record.done[name] = done
                write_record(self._out, self._record, STAGES)
            self._show.line(f"{name}: {results_text(done['results'])}")
        return self._record

    def _take_in(self) -> dict[str, Any]:
        with self._show.bar("Taking in") as update:
            items = take_in(self._config.photos, self._out / "photos", self._config.intake, progress=update)
        scenes = Counter(item.scene for item in items if item.file)
        if not scenes:
            raise PanoError(
                f"Expected panoramas to learn from, got {len(items)} files of which none is good; the reasons are in: "
                f"{self._out / 'photos'}"
            )
        return {"indoor": scenes["indoor"], "outdoor": scenes["outdoor"], "left_out": len(items) - scenes.total()}

    def _photos(self) -> list[Path]:
        folder = self._out / "photos"
        return [folder / row["file"] for row in read_scenes(folder)]

    def _compared(self) -> list[Path]:
        """Worlds of which the labeller is asked: some of those it was trained on, and those held out."""
        files = self._worlds.training
        some = np.linspace(0, len(files) - 1, min(self._config.compared, len(files))).round().astype(int)
        return [*(files[number] for number in some), *self._worlds.held_out]

    def _train(self, name: str, labelled: Path | None = None, *, before: str = "") -> dict[str, Any]:
        config, folder = self._config, self._out / name
        training = config.training(
            out=folder,
            labelled=() if labelled is None else (labelled,),
            start=self._out / before if config.carry and before else None,
        )
        resume = is_run(folder)
        with self._show.training(config.steps) as report:
            train(NAME, training, resume=resume, report=report)
        state = load_checkpoint(folder, NAME)
        exported = self._out / MODEL if name == "final" else folder / MODEL
        export_run(folder, exported)
        scores = {key: value for key, value in state["history"][-1].items() if key not in ("step", "hours")}
        return {"steps": state["step"], **scores}

    def _label(self, name: str, files: Sequence[Path], labeller: str) -> dict[str, Any]:
        height = self._config.height
        plan = LabelPlan(
            teachers=(str((self._out / labeller / MODEL).absolute()),),
            height=height,
            views=_VIEWS,
            view_size=max(16, round(_KEEP * height)),
            patch_size=0,
            seed=self._config.seed,
        )
        folder = (self._out / name).absolute()
        with self._show.bar("Labelling") as update:
            report = label_folder(
                files, folder, plan, device=self._config.device, where=self._config.where, progress=update
            )
        if len(report.bad) == len(files):
            raise PanoError(f"None of {len(files)} panoramas could be labelled; the reasons are in: {folder}")
        return {"labelled": report.done + report.kept, "left_out": len(report.bad)}

    def _select(self) -> dict[str, Any]:
        config, folder = self._config, self._out / "selection"
        # No finer than the labels, or pixels that were made larger would give them away.
        plan = replace(config.discriminator, height=min(config.discriminator.height, config.height))
        said = {
            str(read_labelled(path, patches=False).origin["name"]): path for path in labelled_files(self._out / "said")
        }
        pairs = [(path, said[path.stem]) for path in self._worlds.training if path.stem in said]
        with self._show.training(plan.steps) as report:
            network = learn_quality(
                [true for true, _ in pairs],
                [told for _, told in pairs],
                folder,
                plan,
                report=lambda step, loss: report({"step": step, "loss": loss}),
            )
        scenes = {row["file"]: row["scene"] for row in read_scenes(self._out / "photos")}
        scenes |= {Path(name).stem: scene for name, scene in scenes.items()}
        with self._show.bar("Ranking") as update:
            ranked = rank_labels(
                network, labelled_files(self._out / "labels"), scenes, height=plan.height, progress=update
            )
        chosen = {path.name for path in select(ranked, folder, top=config.top)}
        held_out = [(path, said[path.stem]) for path in self._worlds.held_out if path.stem in said]
        kept: dict[str, Any] = {}
        for scene in sorted({one.scene for one in ranked}):
            names = [one.file.name for one in ranked if one.scene == scene]
            kept[f"kept_{scene}"] = f"{len(chosen.intersection(names))} of {len(names)}"
        return {**kept, **judged(network, held_out, height=plan.height), "sheet": f"selection/{SHEET}"}


def judged(network: PatchDiscriminator, pairs: Sequence[tuple[Path, Path]], *, height: int) -> dict[str, float]:
    """Whether a discriminator's ranking means anything, by worlds that neither it nor the labeller learned from.

    Args:
        network: That ranks.
        pairs: Worlds, and what the labeller said of each.
        height: Rows at which it looks.

    Returns:
        ``told_apart``: the share of the worlds whose exact depth it finds truer than the labeller's;
        ``rank_correlation`` (Spearman's) of its scores of the labeller's depth with how right that is: 1 where the
        ranking is that of AbsRel after alignment, 0 where it tells nothing. The second needs three worlds.
    """
    scores, errors, right = [], [], []
    for true_file, said_file in pairs:
        said = read_labelled(said_file, patches=False)
        true = resampled(read_labelled(true_file, patches=False), said.size[0])
        if true.depth is None or said.depth is None:
            continue
        scores.append(score(network, said, height))
        right.append(score(network, true, height) > scores[-1])
        errors.append(depth_scores(said.depth, true.depth).absrel)
    found = {"told_apart": float(np.mean(right))} if right else {}
    if len(scores) > 2:
        found["rank_correlation"] = _spearman(np.array(scores), -np.array(errors))
    return found


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Correlation of ranks; 0 where all of one are the same. Figures of this kind have hardly any ties."""
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (one, other)]
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
