"""What a step is made of follows from the seed, the step and its part, whatever is broken on the way."""

import numpy as np
import pytest

from core.errors import PanoError
from training.draw import Draw
from training.pool import Pool
from training.quarantine import DELAY, FILE_NAME, Quarantine

FILES = [f"{number}.npz" for number in range(9)]


def read(name):
    if name in ("3.npz", "5.npz"):
        raise PanoError(f"Expected a world, got a broken one: {name}")
    return name


def test_a_draw_is_the_same_each_time_and_another_for_every_step_and_part():
    drawn = {(step, part): Draw(0, step, part).many(FILES, 4, str) for step in range(4) for part in range(2)}
    assert drawn == {key: Draw(0, *key).many(FILES, 4, str) for key in drawn}
    assert len({tuple(names) for names in drawn.values()}) == len(drawn)


def test_no_sample_comes_twice_while_there_are_others():
    for step in range(20):
        assert len(set(Draw(0, step).many(FILES, 9, str))) == 9
    assert len(Draw(0, 0).many(FILES[:2], 5, str)) == 5


def test_a_file_that_cannot_be_read_is_listed_once_and_another_takes_its_place(tmp_path):
    quarantine = Quarantine(tmp_path / FILE_NAME)
    for step in range(30):
        names = Draw(0, step, quarantine=quarantine).many(FILES, 4, read)
        assert len(names) == 4
        assert not {"3.npz", "5.npz"} & set(names)
    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    assert sorted(line.split("\t")[2] for line in lines) == ["3.npz", "5.npz"]
    assert all("got a broken one" in line for line in lines)


@pytest.mark.parametrize("name", ["h\udce4ll.npz", "two\u2028lines.npz"])
def test_a_broken_file_of_any_name_is_left_out_the_next_time_too(tmp_path, name):
    file = tmp_path / FILE_NAME
    Quarantine(file).add_unreadable(name, f"Expected a world, got a broken one: {name}", 3)
    Quarantine(file)
    assert Quarantine(file).reason(name, 4) is not None


def test_whether_a_file_was_found_broken_before_changes_nothing_that_follows():
    """Or a run that is resumed would draw otherwise than one that was not."""

    def turned(name, draw):
        draw.rng.random(3)
        return read(name)

    known = Quarantine()
    for step in range(40):
        fresh, again = Draw(0, step), Draw(0, step, quarantine=known)
        for draw in (fresh, again):
            draw.names = draw.many(FILES, 4, lambda name, draw=draw: turned(name, draw))
        assert fresh.names == again.names
        assert fresh.rng.random() == again.rng.random()
    assert len(known) == 2


def test_nothing_but_broken_files_is_a_sentence():
    with pytest.raises(PanoError, match="50 in a row"):
        Draw(0, 0).one(["3.npz", "5.npz"], read)


def test_what_spoils_a_loss_is_left_out_later_by_every_process_and_listed_by_one(tmp_path):
    first = Quarantine(tmp_path / FILE_NAME)
    second = Quarantine(tmp_path / FILE_NAME, writes=False)
    for quarantine in (first, second):
        quarantine.add_not_finite(["7.npz"], 10)
    assert len((tmp_path / FILE_NAME).read_text().splitlines()) == 1
    for quarantine in (first, second):
        assert quarantine.reason("7.npz", 10 + DELAY - 1) is None
        assert "step 10" in quarantine.reason("7.npz", 10 + DELAY)


def test_a_resumed_run_knows_what_was_in_quarantine_at_its_step(tmp_path):
    file = tmp_path / FILE_NAME
    quarantine = Quarantine(file)
    quarantine.add_unreadable("a", "a sentence\nof two lines", 90)
    for name, step in (("b", 20), ("c", 60)):
        quarantine.add_not_finite([name], step)
    with file.open("a") as stream:
        stream.write("70\tunrea")  # a line that was cut off
    resumed = Quarantine(file, step=50)
    assert [resumed.reason(name, 1000) is not None for name in "abc"] == [True, True, False]
    assert len(file.read_text().splitlines()) == 2


def test_a_step_that_comes_again_draws_from_what_was_known_at_first():
    there = ["a", "b"]
    pool = Pool(lambda: list(there), "folder")
    there += ["c", "0"]
    pool.refresh(200)
    state = pool.state()
    there += ["d"]
    resumed = Pool(lambda: list(there), "folder")
    resumed.restore(state)
    resumed.refresh(200)
    for step, known in ((0, ("a", "b")), (199, ("a", "b")), (200, ("a", "b", "c", "0")), (399, ("a", "b", "c", "0"))):
        assert pool.at(step) == resumed.at(step) == known
    resumed.refresh(400)
    assert resumed.at(400) == ("a", "b", "c", "0", "d")


def test_a_run_that_goes_on_with_another_folder_forgets_the_first():
    state = Pool(lambda: ["a"], "one").state()
    pool = Pool(lambda: ["x", "y"], "two")
    pool.restore(state)
    assert pool.at(5) == ("x", "y")


def test_draws_of_parts_are_independent():
    first, second = (Draw(0, 0, part).rng.random(1000) for part in range(2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
