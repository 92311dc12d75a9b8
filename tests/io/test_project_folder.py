"""Listing a folder of annotated photographs, and finding them again."""

from dataclasses import replace

import pytest
from project_samples import open_photo, some_scene, state, write_photo

from core.errors import ProjectError
from core.io.annotation import Annotation
from core.io.photo_reference import photo_of
from core.io.project import (
    State,
    adopt,
    find_photo,
    read_project,
)
from core.io.scene_file import (
    annotation_path,
    open_scene,
    read_annotation,
    write_annotation,
)
from core.scene import Review


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_is_listed_with_states_without_its_masks(tmp_path, monkeypatch):
    for name in ("a.png", "b.png", "sub/c.png", "d.png"):
        open_photo(tmp_path, name, seed=ord(name[0]))
    for name, count, review in (("b.png", 2, Review.OPEN), ("sub/c.png", 1, Review.ACCEPTED)):
        panorama = open_photo(tmp_path, name, seed=ord(name[0]))
        open_scene(panorama).save(replace(some_scene(panorama, count), review=review))
    panorama = open_photo(tmp_path, "d.png", seed=ord("d"))
    open_scene(panorama).record("Add", some_scene(panorama))
    monkeypatch.setattr("core.io.annotation.read_segments", None)
    project = read_project(tmp_path)
    assert [str(entry.photo.relative_to(tmp_path)) for entry in project.entries] == [
        "a.png", "b.png", "d.png", "sub/c.png"
    ]  # fmt: skip
    assert [entry.state for entry in project.entries] == ["unannotated", "annotated", "unannotated", "reviewed"]
    assert project.states == {State.UNANNOTATED: 2, State.ANNOTATED: 1, State.REVIEWED: 1}
    assert [entry.is_unsaved for entry in project.entries] == [False, False, True, False]
    assert project.entries[1].outline.segments == {"door": 2}
    assert project.entries[1].outline.reviews == {Review.ACCEPTED: 2}
    assert not any(entry.problem for entry in project.entries)


def test_a_project_of_one_file_is_read_from_the_photograph_and_from_the_annotation_file(tmp_path):
    panorama = open_photo(tmp_path)
    open_photo(tmp_path, "other.png", 1)
    open_scene(panorama).save(some_scene(panorama))
    for path in (panorama.path, annotation_path(panorama.path)):
        project = read_project(path)
        assert [(entry.photo, entry.annotation) for entry in project.entries] == [
            (panorama.path, annotation_path(panorama.path))
        ]
        assert state(project.annotation(project.entries[0])) == state(some_scene(panorama))
    (single,) = read_project(tmp_path / "other.png").entries
    assert (single.state, read_project(tmp_path / "other.png").annotation(single)) == (State.UNANNOTATED, None)


@pytest.mark.parametrize("name", ["missing", "missing.png", "missing.pano.json", "notes.txt"])
def test_what_is_no_project_gets_a_sentence(name, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ProjectError, match="found none") as caught:
        read_project(tmp_path / name)
    assert str(caught.value).endswith(name)


def test_a_photograph_of_a_name_that_no_file_can_have_is_missing(tmp_path):
    panorama = open_photo(tmp_path)
    annotation = Annotation.of(some_scene(panorama), photo_of(panorama.path, 16, 32))
    foreign = replace(annotation.photo, path="x" * 300 + ".png", sha256="0" * 64)
    path = tmp_path / "gone.png.pano.json"
    write_annotation(path, replace(annotation, photo=foreign))
    (entry,) = [entry for entry in read_project(tmp_path).entries if entry.annotation == path]
    assert (entry.photo, entry.is_moved) == (None, False)
    assert "is missing" in entry.problem
    with pytest.raises(ProjectError, match="is missing"):
        find_photo(path, foreign)


def test_a_name_too_long_for_an_annotation_file_is_a_sentence(tmp_path):
    panorama = open_photo(tmp_path, "x" * 246 + ".png")
    (entry,) = read_project(tmp_path).entries
    assert (entry.state, entry.problem) == (State.UNANNOTATED, "")
    with pytest.raises(ProjectError, match="too long"):
        open_scene(panorama)


