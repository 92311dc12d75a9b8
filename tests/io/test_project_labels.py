"""The label set of a folder, and names that change everywhere."""

from dataclasses import replace

import pytest
from project_samples import LABELS, open_photo, some_scene, some_segment

from core.io.annotation import Annotation
from core.io.journal import journal_path
from core.io.photo_reference import photo_of
from core.io.project import (
    finish_renames,
    read_project,
    rename_label,
)
from core.io.project_file import ProjectFile, Rename, read_project_file, write_project_file
from core.io.scene_file import (
    annotation_path,
    open_scene,
    read_annotation,
    write_annotation,
)
from core.scene import Label, Scene


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_label_set_is_shared_by_the_folder(tmp_path):
    write_project_file(tmp_path, ProjectFile(labels=(Label("door", (9, 9, 9)), Label("lamp", (1, 1, 1)))))
    panorama = open_photo(tmp_path, "sub/hall.png")
    write_annotation(annotation_path(panorama.path), own_labels(panorama))
    scene = open_scene(panorama).scene
    # The folder's colours and order come first; a label that is in use here is not lost, one that is not in use is.
    assert scene.labels == (Label("door", (9, 9, 9)), Label("lamp", (1, 1, 1)), Label("окно", (10, 200, 250)))
    file = open_scene(panorama)
    assert file.is_saved(file.scene)
    file.save(replace(scene, labels=scene.labels[1:]))
    assert read_project_file(tmp_path).labels == scene.labels[1:]
    assert read_project(tmp_path).labels == scene.labels[1:]


def own_labels(panorama):
    segments = (some_segment(1, label="окно"), some_segment(2, label="door"))
    scene = Scene(panorama, segments=segments, labels=(*LABELS, Label("unused", (0, 0, 0))))
    return Annotation.of(scene, photo_of(panorama.path, panorama.height, panorama.width))


def annotated_folder(folder, count=3):
    """Photographs with a door each, in a project with a label set."""
    panoramas = [open_photo(folder, f"{number}.png", number) for number in range(count)]
    write_project_file(folder, ProjectFile(labels=LABELS))
    for panorama in panoramas:
        open_scene(panorama).save(some_scene(panorama))
    return panoramas


def test_a_renamed_label_is_renamed_everywhere(tmp_path):
    panoramas = annotated_folder(tmp_path)
    assert rename_label(tmp_path, "door", "gate") == ()
    project = read_project_file(tmp_path)
    assert ([label.name for label in project.labels], project.renames) == (["gate", "окно"], ())
    for panorama in panoramas:
        annotation = read_annotation(annotation_path(panorama.path))
        assert {segment.label for segment in annotation.segments} == {"gate"}
        assert [label.name for label in annotation.labels] == ["gate", "окно"]
        assert open_scene(panorama).scene.labels == (Label("gate", (130, 60, 30)), LABELS[1])


def test_a_rename_to_a_name_that_exists_makes_one_of_two(tmp_path):
    panoramas = annotated_folder(tmp_path, 1)
    assert rename_label(tmp_path, "door", "окно") == ()
    scene = open_scene(panoramas[0]).scene
    assert (scene.labels, {segment.label for segment in scene.segments}) == ((LABELS[1],), {"окно"})


def test_a_rename_that_could_not_reach_a_file_takes_effect_when_it_is_opened(tmp_path):
    panoramas = annotated_folder(tmp_path)
    path = annotation_path(panoramas[0].path)
    sound = path.read_bytes()
    path.write_bytes(b"{")
    unsaved = open_scene(panoramas[1])
    unsaved.record("Add", some_scene(panoramas[1], 4))
    unsaved.close()
    (problem,) = rename_label(tmp_path, "door", "gate")
    assert problem.endswith(str(path))
    path.write_bytes(sound)
    assert {segment.label for segment in open_scene(panoramas[0]).scene.segments} == {"gate"}
    recovered = open_scene(panoramas[1]).accept_recovery()
    assert ([segment.label for segment in recovered.segments], recovered.labels[0].name) == (["gate"] * 4, "gate")
    project = read_project(tmp_path)
    assert {segment.label for segment in project.annotation(project.entries[0]).segments} == {"gate"}
    assert read_project_file(tmp_path).renames == (Rename("door", "gate"),)
    journal_path(annotation_path(panoramas[1].path)).unlink()
    assert finish_renames(tmp_path) == ()
    assert read_project_file(tmp_path).renames == ()
    assert {segment.label for segment in read_annotation(path).segments} == {"gate"}


def test_a_rename_leaves_the_files_that_are_being_edited_to_their_editor(tmp_path):
    panoramas = annotated_folder(tmp_path)
    files = [open_scene(panorama) for panorama in panoramas[:2]]
    rename_label(tmp_path, "door", "gate", open_files=[file.path for file in files])
    for file, panorama in zip(files, panoramas, strict=False):
        assert not file.changed_on_disk()
        scene = replace(
            file.scene,
            segments=tuple(replace(segment, label="gate") for segment in file.scene.segments),
            labels=(replace(LABELS[0], name="gate"), LABELS[1]),
        )
        file.save(scene)
        assert open_scene(panorama).scene.labels[0].name == "gate"
    assert finish_renames(tmp_path) == ()
    assert read_project_file(tmp_path).renames == ()


def test_a_name_that_is_used_again_is_not_renamed_again(tmp_path):
    (panorama,) = annotated_folder(tmp_path, 1)
    file = open_scene(panorama)
    rename_label(tmp_path, "door", "gate", open_files=[file.path])
    file.save(replace(file.scene, labels=(Label("gate", (0, 0, 0)), Label("door", (5, 5, 5)))))
    assert {segment.label for segment in open_scene(panorama).scene.segments} == {"door"}


def test_a_name_that_cannot_be_stored_renames_nothing(tmp_path):
    (panorama,) = annotated_folder(tmp_path, 1)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="1000 characters"):
        rename_label(tmp_path, "door", "x" * 5000)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert open_scene(panorama).scene.labels == LABELS
