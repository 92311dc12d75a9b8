"""What was exported into a project is no panorama of it, and no panorama is lost among what was exported."""

import json

import pytest
from annotated_samples import sample_project, write_picture

from core.errors import ExportError
from core.export.annotated import DatasetOptions
from core.export.datasets import DATASETS, export_project
from core.io.folder import EXPORT_MARKER, list_panoramas
from core.io.project import read_project

OPTIONS = DatasetOptions(view_size=32)
WITH_PICTURES = [dataset.name for dataset in DATASETS if dataset.has_pictures]


def photos(folder):
    return [entry.photo for entry in read_project(folder).entries]


@pytest.mark.parametrize("form", [dataset.name for dataset in DATASETS])
def test_an_export_into_a_folder_of_the_project_adds_no_panoramas(tmp_path, form):
    project = sample_project(tmp_path)
    before = photos(tmp_path)
    reports = [export_project(project, form, tmp_path / "annotations", OPTIONS) for _ in range(2)]
    assert photos(tmp_path) == before
    assert reports[0] == reports[1]
    assert list(list_panoramas(tmp_path).panoramas) == before


@pytest.mark.parametrize("form", WITH_PICTURES)
def test_the_mark_is_json_with_format_and_version_and_stays_as_it_is(tmp_path, form):
    project = sample_project(tmp_path / "in")
    export_project(project, form, tmp_path / "out", OPTIONS)
    mark = tmp_path / "out" / EXPORT_MARKER
    content = json.loads(mark.read_text())
    assert (content["format"], content["version"]) == ("panoviewer-export", 1)
    mark.write_text("mine")
    export_project(project, form, tmp_path / "out", OPTIONS)
    assert mark.read_text() == "mine"


@pytest.mark.parametrize("form", WITH_PICTURES)
@pytest.mark.parametrize("place", [".", "deep", "../other", "..", "links"])
def test_pictures_are_not_exported_among_panoramas(tmp_path, form, place):
    root = tmp_path / "in"
    write_picture(root / "deep" / "deeper" / "x.jpg")
    write_picture(tmp_path / "other" / "y.jpg")
    sample_project(root)
    (root / "links").symlink_to(root / "deep")
    project = read_project(root)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ExportError, match=f"holds panoramas; choose a new one inside it.*{form}$") as refused:
        export_project(project, form, root / place, OPTIONS)
    assert "\n" not in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("form", [dataset.name for dataset in DATASETS if not dataset.has_pictures])
def test_what_has_no_pictures_may_lie_beside_panoramas(tmp_path, form):
    project = sample_project(tmp_path)
    before = photos(tmp_path)
    export_project(project, form, tmp_path, OPTIONS)
    assert photos(tmp_path) == before
    assert not (tmp_path / EXPORT_MARKER).exists()


def test_a_cancelled_export_is_marked_before_its_first_picture(tmp_path):
    project = sample_project(tmp_path)

    def stop(done, _total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_project(project, "yolo", tmp_path / "out", OPTIONS, progress=stop)
    assert list(list_panoramas(tmp_path).exports) == [tmp_path / "out"]


def test_ordinary_pictures_are_not_missed_among_the_annotated_ones(tmp_path):
    project = sample_project(tmp_path / "in")
    write_picture(tmp_path / "in" / "figure.png", 64, 100)
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    project = read_project(tmp_path / "in")
    report = export_project(project, "coco", tmp_path / "out", OPTIONS)
    assert "Without annotations and left out: 2 panoramas." in report.dropped
