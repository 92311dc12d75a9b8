"""Cube maps and fisheye pictures open as panoramas, unasked where that is certain."""

import numpy as np
import pytest
from deep_files import write_exr
from picture_files import crop_tags, save, xmp_attributes
from PIL import Image

from core.errors import NotAFullSphere, UnsupportedImage
from core.geometry.cube import CROSS, FACES, STRIP, STRIPS, TALL_CROSS
from core.geometry.fisheye import DualFisheye
from core.geometry.sphere import erp_rays
from core.geometry.tiling import cube_tiles
from core.geometry.warp import erp_to_camera
from core.io.images import read_header, read_panorama, read_preview
from core.io.picture_grid import PictureGrid
from core.io.placement import looks_flat, place


def colours(height, width):
    return (127 + 100 * np.sin(2 * erp_rays(height, width))).astype(np.uint8)


def faces(size):
    return [erp_to_camera(colours(4 * size, 8 * size), camera) for camera in cube_tiles(size)]


def is_right(panorama, size):
    assert panorama.rgb.shape == (2 * size, 4 * size, 3)
    return np.abs(panorama.rgb.astype(int) - colours(2 * size, 4 * size)).max() <= 4


@pytest.mark.parametrize("layout", [STRIP, STRIPS[True, "FRBLUD"], STRIPS[False, "RLUDFB"]], ids=["a", "b", "c"])
def test_a_strip_is_a_cube_map_unasked(tmp_path, layout):
    path = save(tmp_path, Image.fromarray(layout.join(faces(64))), "PNG")
    panorama = read_panorama(path)
    assert is_right(panorama, 64)
    assert "cube map" in panorama.notes[0]
    assert panorama.valid is None
    assert not looks_flat(path)
    assert read_preview(path, 64).rgb.shape == (32, 64, 3)


@pytest.mark.parametrize("layout", [CROSS, TALL_CROSS], ids=["wide", "tall"])
def test_a_cross_is_one_when_the_user_says_so(tmp_path, layout):
    path = save(tmp_path, Image.fromarray(layout.join(faces(64))), "PNG")
    with pytest.raises(NotAFullSphere, match="--assume cube"):
        read_panorama(path)
    assert is_right(read_panorama(path, assume="cube"), 64)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("room_{}.png", FACES),
        ("{}.png", (["px", "nx", "py", "ny", "pz", "nz"][i] for i in (4, 0, 5, 1, 2, 3))),
        ("a-{}.png", ("F", "R", "B", "L", "U", "D")),
        ("Room {}.png", ("Front", "Right", "Back", "Left", "Top", "Bottom")),
    ],
)
def test_six_files_are_a_cube_map_whichever_is_opened(tmp_path, pattern, names):
    names = tuple(names)
    for name, face in zip(names, faces(32), strict=True):
        Image.fromarray(face).save(tmp_path / pattern.format(name))
    for name in (names[0], names[5]):
        path = tmp_path / pattern.format(name)
        assert is_right(read_panorama(path), 32)
        assert read_panorama(path).path == path
    (tmp_path / pattern.format(names[3])).unlink()
    with pytest.raises(NotAFullSphere):
        read_panorama(tmp_path / pattern.format(names[0]))
    with pytest.raises(UnsupportedImage, match=r"got 5 of them; put .* beside the others: "):
        read_panorama(tmp_path / pattern.format(names[0]), assume="cube")


def test_six_files_of_different_sizes_are_a_sentence(tmp_path):
    for name, face in zip(FACES, faces(32), strict=True):
        Image.fromarray(face[:20, :20] if name == "back" else face).save(tmp_path / f"{name}.png")
    with pytest.raises(UnsupportedImage, match=r"six pictures of 32 x 32 .* 20 x 20 .*back.png$"):
        read_panorama(tmp_path / "front.png")


def test_light_comes_through_a_cube_map(tmp_path):
    radiance = (2 + np.sin(2 * erp_rays(128, 256))).astype(np.float32)
    strip = STRIP.join([erp_to_camera(radiance, camera) for camera in cube_tiles(64)])
    panorama = read_panorama(write_exr(tmp_path / "light.exr", {"RGB": strip}))
    assert np.abs(panorama.radiance - radiance).max() < 5e-3


def test_a_strip_that_says_it_is_a_part_is_a_part(tmp_path):
    tags = crop_tags(size=(384, 64), full=(384, 192), at=(0, 64))
    path = save(tmp_path, Image.fromarray(STRIP.join(faces(64))), "PNG", xmp=xmp_attributes(**tags))
    assert read_panorama(path).height == 192
    plain = save(tmp_path, Image.fromarray(STRIP.join(faces(64))), "PNG")
    assert read_panorama(plain, assume="crop").height == 192


def test_two_fisheye_circles_open_with_the_values_of_the_lenses(tmp_path):
    path = save(tmp_path, Image.fromarray(np.full((100, 200, 3), 90, np.uint8)), "PNG")
    lenses = DualFisheye(170)
    panorama = read_panorama(path, assume=lenses)
    assert (panorama.height, panorama.width) == lenses.sphere_size(100, 200)
    assert (panorama.rgb[panorama.valid] == 90).all()
    assert 0.7 < panorama.valid.mean() < 1
    assert "two fisheye circles of 170 degrees" in panorama.notes[0]
    assert read_preview(path, 40, assume=lenses).valid.shape == (20, 40)


def test_memory_is_told_before(tmp_path):
    path = save(tmp_path, Image.fromarray(STRIP.join(faces(64))), "PNG")
    with pytest.raises(UnsupportedImage, match="on a sphere of 256 x 128 needs"):
        read_panorama(path, memory_budget=200_000)


def test_masks_are_not_written_into_pictures_that_are_no_sphere(tmp_path):
    path = save(tmp_path, Image.fromarray(STRIP.join(faces(64))), "PNG")
    assert place(read_header(path)).source is not None
    with pytest.raises(UnsupportedImage, match="panoviewer convert"):
        PictureGrid.of_file(path)


@pytest.mark.parametrize("assume", [None, "cube"])
def test_files_that_a_cube_map_lacks_are_named_instead_of_a_choice_that_misleads(tmp_path, assume):
    for name, face in zip(FACES, faces(32), strict=True):
        Image.fromarray(face).save(tmp_path / f"room_{name}.png")
    for lost in ("left", "up"):
        (tmp_path / f"room_{lost}.png").unlink()
        with pytest.raises(NotAFullSphere, match=r"room_left\.png.* beside the others: .*room_front\.png$") as refused:
            read_panorama(tmp_path / "room_front.png", assume=assume)
        assert f"room_{lost}.png" in str(refused.value)
        assert "--assume" not in str(refused.value)
    assert looks_flat(tmp_path / "room_front.png")
    (tmp_path / "room_down.png").unlink()
    with pytest.raises((NotAFullSphere, UnsupportedImage), match=r"--assume crop|must be a strip"):
        read_panorama(tmp_path / "room_front.png", assume=assume)
