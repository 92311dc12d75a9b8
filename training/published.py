"""Figures that papers print, for context beside ours. None was measured here, and none by our corrected protocol.

Source: DAP_MTPANO (1.E, 2.E) and SAP_SAM2 (A.8) of the specification, which transcribe them from notes on the papers; a
figure that could not be read there is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table


@dataclass(frozen=True)
class PublishedRow:
    """What a paper prints for one method on one set.

    Attributes:
        task: depth, normals, classes or clicks.
        layout: Name of the set's layout; empty where it has none here.
        benchmark: The set as the paper calls it.
        method: The method.
        scores: By the paper's own names.
        source: The paper whose table it stands in.
    """

    task: str
    layout: str
    benchmark: str
    method: str
    scores: Mapping[str, float]
    source: str


_DAP, _MTPANO, _SAP = "DAP, arXiv:2512.16913", "MTPano, arXiv:2602.05330", "SAP, arXiv:2603.12759"


def _depth(layout: str, benchmark: str, rows: Mapping[str, tuple[float | None, ...]]) -> tuple[PublishedRow, ...]:
    names = ("AbsRel", "RMSE", "delta1")
    return tuple(
        PublishedRow(
            "depth",
            layout,
            benchmark,
            method,
            {name: value for name, value in zip(names, values, strict=True) if value is not None},
            _DAP,
        )
        for method, values in rows.items()
    )


def _multitask(
    layout: str, benchmark: str, rows: Mapping[str, tuple[float, float, float | None, float]]
) -> tuple[PublishedRow, ...]:
    out = []
    for method, (miou, absrel, rmse, mean) in rows.items():
        depth = {"AbsRel": absrel} | ({} if rmse is None else {"RMSE m": rmse})
        parts = {"classes": {"mIoU": miou / 100}, "depth": depth, "normals": {"mean deg": mean}}
        out += [PublishedRow(task, layout, benchmark, method, scores, _MTPANO) for task, scores in parts.items()]
    return tuple(out)


def _clicks(layout: str, benchmark: str, rows: Mapping[str, tuple[float | None, ...]]) -> tuple[PublishedRow, ...]:
    names = [f"{click} {size}" for click in ("1 click", "3 clicks") for size in ("all", "small", "medium", "large")]
    return tuple(
        PublishedRow(
            "clicks",
            layout,
            benchmark,
            method,
            {name: value / 100 for name, value in zip(names, values, strict=True) if value is not None},
            _SAP,
        )
        for method, values in rows.items()
    )


PUBLISHED: tuple[PublishedRow, ...] = (
    *_depth(
        "stanford2d3d",
        "Stanford2D3D",
        {"DAP": (0.0921, 0.3820, 0.9135), "DAC": (0.1366, None, 0.8393), "UniK3D": (0.1795, None, 0.7823)},
    ),
    *_depth(
        "matterport3d",
        "Matterport3D",
        {"DAP": (0.1186, 0.7510, 0.8518), "DAC": (0.1803, None, 0.7203), "UniK3D": (0.2224, None, 0.6634)},
    ),
    *_depth(
        "deep360",
        "Deep360",
        {"DAP": (0.0659, 5.224, 0.9525), "DAC": (0.2611, 8.371, 0.6311), "UniK3D": (0.0885, 6.148, 0.9293)},
    ),
    *_depth(
        "",
        "DAP-Test",
        {"DAP": (0.0781, 6.804, 0.9370), "DAC": (0.3197, 8.799, 0.5193), "UniK3D": (0.2517, 10.56, 0.6086)},
    ),
    *_multitask(
        "structured3d",
        "Structured3D",
        {
            "MTPano": (75.66, 0.0248, 0.0968, 3.850),
            "TaskPrompter": (70.95, 0.0414, 0.1428, 5.962),
            "BridgeNet": (70.13, 0.0418, 0.1492, 5.988),
            "InvPT": (70.02, 0.0421, 0.1515, 5.991),
        },
    ),
    *_multitask(
        "stanford2d3d",
        "Stanford2D3D",
        {
            "MTPano": (69.47, 0.0675, 0.4317, 9.706),
            "TaskPrompter": (57.55, 0.1171, 0.5792, 12.390),
            "BridgeNet": (57.12, 0.1198, 0.5834, 12.840),
        },
    ),
    *_multitask(
        "matterport3d",
        "Matterport3D",
        {
            "MTPano": (39.11, 0.1080, 0.4339, 9.970),
            "InvPT": (27.31, 0.1145, None, 18.072),
            "MultiPanoWise": (25.52, 0.1360, None, 20.739),
        },
    ),
    PublishedRow("depth", "deep360", "Deep360", "MTPano", {"AbsRel": 0.0224, "RMSE m": 3.1707}, _MTPANO),
    *_clicks(
        "instances",
        "PAV-SOD",
        {
            "SAM2-tiny (resized ERP)": (51.6, 46.3, 55.5, 49.1, 82.2, 61.7, 79.6, 88.8),
            "SAM2-tiny + scan, no training": (65.1, 49.6, None, 70.0, 83.0, None, None, None),
            "SAP-tiny": (75.8, 53.9, 76.6, 79.7, 84.8, 68.7, 84.7, 88.4),
            "SAM2-large (resized ERP)": (66.3, 50.7, 71.9, 64.4, 84.3, 65.5, 81.7, 90.5),
            "SAM2-large + scan, no training": (69.0, 58.4, None, 73.8, 84.1, None, None, None),
            "SAP-large": (77.3, 61.1, 76.2, 81.7, 86.1, 71.8, 84.3, 90.6),
        },
    ),
)


def published_rows(task: str, layout: str) -> list[PublishedRow]:
    """What is printed for a task: the rows of the same set, or of all sets where that one has none."""
    of_task = [row for row in PUBLISHED if row.task == task]
    return [row for row in of_task if row.layout == layout] or of_task


def published_table(task: str, layout: str) -> Table | None:
    """Those rows for the terminal, marked as published; None where there are none."""
    rows = published_rows(task, layout)
    if not rows:
        return None
    is_clicks = task == "clicks"
    columns = list(dict.fromkeys(_size(name) if is_clicks else name for row in rows for name in row.scores))
    doubt = "; DAP's RMSE may be a mean absolute error" if task == "depth" else ""
    table = Table(
        title=f"{task}: published figures, not measured here",
        caption=f"By the papers' own protocols on their own sets{doubt}. "
        f"Source: {'; '.join(sorted({row.source for row in rows}))}.",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in ("set", "method", *(["clicks"] if is_clicks else []), *columns, "paper"):
        table.add_column(name, justify="right" if name in columns else "left", overflow="fold")
    for row in rows:
        head, paper = (row.benchmark, row.method), row.source.partition(",")[0]
        if not is_clicks:
            table.add_row(*head, *_cells(row.scores, columns), paper)
            continue
        # A line for each number of clicks: side by side they would be wider than a terminal.
        for clicks in dict.fromkeys(name.split()[0] for name in row.scores):
            scores = {_size(name): score for name, score in row.scores.items() if name.split()[0] == clicks}
            table.add_row(*head, clicks, *_cells(scores, columns), paper)
            head, paper = ("", ""), ""
    return table


def _size(name: str) -> str:
    """Of "3 clicks small" and the like, which objects are meant."""
    return name.rsplit(maxsplit=1)[-1]


def _cells(scores: Mapping[str, float], columns: Sequence[str]) -> list[str]:
    return [f"{scores[name]:.4g}" if name in scores else "" for name in columns]
