"""`panoviewer export`, `panoviewer import` and clouds of a project."""

import json

import numpy as np
import plyfile
import pytest
from commands import is_one_sentence, names, photo

from core.errors import ModelUnavailable
from core.export.datasets import DATASETS
from core.io.annotation import Annotation
from core.io.images import read_panorama
from core.io.photo_reference import photo_of
from core.io.project_file import ProjectFile, write_project_file
from core.io.scene_file import annotation_path, read_annotation, write_annotation
from core.mask import SphereMask
from core.scene import Label, Segment
from panoviewer import clouding
from panoviewer.arguments import GEOMETRY_NAMES

HEIGHT, WIDTH = 48, 96


def annotated(path):
    """A photograph with two segments, one of them across the seam."""
    photo(path)
    across, over = np.zeros((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), bool)
    across[20:30, [*range(90, WIDTH), *range(8)]] = True
    over[25:40, 4:30] = True
    panorama = read_panorama(path)
    segments = (Segment(1, SphereMask.pack(across), "door"), Segment(2, SphereMask.pack(over)))
    reference = photo_of(path, panorama.height, panorama.width)
    write_annotation(annotation_path(path), Annotation(reference, segments, (Label("door", (1, 2, 3)),)))
    return path


@pytest.fixture
def project(tmp_path):
    annotated(tmp_path / "in" / "a.jpg")
    annotated(tmp_path / "in" / "deep" / "b.jpg")
    write_project_file(tmp_path / "in", ProjectFile((Label("door", (1, 2, 3)),)))
    return tmp_path / "in"


@pytest.mark.parametrize("form", [dataset.name for dataset in DATASETS])
def test_every_format_is_written_and_says_what_it_drops(project, tmp_path, in_process, capsys, form):
    before = names(project)
    assert in_process("export", project, "--to", form, "-o", tmp_path / "out", "--view-size", "32") == 0
    told = capsys.readouterr().err
    assert "2 panoramas, 4 segments" in told
    if form == "yolo":
        assert "Dropped: Cut at the seam: 2 segments." in told
    assert names(tmp_path / "out")
    assert names(project) == before


def test_an_export_inside_a_project_is_skipped_with_a_line_and_refused_among_its_panoramas(
    project, tmp_path, in_process, capsys
):
    command = ["export", project, "--to", "yolo", "-o"]
    for _ in range(2):
        assert in_process(*command, project / "annotations") == 0
        assert "Without annotations" not in capsys.readouterr().err
    assert in_process("predict", project, "-o", tmp_path / "out", "--tasks", "normals") == 0
    told = capsys.readouterr().err
    assert f"Skipped a folder of an export: {project / 'annotations'}\n" in told
    assert "[2/2]" in told
    before = names(project)
    for folder in (project, project / "deep"):
        assert in_process(*command, folder) == 2
        told = capsys.readouterr().err
        assert is_one_sentence(told)
        assert str(folder / "yolo") in told
    assert names(project) == before


def test_one_photograph_and_one_annotation_file_are_projects_too(project, tmp_path, in_process, capsys):
    for name in ("a.jpg", "a.jpg.pano.json"):
        assert in_process("export", project / name, "--to", "coco", "-o", tmp_path / name) == 0
        assert "1 panorama, 2 segments, 1 file" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["coco", "labelme"])
def test_what_was_exported_comes_back(project, tmp_path, in_process, capsys, form):
    before = read_annotation(project / "deep" / "b.jpg.pano.json")
    assert in_process("export", project, "--to", form, "-o", tmp_path / "out") == 0
    file = tmp_path / "out" / "instances.json" if form == "coco" else tmp_path / "out"
    assert in_process("import", file, "--from", form, "-o", tmp_path / "new", "--pictures", project) == 0
    assert "2 panoramas, 4 segments" in capsys.readouterr().err
    copied = next(path for path in (tmp_path / "new").rglob("b.jpg.pano.json"))
    for one, other in zip(before.segments, read_annotation(copied).segments, strict=True):
        assert one.mask.same_as(other.mask)
        assert one.label == other.label
    assert in_process("import", file, "--from", form, "-o", project) == 2
    assert capsys.readouterr().err.count("has annotations already") == 2
    assert in_process("import", file, "--from", form, "-o", project, "--replace") == 0
    assert (project / "a.jpg.pano.json.bak").is_file()


