"""Public data sets are read from tiny folders in their layouts: units, masks, classes and frames are the room's."""

import re
from dataclasses import replace

import layout_makers as makers
import numpy as np
import pytest
from PIL import Image

from core.errors import PanoError
from core.geometry.sphere import angle_between
from core.geometry.warp import resize_erp
from training.datasets import LABELS, check_entries, find_layout
from training.datasets.deep360 import erp_of_cassini
from training.datasets.names import MPCAT40, NYU40, STANFORD
from training.datasets.store import store_entries
from training.labelled import read_labelled
from training.truths import has_truths, read_truths
from training.worlds.sample import write_sample

HEIGHT = 64
UNKNOWN = np.zeros((HEIGHT, 2 * HEIGHT), bool)
UNKNOWN[0, :4] = True

SETS = [
    (makers.stanford2d3d, "stanford2d3d", 512),
    (makers.stanford2d3d_processed, "stanford2d3d", 512),
    (makers.matterport3d, "matterport3d", 1000),
    (makers.matterport3d_stitched, "matterport3d", 4000),
    (makers.structured3d, "structured3d", 1000),
    (makers.deep360_png, "deep360", 650),
]


@pytest.fixture
def room(box_room):
    return box_room(3, HEIGHT)


def read(root, wanted=LABELS, name=None):
    layout, (entry,) = find_layout(root, name)
    return layout, layout.read(entry, [label for label in wanted if label in entry.labels])


@pytest.mark.parametrize(("make", "name", "per_metre"), SETS, ids=[make.__name__ for make, _, _ in SETS])
def test_a_set_is_recognised_and_its_depth_is_in_metres_with_holes(make, name, per_metre, room, tmp_path):
    make(tmp_path, room)
    layout, truth = read(tmp_path)
    assert (layout.name, truth.is_metric) == (name, True)
    assert truth.rgb.shape == room.rgb.shape
    holes = UNKNOWN if truth.far is None else UNKNOWN | truth.far
    assert np.isnan(truth.depth[holes]).all()
    np.testing.assert_allclose(truth.depth[~holes], room.depth[~holes], atol=0.5 / per_metre + 1e-5)


@pytest.mark.parametrize(
    "make", [makers.stanford2d3d, makers.stanford2d3d_processed, makers.matterport3d, makers.structured3d]
)
def test_normals_come_from_any_frame_into_ours_and_face_the_camera(make, room, tmp_path):
    make(tmp_path, room)
    _, truth = read(tmp_path)
    assert np.isnan(truth.normals[UNKNOWN]).all()
    off = np.degrees(angle_between(truth.normals[~UNKNOWN], room.normals[~UNKNOWN]))
    # Eight bits are a third of a degree; a frame that is no exchange of axes is found from the depth's own normals.
    assert off.max() < (1.5 if make is makers.stanford2d3d else 0.4)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (makers.stanford2d3d_processed, None),
        (makers.matterport3d, MPCAT40),
        (makers.structured3d, NYU40),
    ],
)
def test_classes_are_numbered_from_one_and_get_the_names_that_models_use(make, names, room, tmp_path):
    make(tmp_path, room)
    _, truth = read(tmp_path)
    assert names is None or truth.class_names == names
    assert (truth.classes[UNKNOWN] == -1).all()
    wanted = np.array([truth.class_names.index(name) for name in ("wall", "floor", "ceiling")])[room.classes]
    np.testing.assert_array_equal(truth.classes[~UNKNOWN], wanted[~UNKNOWN])


def test_coded_colours_of_stanford_are_classes_and_objects(room, tmp_path):
    makers.stanford2d3d(tmp_path, room)
    _, truth = read(tmp_path)
    assert truth.class_names == STANFORD
    wanted = np.array([STANFORD.index(name) for name in ("wall", "floor", "ceiling")])[room.classes]
    wanted[4:6, 4:8] = STANFORD.index("chair")
    wanted[UNKNOWN] = -1
    np.testing.assert_array_equal(truth.classes, wanted)
    objects = np.zeros_like(UNKNOWN)
    objects[4:6, 4:8] = True
    np.testing.assert_array_equal(truth.instances > 0, objects)


def test_names_of_sets_are_those_of_ade20k_and_stay_apart():
    for names in (STANFORD, NYU40, MPCAT40):
        assert len(set(names)) == len(names)
    assert {"windowpane", "painting", "bookcase"} <= set(NYU40)
    assert (len(STANFORD), len(NYU40), len(MPCAT40)) == (13, 40, 40)


