"""Box rooms with a known range for every ray, as worlds on disk."""

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