def test_exit_codes_tell_some_from_all(project, tmp_path, in_process, capsys):
    (project / "a.jpg").write_bytes(b"no picture")
    assert in_process("export", project, "--to", "coco", "-o", tmp_path / "out") == 1
    assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("panoviewer: ")]) == 1
    assert in_process("export", project / "a.jpg", "--to", "coco", "-o", tmp_path / "out") == 2


@pytest.mark.parametrize(
    "args",
    [
        ["export", "{tmp}/in", "--to", "voc", "-o", "{tmp}/out"],
        ["export", "{tmp}/in", "-o", "{tmp}/out"],
        ["export", "{tmp}/missing", "--to", "coco", "-o", "{tmp}/out"],
        ["export", "{tmp}/bare", "--to", "coco", "-o", "{tmp}/out"],
        ["export", "{tmp}/in", "--to", "coco", "-o", "{tmp}/out", "--labels", "dor"],
        ["export", "{tmp}/in", "--to", "views", "-o", "{tmp}/out", "--view-size", "3"],
        ["import", "{tmp}/missing.json", "--from", "coco", "-o", "{tmp}/out"],
        ["import", "{tmp}/in", "--from", "coco", "-o", "{tmp}/out"],
        ["import", "{tmp}/in/a.jpg", "--from", "labelme", "-o", "{tmp}/out"],
        ["import", "{tmp}/in/a.jpg", "--from", "voc", "-o", "{tmp}/out"],
        ["cloud", "{tmp}/bare", "-o", "{tmp}/out", "--per-object"],
        ["cloud", "{tmp}/in", "-o", "{tmp}/out", "--per-object", "--format", "glb"],
        ["cloud", "{tmp}/in", "-o", "{tmp}/cloud.ply"],
        ["cloud", "{tmp}/in/a.jpg.pano.json", "-o", "{tmp}/cloud.usd"],
    ],
)
def test_what_cannot_be_is_one_sentence(project, tmp_path, in_process, capsys, args):
    photo(tmp_path / "bare" / "c.jpg")
    assert in_process(*(arg.format(tmp=tmp_path) for arg in args)) == 2
    assert is_one_sentence(capsys.readouterr().err)
    assert not list(tmp_path.glob("out/*"))


def instances(path):
    return plyfile.PlyData.read(path)["vertex"]["instance"]


def test_the_points_of_a_project_bear_the_numbers_of_segments(project, tmp_path, in_process):
    assert in_process("cloud", project, "-o", tmp_path / "clouds", "--keep-edges") == 0
    assert names(tmp_path / "clouds") == ["a.jpg.ply", "deep/b.jpg.ply"]
    found = instances(tmp_path / "clouds" / "a.jpg.ply")
    segments = read_annotation(project / "a.jpg.pano.json").segments
    assert np.count_nonzero(found == 2) == segments[1].mask.count
    assert np.count_nonzero(found == 1) == (segments[0].mask - segments[1].mask).count
    assert in_process("cloud", project / "a.jpg.pano.json", "-o", tmp_path / "one.npz", "--keep-edges") == 0
    with np.load(tmp_path / "one.npz") as archive:
        np.testing.assert_array_equal(np.maximum(archive["segment_ids"], 0), found)
        assert json.loads(str(archive["meta"]))["segment_names"] == {"1": "door", "2": ""}


