"""`panoviewer bench`."""

import json
import math
import os
import subprocess
import sys

import fake_clicks
import numpy as np
import pytest
import torch
from commands import ROOT, environment

import core.models
from core.cloud import PointCloud
from core.export import export
from core.geometry.camera import Camera
from core.geometry.merge import merge_tiles
from core.geometry.normals import normals_from_depth
from core.geometry.points import points_from_depth
from core.geometry.tiling import zigzag_tiles
from core.geometry.warp import erp_to_camera
from core.models import graph_runner
from core.panorama import Panorama
from panoviewer import __main__, cli
from panoviewer.arguments import UsageError, bench_parser
from panoviewer.benches import geometry, growth, measuring, opening, other_ways, pictures, segment
from panoviewer.benches.groups import GROUPS, Group
from panoviewer.benches.machine import busy_note
from panoviewer.benches.report import table
from panoviewer.benches.rows import Plan, Row, Unit, at_most, faster_at_least, sample_of, times_at_most


def red_below(width):
    """What is clicked on lies below the horizon."""
    rgb = np.full((width // 2, width, 3), 90, np.uint8)
    rgb[width // 4 :] = (255, 0, 0)
    return Panorama(rgb=rgb)


@pytest.fixture
def bench(monkeypatch, capsys):
    """The command in this process with a network that sees red; the processes that it starts have it, too."""
    monkeypatch.setattr(core.models, "SEGMENTERS", (fake_clicks.SPEC,))
    monkeypatch.setattr(measuring, "PROGRAM", (sys.executable, str(ROOT / "tests" / "fake_clicks.py")))
    monkeypatch.setattr(segment, "sample_panorama", red_below)
    monkeypatch.setattr(segment, "SEGMENTS", 3)
    monkeypatch.setattr(segment, "THREADS", (1,))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*args):
        assert cli.main(["bench", "--width", "256", "--repeats", "1", *args]) == 0
        return capsys.readouterr()

    return run


@pytest.mark.slow
def test_json_holds_every_row_of_the_clicks_and_says_where_it_was_measured(bench):
    told = json.loads(bench("segment", "--json").out)
    assert {"date", "cpu", "cores", "load", "packages", "python"} <= set(told["machine"])
    assert told["busy"]
    (group,) = told["groups"]
    assert group["name"] == "segment"
    rows = {(row["task"], row["threads"]): row for row in group["rows"]}
    assert len(rows) == len(group["rows"])
    for threads in segment.THREADS:
        for name, _ in (segment.SMALL, segment.LARGE):
            for task in (f"{name}: first mask", f"{name}: refined mask", f"panoviewer segment, {name}"):
                assert rows[task, threads]["found"]["value"] > 0
    assert all(row["size"] == "256 x 128" for (task, _), row in rows.items() if "segments" not in task)
    assert all(row["goal"] is None and row["met"] is None for row in rows.values()), "goals are about 4096 x 2048"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_real_command_measures_everything_on_a_small_panorama():
    command = [sys.executable, "-m", "panoviewer", "bench", "--json", "--width", "512", "--repeats", "1"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [group["name"] for group in told["groups"]] == [group.name for group in GROUPS if not group.on_request]
    for group in told["groups"]:
        assert all(row["found"] is not None for row in group["rows"])
        assert all(row["size"] and row["threads"] in (1, 2) for row in group["rows"])


def test_the_table_for_people_has_a_head_and_the_rows(bench, monkeypatch):
    def measure(plan, tell):
        tell(f"something on {plan.size}")
        yield Row("something", plan.size, 1, Unit.SECONDS, sample_of([0.5]))

    monkeypatch.setattr(Group, "load", lambda group: measure)
    told = bench("segment")
    assert "Goals are about panoramas 4096 wide" in told.out
    assert "Load " in told.out
    assert "| something | 256 x 128 |" in told.out
    assert "measuring something on 256 x 128" in told.err


def test_groups_widths_and_repeats_that_make_no_sense_are_refused():
    for wrong in (["nonsense"], ["--width", "257"], ["--width", "99999"], ["--repeats", "0"]):
        with pytest.raises(UsageError, match="panoviewer bench --help"):
            bench_parser().parse_args(wrong)
    assert bench_parser().parse_args([]).groups == []


def test_every_group_can_be_loaded_and_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        cli.main(["bench", "--help"])
    told = capsys.readouterr().out
    for group in GROUPS:
        assert callable(group.load())
        assert group.name in told


@pytest.mark.parametrize(
    ("found", "beside", "goal", "met"),
    [
        (1.0, None, at_most(1.0), True),
        (1.1, None, at_most(1.0), False),
        (3.0, 2.0, times_at_most(1.5), True),
        (3.1, 2.0, times_at_most(1.5), False),
        (1.0, 30.0, faster_at_least(30), True),
        (1.0, 29.0, faster_at_least(30), False),
        (1.0, None, faster_at_least(30), None),
        (1.0, None, None, None),
    ],
)
def test_a_goal_is_held_against_what_it_is_about(found, beside, goal, met):
    other = None if beside is None else sample_of([beside])
    row = Row("x", "8 x 4", 1, Unit.SECONDS, sample_of([found]), "other", other, goal)
    assert row.is_met is met
    assert row.facts()["met"] is met


def test_what_a_busy_machine_delays_is_told_from_what_is_slow():
    delayed = Row("delayed", "", 1, Unit.SECONDS, sample_of([3.0], [0.5]), goal=at_most(1.0))
    slow = Row("slow", "", 1, Unit.SECONDS, sample_of([3.0], [2.5]), goal=at_most(1.0))
    lines = table([delayed, slow]).splitlines()
    assert lines[2].rstrip(" |").endswith("when quiet")
    assert lines[3].rstrip(" |").endswith("NO")


def test_the_median_and_the_range_are_kept():
    found = sample_of([5.0, 1.0, 2.0], [3.0, 1.0, 2.0])
    assert (found.value, found.low, found.high, found.count, found.core) == (2.0, 1.0, 5.0, 3, 2.0)
    for wrong in ([], [float("nan")]):
        with pytest.raises(ValueError, match="measured values"):
            sample_of(wrong)


def test_notes_that_several_rows_share_stand_once_below_the_table():
    rows = [Row(task, "", 1, Unit.SECONDS, None, note="Because.") for task in "ab"]
    told = table(rows)
    assert told.count("Because.") == 1
    assert "| a (1)" in told
    assert "| b (1)" in told


def test_a_busy_machine_is_said_to_be_one():
    assert "others were at work" in busy_note(1.5, 2.0, 2)
    assert "hardly anything" in busy_note(0.1, 2.0, 2)
    assert "does not tell" in busy_note(None, None, 2)


def test_goals_are_about_one_size_only():
    row = Row("x", "", 1, Unit.SECONDS, None, goal=at_most(1))
    assert Plan().judged(row).goal is not None
    assert Plan(width=512).judged(row).goal is None


def test_work_is_done_once_more_than_it_is_measured():
    done = []
    first, second = measuring.side_by_side([lambda: done.append("a"), lambda: done.append("b")], 3)
    assert "".join(done) == "ab" * 4
    assert first.count == second.count == 3


def test_memory_is_told_where_the_system_tells_it():
    held = measuring.held_bytes(lambda: None)
    peak = measuring.peak_bytes(lambda: bytearray(64 << 20))
    if sys.platform == "linux":
        assert held is not None
    assert peak is None or peak > 48 << 20


def test_a_process_that_fails_is_reported_with_its_own_words(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with pytest.raises(UsageError, match=r"failed with exit code 2: panoviewer: .*missing"):
        measuring.run_program(["info", str(tmp_path / "missing.jpg")], {})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a caller held")
def test_the_memory_of_a_program_is_its_own_whatever_its_caller_holds(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    held = np.ones(64 << 20)
    call = measuring.run_program(["--version"], {})
    assert held.nbytes == 512 << 20
    assert call.peak is not None
    assert 5 << 20 < call.peak < 256 << 20
    assert call.core is not None
    assert call.core > 0


def test_threads_that_wait_leave_their_core_to_others_unless_the_user_says_otherwise(monkeypatch):
    seen = []
    monkeypatch.setattr(cli, "main", lambda: seen.append(os.environ["OMP_WAIT_POLICY"]) or 0)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert __main__.main() == 0
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert __main__.main() == 0
    assert seen == ["ACTIVE", "PASSIVE"]


def test_growth_is_held_against_the_size_before(monkeypatch):
    monkeypatch.setattr(growth, "_tasks", lambda width, folder: iter([growth._Task("grows", lambda: None)]))
    monkeypatch.setattr(growth, "seconds", lambda work, repeats: sample_of([2.0], [1.0]))
    monkeypatch.setattr(growth, "peak_bytes", lambda work: None)
    rows = list(growth.measure(Plan(width=256, repeats=1), lambda what: None))
    assert [row.size for row in rows] == ["128 x 64", "256 x 128", "512 x 256", "1024 x 512"]
    assert [row.ratio for row in rows] == [None, 0.25, 0.25, 0.25]


def test_a_size_that_does_not_fit_into_the_memory_says_so(monkeypatch):
    monkeypatch.setattr(growth, "default_memory_budget", lambda: 0)
    rows = list(growth.measure(Plan(width=256, repeats=1), lambda what: None))
    assert all(row.found is None and "of memory" in row.note for row in rows)


@pytest.mark.slow
def test_rows_of_geometry_growth_and_opening_are_measured(bench):
    pytest.importorskip("py360convert")
    told = json.loads(bench("geometry", "growth", "opening", "--json").out)
    geometry_rows, growth_rows, opening_rows = (group["rows"] for group in told["groups"])
    assert len(geometry_rows) == 9
    # What is as small as here may find room in memory that was there before.
    times = [row for row in [*geometry_rows, *growth_rows, *opening_rows] if row["unit"] != "bytes"]
    assert all(row["found"]["value"] > 0 for row in times)
    assert all(row["ratio"] > 0 for row in geometry_rows if row["other"])
    assert {row["size"] for row in growth_rows} == {"128 x 64", "256 x 128", "512 x 256", "1024 x 512"}
    assert {row["task"].partition(":")[0] for row in opening_rows} == {kind.name for kind in opening.FORMATS}


def test_the_other_ways_do_the_same():
    """Half a pixel or a wrong sign would make the comparison worthless."""
    panorama = pictures.sample_panorama(256)
    camera = Camera(yaw=0.3, pitch=0.2, roll=0.0, fov_x=math.pi / 2, height=64, width=64)
    ours = erp_to_camera(panorama.rgb, camera).astype(int)
    bare = other_ways.bare_remap(camera, 128, 256)(panorama.rgb).astype(int)
    assert np.abs(ours - bare).max() <= 2
    depth = pictures.room_depth(128, 256)
    np.testing.assert_allclose(other_ways.points_by_pixel(depth), points_from_depth(depth), atol=1e-4)
    numpys, normals = other_ways.normals_in_numpy(depth), normals_from_depth(depth)
    near = np.abs((numpys * normals).sum(axis=-1))[20:-20]
    assert np.median(near) > 0.99
    assert (np.sign((numpys * normals).sum(axis=-1))[20:-20] > 0).mean() > 0.99
    cameras = zigzag_tiles(64, yaw_step=geometry.YAW_STEP)
    tiles = [erp_to_camera(depth, camera) for camera in cameras]
    merged = merge_tiles(tiles, cameras, 128, 256)
    for other in (other_ways.cached_merge(cameras, 128, 256)(tiles), other_ways.naive_merge(tiles, cameras, 128, 256)):
        np.testing.assert_allclose(other, merged, rtol=1e-3)


def test_a_cloud_is_read_back_as_it_was_written(tmp_path):
    points = np.arange(12, dtype=np.float32).reshape(4, 3)
    cloud = PointCloud(points, np.arange(12, dtype=np.uint8).reshape(4, 3))
    export(cloud, tmp_path / "a.ply", frame="opencv")
    rows = other_ways.read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(np.stack([rows["x"], rows["y"], rows["z"]], axis=-1), points)
    np.testing.assert_array_equal(rows["green"], cloud.colors[:, 1])


@pytest.mark.parametrize("before", [None, "7"])
def test_what_is_measured_on_some_threads_runs_on_as_many_whatever_computes(monkeypatch, before):
    if before is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", before)
    usual = torch.get_num_threads(), graph_runner.threads()
    for count in (1, 3):
        with measuring.threads(count):
            assert (torch.get_num_threads(), graph_runner.threads()) == (count, count)
    assert (torch.get_num_threads(), graph_runner.threads()) == usual
    assert os.environ.get("OMP_NUM_THREADS") == before