def test_cassini_pictures_come_onto_the_grid_where_they_belong(room, tmp_path):
    makers.deep360(tmp_path, room)
    _, truth = read(tmp_path)
    assert truth.rgb.shape == room.rgb.shape
    near = ~truth.far
    assert 0 < truth.far.mean() < 0.1
    # Two projections sampled at their nearest pixels: a wall's range changes by less than this from one to the next.
    off = np.abs(truth.depth[near] - room.depth[near]) / room.depth[near]
    assert np.median(off) < 0.02
    assert np.quantile(off, 0.99) < 0.25


def test_a_direction_of_a_cassini_picture_is_the_same_direction_of_the_panorama():
    cassini = np.zeros((64, 32), np.float32)
    cassini[31:33, 15:17] = 1  # forward
    cassini[:, 28:] = 2  # right: the axis
    cassini[46:50, 14:18] = 3  # a quarter turn on: down
    erp = erp_of_cassini(cassini, nearest=True)
    assert erp.shape == (32, 64)
    assert erp[15, 31] == erp[16, 32] == 1
    assert erp[16, 48] == 2
    assert erp[16, 16] == 0
    assert (erp[31] == 3).all()


def test_ranges_beyond_what_a_set_tells_are_far(room, tmp_path):
    makers.deep360_png(tmp_path, room)
    _, truth = read(tmp_path)
    assert truth.far[0, 4:8].all()
    assert truth.far.sum() == 4


def test_objects_of_a_frame_are_told_apart_by_colour_also_across_the_seam(room, tmp_path):
    makers.instances(tmp_path, room)
    layout, truth = read(tmp_path)
    assert layout.name == "instances"
    assert np.unique(truth.instances).tolist() == [0, 1, 2]
    assert truth.instances[6, 0] == truth.instances[6, -1] != truth.instances[6, 5] > 0


def test_the_set_its_part_and_what_holds_it_are_the_same(room, tmp_path):
    makers.structured3d(tmp_path / "data" / "Structured3D", room)
    depths = [
        read(where)[1].depth
        for where in (tmp_path / "data", tmp_path / "data/Structured3D", tmp_path / "data/Structured3D/scene_03000")
    ]
    np.testing.assert_array_equal(depths[0], depths[1])
    np.testing.assert_array_equal(depths[0], depths[2])


def test_evaluation_reads_public_sets_worlds_and_pictures_alike(room, tmp_path):
    makers.matterport3d(tmp_path / "mp", room)
    (tmp_path / "worlds").mkdir()
    write_sample(room, tmp_path / "worlds" / "00000003.npz")
    for folder in (tmp_path / "mp", tmp_path / "worlds"):
        assert all(has_truths(folder, task) for task in ("depth", "normals", "classes"))
        (truth,) = read_truths(folder, "depth")
        np.testing.assert_allclose(resize_erp(truth.depth, 16, 32)[4:], resize_erp(room.depth, 16, 32)[4:], rtol=2e-3)
    makers.matterport3d_stitched(tmp_path / "stitched", room)
    assert not has_truths(tmp_path / "stitched", "normals")


def test_a_folder_of_nothing_known_is_told(tmp_path):
    with pytest.raises(PanoError, match="stanford2d3d"):
        find_layout(tmp_path)
    with pytest.raises(PanoError, match="mp3d_results_panoramas"):
        find_layout(tmp_path, "matterport3d")
    with pytest.raises(PanoError, match="kitti"):
        find_layout(tmp_path, "kitti")
    with pytest.raises(PanoError, match="folder"):
        find_layout(tmp_path / "nowhere")


@pytest.mark.parametrize(("make", "name", "_per_metre"), SETS, ids=[make.__name__ for make, _, _ in SETS])
def test_a_sound_set_has_no_bad_file(make, name, _per_metre, room, tmp_path):
    make(tmp_path, room)
    layout, entries = find_layout(tmp_path)
    assert list(check_entries(layout, entries)) == []


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _shrunk(path):
    with Image.open(path) as picture:
        smaller = picture.resize((32, 16), Image.Resampling.NEAREST)
    smaller.save(path)


def _other_picture(path):
    normals = np.random.default_rng(0).integers(0, 255, (HEIGHT, 2 * HEIGHT, 3), np.uint8)
    Image.fromarray(normals).save(path)