def test_each_segment_gets_a_file_of_its_own(project, tmp_path, in_process):
    assert in_process("cloud", project, "--per-object", "-o", tmp_path / "clouds", "--keep-edges") == 0
    assert names(tmp_path / "clouds") == [
        "a.jpg.0001_door.ply",
        "a.jpg.0002_unlabelled.ply",
        "deep/b.jpg.0001_door.ply",
        "deep/b.jpg.0002_unlabelled.ply",
    ]
    segments = read_annotation(project / "a.jpg.pano.json").segments
    for segment, name in zip(segments, names(tmp_path / "clouds"), strict=False):
        assert len(instances(tmp_path / "clouds" / name)) == segment.mask.count
    assert in_process("cloud", project / "a.jpg", "--per-object", "-o", tmp_path / "x.ply", "--frame", "ros") == 0
    assert [path.name for path in tmp_path.glob("x*")]
    assert not (tmp_path / "x.ply").exists()


@pytest.mark.parametrize("suffix", [name for name in GEOMETRY_NAMES if name not in ("ply", "glb", "obj")])
def test_objects_and_panoramas_of_a_project_come_in_every_format_of_points(project, tmp_path, in_process, suffix):
    assert in_process("cloud", project / "a.jpg", "--per-object", "-o", tmp_path / "x", "--format", suffix) == 0
    objects = [name for name in names(tmp_path / "x") if name.endswith(f".{suffix}")]
    assert len(objects) > 1
    assert in_process("cloud", project, "-o", tmp_path / "all", "--format", suffix) == 0
    assert {f"a.jpg.{suffix}", f"deep/b.jpg.{suffix}"} <= set(names(tmp_path / "all"))


def test_a_fault_in_one_panorama_does_not_stop_the_clouds_of_the_rest(
    project, tmp_path, in_process, capsys, monkeypatch
):
    real, seen = clouding.read_panorama, []

    def read(path, **options):
        seen.append(path)
        if len(seen) == 1:
            raise MemoryError
        return real(path, **options)

    monkeypatch.setattr(clouding, "read_panorama", read)
    assert in_process("cloud", project, "-o", tmp_path / "clouds") == 1
    assert "not enough memory" in capsys.readouterr().err
    assert names(tmp_path / "clouds") == ["deep/b.jpg.ply"]


def test_without_a_model_one_sentence_says_so_however_many_panoramas_there_are(
    project, tmp_path, in_process, capsys, monkeypatch
):
    def refuse(_name, *, device, **_choices):
        raise ModelUnavailable(f"Device {device} cannot be used; choose cpu.")

    monkeypatch.setattr(clouding, "load_model", refuse)
    assert in_process("cloud", project, "-o", tmp_path / "clouds") == 2
    assert capsys.readouterr().err.count("cannot be used") == 1


def test_a_photograph_alone_gives_the_same_cloud_whether_it_is_annotated_or_not(project, tmp_path, in_process):
    assert in_process("cloud", project / "a.jpg", "-o", tmp_path / "a.ply") == 0
    (project / "a.jpg.pano.json").unlink()
    assert in_process("cloud", project / "a.jpg", "-o", tmp_path / "b.ply") == 0
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()


def test_a_folder_instead_of_a_file_to_import_is_called_a_folder(project, tmp_path, in_process, capsys):
    assert in_process("import", project, "--from", "coco", "-o", tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "Expected a COCO file, got a folder" in told
    assert "MiB" not in told


def test_an_import_that_is_refused_does_not_end_like_one_that_took_nothing(project, tmp_path, in_process, capsys):
    assert in_process("export", project, "--to", "coco", "-o", tmp_path / "coco") == 0
    file = next((tmp_path / "coco").rglob("*.json"))
    for name in ("a.jpg", "deep/b.jpg"):
        photo(tmp_path / "into" / name)
    command = ("import", file, "--from", "coco", "-o", tmp_path / "into")
    assert in_process(*command, "--pictures", project) == 0
    assert "2 panoramas, 4 segments" in capsys.readouterr().err
    assert in_process(*command) == 2, "annotated already"
    told = capsys.readouterr().err
    assert "--replace" in told
    assert "0 panoramas" not in told
