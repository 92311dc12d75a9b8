"""Box rooms with a known range for every ray, as worlds on disk; the command line of training."""

import sys

import pytest
from box_rooms import box_room_sample

from training.worlds.sample import write_sample


@pytest.fixture(scope="session")
def box_worlds(tmp_path_factory):
    """A folder of twelve box rooms, 32 rows high."""
    folder = tmp_path_factory.mktemp("worlds")
    for seed in range(12):
        write_sample(box_room_sample(seed, 32), folder / f"{seed:08d}.npz")
    return folder


@pytest.fixture
def box_room():
    """Makes an empty room from a seed and a height."""
    return box_room_sample


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process; gives the exit code and what was told."""

    from training.__main__ import main

    def work(*args):
        monkeypatch.setattr(sys, "argv", ["panoviewer-train", *map(str, args)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return work
