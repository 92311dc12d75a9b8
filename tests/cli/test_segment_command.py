"""`panoviewer segment`."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import cv2
import fake_clicks
import numpy as np
import pytest
from commands import ROOT, environment, is_one_sentence, names
from PIL import Image
from pycocotools import mask as coco_mask

import core.models
from core.geometry.sphere import erp_rays, lonlat_to_directions
from core.mask import SphereMask
from core.scene import Box, Click
from panoviewer import cli
from panoviewer.annotation_arguments import segment_parser
from panoviewer.arguments import UsageError

HEIGHT, WIDTH = 128, 256


def disc(lon, lat, radius):
    axis = lonlat_to_directions(math.radians(lon), math.radians(lat))
    return erp_rays(HEIGHT, WIDTH).astype(float) @ axis > math.cos(math.radians(radius))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """The command line inside this process with a network that sees red, on a photograph with two red discs."""
    monkeypatch.setattr(core.models, "SEGMENTERS", (fake_clicks.SPEC,))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_photo(tmp_path / "a.png")
    return lambda *args: cli.main(["segment", *map(str, args)])


def write_photo(path, rows=slice(None)):
    red = disc(178, -10, 25) | disc(-60, 30, 12)
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    rgb[red] = (255, 0, 0)
    Image.fromarray(rgb[rows]).save(path)


def iou(found, expected):
    return SphereMask.pack(np.asarray(found) > 0).iou(SphereMask.pack(expected))


@pytest.mark.parametrize("name", ["a.png", "a.png.pano.json", "panoviewer.project.json"])
def test_neither_the_photograph_nor_annotations_are_written_over(run, tmp_path, capsys, name):
    (tmp_path / "a.png.pano.json").write_text("mine")
    (tmp_path / "panoviewer.project.json").write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run(tmp_path / "a.png", "--click", "-178.5,-9", "-o", tmp_path / name) == 2
    assert is_one_sentence(capsys.readouterr().err)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_click_makes_a_picture_of_the_mask_across_the_seam(run, tmp_path, capsys):
    assert run(tmp_path / "a.png", "--click", "-178.5,-9", "-o", tmp_path / "m.png") == 0
    picture = Image.open(tmp_path / "m.png")
    assert (picture.size, picture.mode) == ((WIDTH, HEIGHT), "L")
    assert set(np.unique(picture).tolist()) == {0, 255}
    assert iou(picture, disc(178, -10, 25)) > 0.93
    assert "pixels" in capsys.readouterr().err


@pytest.mark.parametrize("order", ["zigzag", "raster", "erp"])
def test_every_order_finds_it(run, tmp_path, order):
    options = ["--order", order, "--views", "48", "--policy", "3"]
    assert run(tmp_path / "a.png", "--click=-60,30", *options, "-o", tmp_path / "m.png") == 0
    assert iou(Image.open(tmp_path / "m.png"), disc(-60, 30, 12)) > (0.8 if order == "erp" else 0.9)


def test_coco_and_numpy_hold_the_same_mask(run, tmp_path):
    for suffix in ("png", "json", "npz"):
        prompts = ["--click", "178,-10", "--negative", "0,0", "--label", "door"]
        assert run(tmp_path / "a.png", *prompts, "-o", tmp_path / f"m.{suffix}") == 0
    expected = np.asarray(Image.open(tmp_path / "m.png")) > 0
    content = json.loads((tmp_path / "m.json").read_text())
    (annotation,) = content["annotations"]
    np.testing.assert_array_equal(coco_mask.decode(annotation["segmentation"]) > 0, expected)
    assert content["categories"][0]["name"] == "door"
    assert content["images"][0] == {"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}
    assert annotation["attributes"]["bfov"]["fov_w"] == pytest.approx(50, abs=6)
    with np.load(tmp_path / "m.npz") as archive:
        np.testing.assert_array_equal(archive["mask"], expected)
        np.testing.assert_allclose(archive["clicks"], [[178, -10, 1], [0, 0, 0]])
        assert np.isnan(archive["box"]).all()
        assert archive["solid_angle_sr"] == pytest.approx(SphereMask.pack(expected).solid_angle())
        assert json.loads(str(archive["meta"]))["model"] == "click-s"


def test_clicks_keep_their_order_in_both_spellings():
    args = segment_parser().parse_args(
        ["a.jpg", "--click", "-94.6,-18.8", "--negative=-10,5", "--click=20,-30", "--negative", "-1,-2", "-o", "m.png"]
    )
    degrees = [(-94.6, -18.8, True), (-10, 5, False), (20, -30, True), (-1, -2, False)]
    assert args.clicks == [Click(math.radians(lon), math.radians(lat), positive) for lon, lat, positive in degrees]


def test_a_box_runs_eastwards_and_its_latitudes_come_in_any_order():
    for text in ("170,20,-170,-20", "170,-20,-170,20", "170,-20,190,20"):
        box = segment_parser().parse_args(["a.jpg", "--box", text, "-o", "m.png"]).box
        expected = Box(*np.radians([170, -20, -170, 20]).tolist())
        assert box == Box(*(pytest.approx(getattr(expected, side)) for side in ("west", "south", "east", "north")))
    assert segment_parser().parse_args(["a.jpg", "--box", "-10,-5,10,5", "-o", "m.png"]).box.west < 0


def test_a_box_alone_is_enough(run, tmp_path):
    assert run(tmp_path / "a.png", "--box", "-75,15,-45,45", "-o", tmp_path / "m.png") == 0
    assert iou(Image.open(tmp_path / "m.png"), disc(-60, 30, 12)) > 0.9


def test_parts_that_were_not_clicked_stay_if_asked_and_views_may_be_wider(run, tmp_path):
    near, beside = disc(0, 0, 15), disc(28, 0, 6)
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    rgb[near | beside] = (255, 0, 0)
    Image.fromarray(rgb).save(tmp_path / "b.png")
    for more, expected in (([], near), (["--parts", "all"], near | beside), (["--fov", "97.5"], near)):
        assert run(tmp_path / "b.png", "--click", "0,0", *more, "-o", tmp_path / "m.png") == 0
        assert iou(Image.open(tmp_path / "m.png"), expected) > 0.9


def test_timing_prints_three_lines(run, tmp_path, capsys):
    for clicks in (["--click", "-60,30"], ["--click", "-60,30", "--negative", "0,0"]):
        assert run(tmp_path / "a.png", *clicks, "--timing", "-o", tmp_path / "m.png") == 0
        lines = [line.partition(": ") for line in capsys.readouterr().out.splitlines()]
        assert [what for what, _, _ in lines] == ["first view", "whole sweep", "second click"]
        assert all(0 <= float(seconds.removesuffix(" s")) < 60 for _, _, seconds in lines)
        assert iou(Image.open(tmp_path / "m.png"), disc(-60, 30, 12)) > 0.9


def test_a_folder_that_is_missing_is_made(run, tmp_path):
    assert run(tmp_path / "a.png", "--click", "-60,30", "-o", tmp_path / "new/deep/m.png") == 0
    assert (tmp_path / "new/deep/m.png").is_file()


def test_a_box_across_the_seam_is_the_short_way_across_it(run, tmp_path):
    for box in ("150,-40,-155,20", "150,20,205,-40"):
        assert run(tmp_path / "a.png", "--box", box, "-o", tmp_path / "m.png") == 0
        assert iou(Image.open(tmp_path / "m.png"), disc(178, -10, 25)) > 0.9


@pytest.mark.parametrize("suffix", ["png", "json", "npz"])
@pytest.mark.parametrize("prompt", [["--click", "0,0"], ["--box", "-10,-5,10,5"]])
def test_where_nothing_is_found_nothing_is_written(run, tmp_path, capsys, suffix, prompt):
    target = tmp_path / f"m.{suffix}"
    assert run(tmp_path / "a.png", *prompt, "-o", target) == 1
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "found nothing" in told
    assert "score" not in told
    assert not target.exists()
    target.write_bytes(b"before")
    assert run(tmp_path / "a.png", *prompt, "--timing", "-o", target) == 1
    assert target.read_bytes() == b"before"


def test_a_partial_photograph_gets_a_mask_of_its_own_size_and_refuses_clicks_beyond_it(run, tmp_path, capsys):
    write_photo(tmp_path / "part.png", slice(32, 96))
    args = [tmp_path / "part.png", "--assume", "crop", "-o", tmp_path / "m.png"]
    assert run(*args, "--click", "-60,30") == 0
    assert Image.open(tmp_path / "m.png").size == (WIDTH, 64)
    full = np.zeros((HEIGHT, WIDTH), np.uint8)
    full[32:96] = np.asarray(Image.open(tmp_path / "m.png"))
    assert iou(full, disc(-60, 30, 12)) > 0.9
    capsys.readouterr()
    for flag in ("--click", "--negative"):
        assert run(*args, "--click", "-60,30", flag, "0,80") == 2
        told = capsys.readouterr().err
        assert is_one_sentence(told)
        assert "0,80" in told


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "at least one --click"),
        (["--negative", "1,2"], "at least one --click"),
        (["--click", "10,91"], "latitude from -90 .down. to 90 .up., got 91"),
        (["--click", "-361,0"], "longitude"),
        (["--click", "10"], "LON,LAT"),
        (["--click", "10,x"], "LON,LAT"),
        (["--click", "nan,0"], "LON,LAT"),
        (["--click", "1,2,3"], "LON,LAT"),
        (["--box", "1,2,3"], "LON0,LAT0,LON1,LAT1"),
        (["--box", "1,2,1,4"], "some width"),
        (["--click", "1,2", "--model", "sam-9"], "or file of a model, got sam-9, and no folder"),
        (["--click", "1,2", "--views", "12"], "24, 48"),
        (["--click", "1,2", "--policy", "4"], "1, 2, 3"),
        (["--click", "1,2", "--order", "spiral"], "zigzag"),
        (["--click", "1,2", "--fov", "80"], "90 to 100"),
        (["--click", "1,2", "--fov", "nan"], "an angle"),
        (["--click", "1,2", "--parts", "some"], "clicked"),
        (["--click", "1,2", "-o", "{tmp}/m.jpg"], ".png, .json, .npz"),
        (["--click", "1,2", "-o", "{tmp}/a.png/m.png"], "folder"),
    ],
)
def test_a_prompt_that_makes_no_sense_is_one_sentence(run, tmp_path, capsys, args, said):
    given = [arg.format(tmp=tmp_path) for arg in args]
    output = [] if "-o" in given else ["-o", tmp_path / "m.png"]
    assert run(tmp_path / "a.png", *given, *output) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert all(part in told for part in said.split(".")) or said in told
    assert names(tmp_path) == ["a.png"]


def test_a_picture_that_is_missing_is_one_sentence(run, tmp_path, capsys):
    assert run(tmp_path / "b.png", "--click", "1,2", "-o", tmp_path / "m.png") == 2
    assert is_one_sentence(capsys.readouterr().err)


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process there")
def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path):
    write_photo(tmp_path / "a.png")
    (tmp_path / "m.png").write_bytes(b"old")
    begun = tmp_path / "begun"
    program = [sys.executable, str(ROOT / "tests" / "fake_clicks.py"), "segment", str(tmp_path / "a.png")]
    process = subprocess.Popen(
        [*program, "--click", "178,-10", "-o", str(tmp_path / "m.png")],
        env=environment(FAKE_SECONDS="250", FAKE_BEGUN=str(begun), XDG_CACHE_HOME=str(tmp_path / "cache")),
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    while not begun.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    begun.unlink()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert told.strip() == "panoviewer: Interrupted."
    assert names(tmp_path) == ["a.png", "m.png"]
    assert (tmp_path / "m.png").read_bytes() == b"old"


def test_the_bundled_network_answers_from_the_command_line(tmp_path):
    photo = ROOT / "resources" / "sample.jpg"
    small = tmp_path / "small.jpg"
    assert cv2.imwrite(str(small), cv2.resize(cv2.imread(str(photo)), (1024, 512), interpolation=cv2.INTER_AREA))
    command = [sys.executable, "-m", "panoviewer", "segment", small, "--click", "-94.6,-18.8", "-o", tmp_path / "m.png"]
    done = subprocess.run(
        list(map(str, command)), env=environment(XDG_CACHE_HOME=str(tmp_path / "cache")), cwd=ROOT, check=False,
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    mask = SphereMask.pack(np.asarray(Image.open(tmp_path / "m.png")) > 0)
    assert mask.contains(math.radians(-94.6), math.radians(-18.8))
    assert mask.solid_angle() < math.pi


def test_the_grammar_knows_no_abbreviations():
    with pytest.raises(UsageError):
        segment_parser().parse_args(["a.jpg", "--cl", "1,2", "-o", "m.png"])
