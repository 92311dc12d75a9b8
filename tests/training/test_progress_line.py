"""What a run tells while it goes on."""

import io

import pytest
from rich.console import Console

from training.progress_line import Pace, ProgressLine, duration


def test_the_time_left_follows_the_steps_of_late():
    pace = Pace(1000)
    assert pace.left(20, 0.0) is None
    assert pace.left(40, 10.0) == pytest.approx(480.0)
    for number in range(60):
        left = pace.left(60 + number, 20.0 + number)
    assert left == pytest.approx(1000 - 119)


@pytest.mark.parametrize(("seconds", "said"), [(12.4, "12 s"), (240, "4 min"), (7380, "2 h 03 min")])
def test_durations_are_said_as_one_does(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize("is_terminal", [True, False])
def test_rows_are_told_on_terminals_and_in_files(is_terminal):
    stream = io.StringIO()
    with ProgressLine(Console(file=stream, force_terminal=is_terminal, width=100), 100) as report:
        for step in (20, 40):
            report({"step": step, "loss": 1.5, "norm": 2.0})
        report({"step": 40, "absrel": 0.25})
    told = stream.getvalue()
    assert "absrel 0.25" in told
    assert "1.5" in told
    assert "left" in told
    assert ("norm 2" in told) != is_terminal
