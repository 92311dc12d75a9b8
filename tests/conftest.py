"""Settings that all tests share."""

import os
import signal
import tempfile

import pytest
from fixture_rule import broken_limits, measured_lines
from hypothesis import HealthCheck, settings

# The same examples on every machine: a check that passed once does not fail elsewhere by the luck of the draw.
# `pytest --hypothesis-profile=search` looks for new ones.
# A busy machine may draw slowly; that is no fault of what is tested.
settings.register_profile(
    "steady", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("steady")

# A script starts its background jobs with Ctrl+C switched off, which the programs that tests start and interrupt would
# inherit.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What whoever runs the tests has chosen for themselves decides nothing here, nor in the programs that tests start.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="panoviewer-tests-")
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="panoviewer-tests-data-")

PARITY = "parity"


@pytest.fixture
def broken(record_property):
    """Tells which limits are not kept; what was measured stands in a table at the end of the tests."""

    def judge(rows):
        record_property(PARITY, [(name, float(limit), float(measured)) for name, limit, measured in rows])
        return broken_limits(rows)

    return judge


def pytest_terminal_summary(terminalreporter):
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for rows in (value for name, value in report.user_properties if name == PARITY):
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line("\n".join(measured_lines(rows)))