def test_one_damaged_file_does_not_hide_the_others(tmp_path):
    for name in ("a.png", "b.png"):
        panorama = open_photo(tmp_path, name)
        open_scene(panorama).save(some_scene(panorama))
    (tmp_path / "a.png.pano.json").write_bytes(b"{")
    first, second = read_project(tmp_path).entries
    assert "JSON" in first.problem
    assert (first.state, second.state, second.problem) == (State.UNANNOTATED, State.REVIEWED, "")


def test_a_renamed_photograph_is_found_by_its_content_and_its_annotations_follow(tmp_path):
    panorama = open_photo(tmp_path, "hall.png")
    write_photo(tmp_path, "other.png", seed=5)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    file.save(some_scene(panorama, 2))
    file.record("Add", some_scene(panorama, 3))
    file.close()
    moved = tmp_path / "sub" / "kitchen.png"
    moved.parent.mkdir()
    panorama.path.rename(moved)

    found, note = find_photo(file.path, read_annotation(file.path).photo, tmp_path)
    assert (found, "another name" in note) == (moved, True)
    entries = read_project(tmp_path).entries
    assert [entry.photo.name for entry in entries] == ["other.png", "kitchen.png"]
    entry = entries[1]
    assert (entry.is_moved, entry.problem, entry.annotation) == (True, "", file.path)
    adopted = adopt(entry)
    assert adopted.annotation == annotation_path(moved)
    assert names(tmp_path) == [
        "other.png", "sub/.kitchen.png.pano.journal", "sub/kitchen.png", "sub/kitchen.png.pano.json",
        "sub/kitchen.png.pano.json.bak",
    ]  # fmt: skip
    again = open_scene(replace(panorama, path=moved))
    assert state(again.scene) == state(some_scene(panorama, 2))
    assert state(again.accept_recovery()) == state(some_scene(panorama, 3))
    with pytest.raises(ProjectError, match="nothing is to be done"):
        adopt(adopted)


def test_annotations_are_never_moved_over_others(tmp_path):
    panorama = open_photo(tmp_path)
    open_scene(panorama).save(some_scene(panorama))
    panorama.path.rename(tmp_path / "kitchen.png")
    (entry,) = read_project(tmp_path).entries
    (tmp_path / "kitchen.png.pano.json").write_bytes(b"precious")
    with pytest.raises(ProjectError, match="move it away"):
        adopt(entry)
    assert (tmp_path / "kitchen.png.pano.json").read_bytes() == b"precious"


def test_a_missing_photograph_is_said(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama))
    panorama.path.unlink()
    write_photo(tmp_path, "other.png", seed=1)
    with pytest.raises(ProjectError, match="is missing"):
        find_photo(file.path, read_annotation(file.path).photo)
    entry = next(entry for entry in read_project(tmp_path).entries if entry.photo is None)
    assert "'hall.png' is missing" in entry.problem


@pytest.mark.parametrize("target", ["outside.png", "circle"])
def test_a_photograph_behind_a_link_out_of_the_folder_is_refused(target, tmp_path):
    outside = write_photo(tmp_path, "outside.png")
    folder = tmp_path / "project"
    panorama = open_photo(folder)
    file = open_scene(panorama)
    file.save(some_scene(panorama))
    panorama.path.unlink()
    panorama.path.symlink_to(outside if target == "outside.png" else panorama.path)
    (entry,) = read_project(folder).entries
    assert "link" in entry.problem
    with pytest.raises(ProjectError, match="link"):
        find_photo(file.path, read_annotation(file.path).photo)


def test_links_to_folders_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    panorama = open_photo(outside)
    open_scene(panorama).save(some_scene(panorama))
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link").symlink_to(outside)
    assert read_project(tmp_path / "project").entries == ()


def test_a_photograph_whose_path_climbs_through_a_link_is_refused(tmp_path):
    outside = tmp_path / "outside"
    write_photo(outside)
    folder = tmp_path / "project"
    panorama = open_photo(folder)
    (folder / "link").symlink_to(outside)
    path = folder / "x.pano.json"
    open_scene(panorama).save_copy(some_scene(panorama), path)
    annotation = read_annotation(path)
    write_annotation(path, replace(annotation, photo=replace(annotation.photo, path="link/hall.png")))
    panorama.path.unlink()
    with pytest.raises(ProjectError, match="link"):
        find_photo(path, read_annotation(path).photo)
    (entry,) = read_project(folder).entries
    assert (entry.photo, "link" in entry.problem) == (None, True)
