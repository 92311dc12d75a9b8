"""A folder's pictures are found; labels and results beside them are passed over and said so."""

import os
from pathlib import Path

import pytest
from picture_files import SHARED

from core.errors import UnsupportedImage
from core.io.folder import is_beside_a_photo, list_panoramas


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_pictures_are_found_in_all_folders_and_sorted(tmp_path):
    touch(tmp_path, "b.jpg", "a.PNG", "sub/c.webp", "sub/deep/d.tiff", "e.jpeg", "notes.txt", "x.depth.npy", "p.ply")
    listing = list_panoramas(tmp_path)
    assert [p.relative_to(tmp_path).as_posix() for p in listing.panoramas] == [
        "a.PNG",
        "b.jpg",
        "e.jpeg",
        "sub/c.webp",
        "sub/deep/d.tiff",
    ]
    assert listing.skipped == ()


@pytest.mark.parametrize(
    "name",
    [
        "a.instances.png",
        "a.segments.png",
        "a.depth.png",
        "a.depth.preview.png",
        "a.depth_rel.png",
        "a.normal.png",
        "a.normals.png",
        "a.normals.preview.png",
        "a.semantic.png",
        "a.classes.png",
        "a.classes.preview.png",
        "a.far.png",
        "a.preview.png",
        "a.texture.jpg",
        "a.expected_view.jpg",
        "a.jpg.far.png",
        "A.INSTANCES.PNG",
    ],
)
def test_labels_and_results_are_skipped_and_reported(tmp_path, name):
    touch(tmp_path, "a.jpg", name)
    listing = list_panoramas(tmp_path)
    assert listing.panoramas == (tmp_path / "a.jpg",)
    assert listing.skipped == (tmp_path / name,)


@pytest.mark.parametrize(
    "name", ["depth.png", "far.jpg", "my.holiday.jpg", "normal.tif", "a.b.c.jpg", "classes.v2.png"]
)
def test_ordinary_names_are_not_taken_for_labels(name):
    assert not is_beside_a_photo(name)


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    touch(tmp_path, ".a.jpg", ".cache/b.jpg", "c.jpg")
    assert list_panoramas(tmp_path).panoramas == (tmp_path / "c.jpg",)


def test_folders_of_exports_are_passed_over_unless_they_are_asked_for(tmp_path):
    touch(tmp_path, "a.jpg", "views/.panoviewer-export", "views/images/b.jpg", "views/c.bmp", "d/views/e.jpg")
    listing = list_panoramas(tmp_path)
    assert listing.panoramas == (tmp_path / "a.jpg", tmp_path / "d/views/e.jpg")
    assert (listing.exports, listing.foreign) == ((tmp_path / "views",), ())
    inside = tmp_path / "views/images/b.jpg"
    assert list_panoramas(tmp_path / "views").panoramas == list_panoramas(tmp_path / "views/images").panoramas
    assert list_panoramas(tmp_path / "views").panoramas == (inside,)


def test_a_link_that_leads_back_does_not_loop(tmp_path):
    touch(tmp_path, "a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert list_panoramas(tmp_path).panoramas == (tmp_path / "a.jpg",)


def test_an_empty_folder_has_no_pictures(tmp_path):
    listing = list_panoramas(tmp_path)
    assert (listing.panoramas, listing.skipped) == ((), ())


def test_a_missing_folder_and_a_file_are_sentences(tmp_path):
    touch(tmp_path, "a.jpg")
    for path in (tmp_path / "none", tmp_path / "a.jpg"):
        with pytest.raises(UnsupportedImage, match=f"Expected a folder of pictures.*: {path}"):
            list_panoramas(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_a_sentence(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(UnsupportedImage, match="may not be read"):
        list_panoramas(tmp_path)


def test_the_folder_stays_as_it_was_given(tmp_path, monkeypatch):
    touch(tmp_path, "photos/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert list_panoramas("photos").panoramas == (Path("photos/a.jpg"),)


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the real panoramas are not here")
def test_every_photo_of_the_real_folders_is_listed_and_no_label():
    listing = list_panoramas(SHARED / "data")
    assert len(listing.panoramas) > 80
    assert all(p.suffix in (".jpg", ".hdr") for p in listing.panoramas)
    assert {p.name for p in listing.skipped} >= {"03_lebombo.semantic.png", "04_library.instances.png"}


def test_the_six_files_of_a_cube_map_are_listed_once(tmp_path):
    for face in ("front", "right", "back", "left", "up", "down"):
        (tmp_path / f"room_{face}.jpg").touch()
    for name in ("hall.jpg", "hall_front.jpg", "hall_back.jpg"):
        (tmp_path / name).touch()
    names = [path.name for path in list_panoramas(tmp_path).panoramas]
    assert names == ["hall.jpg", "hall_back.jpg", "hall_front.jpg", "room_front.jpg"]