@pytest.mark.parametrize(
    ("file", "spoil", "said"),
    [
        ("rgb_rawlight.png", _cut, "damaged|cut|cannot|incomplete"),
        ("rgb_rawlight.png", lambda path: Image.new("RGB", (100, 64), "red").save(path), "twice as wide|2:1"),
        ("rgb_rawlight.png", lambda path: Image.new("RGB", (128, 64), "red").save(path), "one colour"),
        ("depth.png", lambda path: path.unlink(), "got none; fetch"),
        ("depth.png", _cut, "cannot be read"),
        ("depth.png", _shrunk, "128 x 64, got 32 x 16"),
        ("depth.png", lambda path: Image.new("L", (128, 64), 7).save(path), "16 bits"),
        ("depth.png", lambda path: Image.fromarray(np.zeros((64, 128), np.uint16)).save(path), "none that is known"),
        ("normal.png", _other_picture, "fit the depth in some frame"),
        ("semantic.png", lambda path: Image.new("L", (128, 64), 41).save(path), "classes 1 to 40"),
        ("semantic.png", lambda path: Image.new("L", (128, 64), 0).save(path), "none that is labelled"),
        ("semantic.png", lambda path: Image.new("RGB", (128, 64)).save(path), "one channel"),
    ],
)
def test_a_bad_file_is_listed_with_the_reason(file, spoil, said, room, tmp_path):
    makers.structured3d(tmp_path, room)
    makers.structured3d(tmp_path / "second", room)
    (path,) = (tmp_path / "scene_03000").rglob(file)
    spoil(path)
    layout, entries = find_layout(tmp_path)
    problems = [problem for problem in check_entries(layout, entries) if problem.path == path]
    assert len(problems) == 1
    assert re.search(said, problems[0].why), problems[0].why
    assert str(path) not in problems[0].why


def test_a_frame_without_its_picture_and_a_resized_map_are_listed(room, tmp_path):
    makers.instances(tmp_path, room)
    masks = tmp_path / "test" / "brothers" / "instances"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 128, 3), np.uint8)).save(masks / "0002.png")
    Image.fromarray(np.zeros((64, 128), np.uint8)).save(masks / "0009.png")
    layout, entries = find_layout(tmp_path)
    problems = {problem.path.name: problem.why for problem in check_entries(layout, entries)}
    assert set(problems) == {"0002.png", "0009.jpg"}
    assert "resized" in problems["0002.png"]


@pytest.mark.parametrize("make", [makers.structured3d, makers.stanford2d3d, makers.deep360_png])
def test_a_set_becomes_labelled_panoramas_once(make, room, tmp_path):
    make(tmp_path / "set", room)
    layout, entries = find_layout(tmp_path / "set")
    assert store_entries(layout, entries, tmp_path / "out", height=32) == (1, [])
    assert store_entries(layout, entries, tmp_path / "out", height=32) == (0, [])
    (file,) = (tmp_path / "out").iterdir()
    labelled = read_labelled(file)
    assert (labelled.size, labelled.is_metric) == ((32, 64), True)
    known = np.isfinite(labelled.depth)
    np.testing.assert_allclose(labelled.depth[known], resize_erp(room.depth, 32, 64, nearest=True)[known], rtol=3e-3)
    if labelled.normals is not None:
        known = np.isfinite(labelled.normals).all(axis=-1)
        assert known.mean() > 0.99
        np.testing.assert_allclose(np.linalg.norm(labelled.normals[known], axis=-1), 1, atol=1e-5)
    (truth,) = read_truths(tmp_path / "out", "depth")
    np.testing.assert_array_equal(truth.depth, labelled.depth)


def test_panoramas_whose_names_differ_by_a_folder_alone_get_files_of_their_own(room, tmp_path):
    names = ("a/b-c", "a-b/c", "A-b/c", "d/e")
    for count in range(len(names)):
        makers.deep360_png(tmp_path / "set" / str(count), room)
    found = [find_layout(tmp_path / "set" / str(count)) for count in range(len(names))]
    layout = found[0][0]
    entries = [replace(entry, name=name) for name, (_, (entry,)) in zip(names, found, strict=True)]
    assert store_entries(layout, entries, tmp_path / "out", height=32) == (4, [])
    assert store_entries(layout, entries, tmp_path / "out", height=32) == (0, [])
    files = sorted((tmp_path / "out").iterdir())
    assert len({path.name.lower() for path in files}) == 4
    assert files[-1].name == "d-e.npz"


def test_a_panorama_that_cannot_be_read_is_told_and_left_out(room, tmp_path):
    makers.deep360_png(tmp_path / "set", room)
    layout, entries = find_layout(tmp_path / "set")
    broken = min((path for path in (tmp_path / "set").rglob("*") if path.is_file()), key=lambda path: path.name)
    broken.write_bytes(broken.read_bytes()[:40])
    written, bad = store_entries(layout, entries, tmp_path / "out", height=32)
    assert (written, len(bad)) == (0, 1)
    assert broken.name in bad[0]


def test_a_folder_holds_panoramas_of_one_height(room, tmp_path):
    makers.deep360_png(tmp_path / "set", room)
    layout, entries = find_layout(tmp_path / "set")
    store_entries(layout, entries, tmp_path / "out", height=32)
    with pytest.raises(PanoError, match="of 16 rows in the folder, got 32"):
        store_entries(layout, entries, tmp_path / "out", height=16)
