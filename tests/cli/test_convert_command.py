"""`panoviewer convert`: exact turns, metadata made anew, cube maps there and back, maps of depth and normals."""

import io
import json

import cv2
import numpy as np
import OpenEXR
import pytest
import tifffile
from PIL import ExifTags, Image, PngImagePlugin

from core.geometry.camera import rotation_from_angles
from core.geometry.cube import CROSS, STRIP, cube_to_erp
from core.geometry.sphere import angle_between, erp_rays
from core.io.images import read_header, read_panorama

HEIGHT, WIDTH = 128, 256


def colours(rays):
    return np.rint(127.5 + 120 * np.asarray(rays)).astype(np.uint8)


def directions(rgb):
    return (rgb.astype(float) - 127.5) / 120


def xmp(**tags):
    attributes = " ".join(f'GPano:{name}="{value}"' for name, value in tags.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" {attributes}/></rdf:RDF></x:xmpmeta>'
    ).encode()


@pytest.fixture
def photo(tmp_path):
    """A photograph whose colours are its directions, with a pose, a heading, a first view and EXIF data."""
    tags = {
        "PoseHeadingDegrees": 100, "PosePitchDegrees": 12, "PoseRollDegrees": -7, "InitialViewHeadingDegrees": 130,
        "InitialViewPitchDegrees": 10, "InitialHorizontalFOVDegrees": 80, "CaptureSoftware": "Rig & Co",
    }  # fmt: skip
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.Base.Orientation] = 1
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] = WIDTH
    tags = {name: str(value).replace("&", "&amp;") for name, value in tags.items()}
    path = tmp_path / "photo.jpg"
    image = Image.fromarray(colours(erp_rays(HEIGHT, WIDTH)))
    image.save(path, quality=98, subsampling=0, xmp=xmp(**tags), exif=exif)
    return path


def north_from_world(panorama):
    return rotation_from_angles(panorama.heading, 0, 0) @ panorama.level_from_world


@pytest.mark.parametrize("rotate", ["90,0,0", "-33.7,20,15", "0,90,0", "180,-45.5,-170"])
@pytest.mark.parametrize("level", [[], ["--level"], ["--level", "-4.5,3"]])
def test_what_lies_in_a_direction_comes_to_the_middle_and_stays_where_it_is_in_the_world(
    in_process, photo, tmp_path, rotate, level
):
    out = tmp_path / "out.png"
    assert in_process("convert", photo, "--rotate", rotate, *level, "-o", out) == 0
    before, after = read_panorama(photo), read_panorama(out)
    yaw, pitch, roll = np.radians([float(part) for part in rotate.split(",")])
    old_from_new = rotation_from_angles(yaw, pitch, roll)
    if level == ["--level"]:
        old_from_new = before.level_from_world.T @ old_from_new
    elif level:
        stated = rotation_from_angles(0, np.radians(-4.5), -np.radians(3))
        old_from_new = stated.T @ old_from_new
    expected = erp_rays(HEIGHT, WIDTH) @ old_from_new.T
    off = angle_between(directions(after.rgb), expected)
    assert np.percentile(off, 99) < 0.02  # colours are rounded, and JPEG is not exact
    assert off.max() < 0.05
    if len(level) < 2:
        np.testing.assert_allclose(north_from_world(after), north_from_world(before) @ old_from_new, atol=1e-6)
        looks = before.initial_view.world_from_camera[:, 2]
        np.testing.assert_allclose(old_from_new @ after.initial_view.world_from_camera[:, 2], looks, atol=1e-6)
        assert after.initial_view.fov_x == pytest.approx(before.initial_view.fov_x)
    else:
        # Down in the new frame is what the measured pose says is down.
        np.testing.assert_allclose(after.level_from_world[1], stated[1] @ old_from_new, atol=1e-6)


def test_a_levelled_picture_says_it_is_level_and_keeps_its_north(in_process, photo, tmp_path):
    out = tmp_path / "out.jpg"
    assert in_process("convert", photo, "--level", "-o", out) == 0
    after = read_panorama(out)
    assert after.is_level
    assert np.degrees(after.heading) == pytest.approx(100, abs=1e-4)
    assert in_process("convert", photo, "--level", "12,-7", "-o", tmp_path / "same.jpg") == 0
    np.testing.assert_array_equal(read_panorama(tmp_path / "same.jpg").rgb, after.rgb)


@pytest.mark.parametrize("way", ["horizon", "vertical"])
def test_two_points_level_a_picture(in_process, photo, tmp_path, way):
    level = rotation_from_angles(0, np.radians(8), np.radians(5))
    ends = [(-50, 0), (40, 0)] if way == "horizon" else [(90, -20), (90, 35)]
    points = []
    for lon, lat in np.radians(ends):
        x, y, z = level.T @ [np.cos(lat) * np.sin(lon), -np.sin(lat), np.cos(lat) * np.cos(lon)]
        points += [np.degrees(np.arctan2(x, z)), np.degrees(np.arctan2(-y, np.hypot(x, z)))]
    text = ",".join(f"{number:.9f}" for number in points)
    assert in_process("convert", photo, f"--{way}", text, "-o", tmp_path / "out.png") == 0
    after = read_panorama(tmp_path / "out.png")
    assert after.is_level
    if way == "horizon":
        off = angle_between(directions(after.rgb), erp_rays(HEIGHT, WIDTH) @ level)
        assert np.percentile(off, 99) < 0.02


def test_a_turn_by_whole_columns_is_exact(in_process, photo, tmp_path):
    assert in_process("convert", photo, "--rotate", "-45,0,0", "-o", tmp_path / "out.png") == 0
    np.testing.assert_array_equal(
        read_panorama(tmp_path / "out.png").rgb, np.roll(read_panorama(photo).rgb, WIDTH // 8, axis=1)
    )


def test_metadata_are_made_anew_and_what_says_how_it_was_taken_is_kept(in_process, photo, tmp_path):
    for ending in ("jpg", "png", "tif"):
        out = tmp_path / f"out.{ending}"
        assert in_process("convert", photo, "--rotate", "10,0,0", "--width", "100", "-o", out) == 0
        with Image.open(out) as image:
            packet = image.info["xmp"] if ending != "tif" else image.tag_v2[700]
            assert "icc_profile" in image.info
            assert image.getexif()[ExifTags.Base.Make] == "Camera"
            assert image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 100
        assert b'CaptureSoftware="Rig &amp; Co"' in packet
        gpano = read_header(out).gpano
        assert (gpano.crop.width, gpano.crop.height, gpano.crop.full_width) == (100, 50, 100)
        assert not read_panorama(out).notes
        assert read_header(out).icc_profile is None, "sRGB needs no transform"


def test_without_a_first_view_a_turned_picture_opens_in_its_new_middle(in_process, tmp_path):
    Image.fromarray(colours(erp_rays(HEIGHT, WIDTH))).save(tmp_path / "plain.png")
    assert in_process("convert", tmp_path / "plain.png", "--rotate", "90,0,0", "-o", tmp_path / "out.png") == 0
    assert read_panorama(tmp_path / "out.png").initial_view.yaw == pytest.approx(0)
    assert read_panorama(tmp_path / "out.png").heading is None


@pytest.mark.parametrize("rotate", ["0,0,0", "100,0,0", "20,30,40"])
def test_a_part_of_the_sphere_stays_one_with_right_numbers(in_process, tmp_path, rotate):
    tags = {
        "CroppedAreaImageWidthPixels": 100, "CroppedAreaImageHeightPixels": 60, "FullPanoWidthPixels": WIDTH,
        "FullPanoHeightPixels": HEIGHT, "CroppedAreaLeftPixels": 200, "CroppedAreaTopPixels": 30,
    }  # fmt: skip
    sphere = colours(erp_rays(HEIGHT, WIDTH))
    cut = sphere[30:90][:, np.arange(200, 300) % WIDTH]
    Image.fromarray(cut).save(tmp_path / "part.jpg", quality=98, subsampling=0, xmp=xmp(**tags))
    assert in_process("convert", tmp_path / "part.jpg", "--rotate", rotate, "-o", tmp_path / "out.png") == 0
    after = read_panorama(tmp_path / "out.png")
    assert (after.height, after.width) == (HEIGHT, WIDTH)
    old_from_new = rotation_from_angles(*np.radians([float(part) for part in rotate.split(",")]))
    expected = erp_rays(HEIGHT, WIDTH) @ old_from_new.T
    inside = after.valid & (after.rgb.max(axis=-1) > 0)
    off = angle_between(directions(after.rgb), expected)
    assert np.percentile(off[inside], 95) < 0.03
    if rotate != "20,30,40":
        part = after.part
        shift = round(float(rotate.split(",")[0]) / 360 * WIDTH)
        assert abs(part.left - (200 - shift) % WIDTH) <= 1
        assert (part.top, part.height) == (30, 60)


@pytest.mark.parametrize("layout", ["strip", "cross", "six"])
def test_a_cube_map_comes_back(in_process, photo, tmp_path, layout):
    out = tmp_path / "cube.png"
    assert in_process("convert", photo, "--to", "cube", "--layout", layout, "--width", "96", "-o", out) == 0
    back = tmp_path / "back.png"
    source = tmp_path / "cube_left.png" if layout == "six" else out
    assert in_process("convert", source, "--assume", "cube", "-o", back) == 0
    off = angle_between(directions(read_panorama(back).rgb), erp_rays(192, 384))
    assert off.max() < 0.05
    if layout != "six":
        shape = {"strip": (96, 576), "cross": (288, 384)}[layout]
        assert np.asarray(Image.open(out)).shape[:2] == shape
        assert "xmp" not in Image.open(out).info


def test_no_face_of_the_cube_map_that_is_read_is_written_over(in_process, photo, tmp_path, capsys):
    six = ["--to", "cube", "--layout", "six", "--width", "16", "-o", tmp_path / "cube.png"]
    assert in_process("convert", photo, *six) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert in_process("convert", tmp_path / "cube_front.png", "-o", tmp_path / "cube_back.png") == 2
    assert "another file to write than the one that is read" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def save_numbers(path, numbers):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("scale", "0.001")
    picture = Image.fromarray(numbers)
    if numbers.dtype == np.uint8:
        picture.putpalette(list(range(0, 255, 5)))
    picture.save(path, pnginfo=chunks)


@pytest.mark.parametrize(("ending", "dtype"), [("classes.png", np.uint8), ("depth.png", np.uint16)])
def test_numbers_are_turned_and_never_mixed(in_process, tmp_path, ending, dtype):
    numbers = np.random.default_rng(0).choice(
        np.array([0, 3, 40, 255, 60000 % (np.iinfo(dtype).max + 1)], dtype), (32, 64)
    )
    save_numbers(tmp_path / f"a.{ending}", numbers)
    assert in_process("convert", tmp_path / f"a.{ending}", "--rotate", "45,0,0", "-o", tmp_path / f"b.{ending}") == 0
    with Image.open(tmp_path / f"b.{ending}") as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.roll(numbers, -8, axis=1))
        assert picture.text["scale"] == "0.001"
        assert picture.mode == ("P" if dtype == np.uint8 else "I;16")
    assert in_process("convert", tmp_path / f"a.{ending}", "--rotate", "10,70,5", "-o", tmp_path / f"c.{ending}") == 0
    with Image.open(tmp_path / f"c.{ending}") as picture:
        assert set(np.unique(np.asarray(picture))) <= set(np.unique(numbers))
    six = ["--to", "cube", "--layout", "six", "-o", tmp_path / f"d.{ending}"]
    assert in_process("convert", tmp_path / f"a.{ending}", *six) == 0
    with Image.open(tmp_path / f"d_front.{ending}") as picture:
        face = np.asarray(picture)
    assert face.shape == (16, 16)
    assert face[8, 8] in numbers[15:17, 31:33]


def test_a_half_is_where_core_puts_it(in_process, tmp_path):
    numbers = np.zeros((32, 64), np.uint8)
    numbers[:16] = 7  # the upper half
    save_numbers(tmp_path / "a.classes.png", numbers)
    turn = ["--rotate", "0,90,0", "--width", "128"]
    assert in_process("convert", tmp_path / "a.classes.png", *turn, "-o", tmp_path / "b.classes.png") == 0
    with Image.open(tmp_path / "b.classes.png") as picture:
        turned = np.asarray(picture)
    assert turned.shape == (64, 128)
    # What was above is in front now, and what was below behind.
    assert (turned[:, 34:94] == 7).all()
    assert (turned[:, :30] == 0).all()


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_what_is_no_picture_of_numbers_is_one_sentence(in_process, tmp_path, capsys, content):
    path = tmp_path / "a.classes.png"
    if content is None:
        Image.fromarray(np.zeros((8, 16, 3), np.uint8)).save(path)
    else:
        path.write_bytes(content)
    assert in_process("convert", path, "-o", tmp_path / "b.classes.png") == 2
    assert ("got an empty file" if content == b"" else "picture of numbers") in capsys.readouterr().err
    assert in_process("convert", path, "-o", tmp_path / "b.png") == 2
    assert "ends in .classes.png" in capsys.readouterr().err


def test_depth_in_a_tiff_is_turned_as_depth_and_never_as_a_colour(in_process, photo, tmp_path, capsys):
    depth = (3 + np.asarray(erp_rays(HEIGHT, WIDTH))[..., 0]).astype(np.float32)
    depth[5, 7] = np.nan
    tifffile.imwrite(tmp_path / "room.depth.tiff", depth)
    for ending in ("depth.tiff", "depth.npy"):
        out = tmp_path / f"out.{ending}"
        assert in_process("convert", tmp_path / "room.depth.tiff", "--rotate", "-90,0,0", "-o", out) == 0
        read = np.load(out) if ending == "depth.npy" else tifffile.imread(out)
        np.testing.assert_array_equal(read, np.roll(depth, WIDTH // 4, axis=1))
    assert in_process("convert", tmp_path / "room.depth.tiff", "-o", tmp_path / "out.png") == 2
    assert "in the kind of the input" in capsys.readouterr().err
    named = photo.rename(tmp_path / "a.depth.tiff")
    assert in_process("convert", named, "-o", tmp_path / "b.depth.tiff") == 2
    assert "got none that can be read" in capsys.readouterr().err
    tifffile.imwrite(named, np.zeros((8, 16), np.uint16))
    assert in_process("convert", named, "-o", tmp_path / "b.depth.tiff") == 2
    assert not (tmp_path / "b.depth.tiff").exists()


@pytest.mark.parametrize("name", ["a.classes.png", "a.depth.tiff"])
def test_numbers_that_would_not_fit_into_the_memory_are_refused_before_they_are_decoded(
    in_process, tmp_path, capsys, name, monkeypatch
):
    path = tmp_path / name
    if name.endswith("png"):
        Image.fromarray(np.zeros((500, 1000), np.uint8)).save(path)
    else:
        tifffile.imwrite(path, np.ones((500, 1000), np.float32))
    monkeypatch.setattr("panoviewer.converting_labels.default_memory_budget", lambda: 7_999_999)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _self: pytest.fail("it was decoded"))
    assert in_process("convert", path, "-o", tmp_path / f"b{name[1:]}") == 2
    assert "Turning a picture of 1000 x 500 needs" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("given", ["png", "tif"])
def test_16_bits_stay_16_bits(in_process, tmp_path, given, ending):
    """Read back by OpenCV and tifffile: every level is the one that came in, also beside the metadata."""
    levels = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
    levels[0, :4] = [[0, 1, 2], [65535, 65534, 65533], [3, 200, 2650], [2651, 2652, 40000]]
    path = tmp_path / f"deep.{given}"
    if given == "png":
        cv2.imwrite(str(path), levels[..., ::-1])
    else:
        tifffile.imwrite(path, levels, photometric="rgb")
    out = tmp_path / f"out.{ending}"
    assert in_process("convert", path, "--rotate", "-90,0,0", "-o", out) == 0
    expected = np.roll(levels, WIDTH // 4, axis=1)
    np.testing.assert_array_equal(cv2.imread(str(out), cv2.IMREAD_UNCHANGED)[..., ::-1], expected)
    if ending == "tif":
        with tifffile.TiffFile(out) as file:
            np.testing.assert_array_equal(file.asarray(), expected)
            assert b"GPano" in file.pages[0].tags[700].value
            assert file.pages[0].iccprofile
    else:
        with Image.open(out) as picture:
            picture.verify()
        with Image.open(out) as picture:
            picture.load()
            assert picture.info["icc_profile"]
    again = read_panorama(out)
    np.testing.assert_array_equal(again.rgb, np.roll(read_panorama(path).rgb, WIDTH // 4, axis=1))
    assert read_header(out).gpano.projection == "equirectangular"
    assert in_process("convert", path, "--to", "cube", "-o", tmp_path / f"cube.{ending}") == 0
    assert cv2.imread(str(tmp_path / f"cube.{ending}"), cv2.IMREAD_UNCHANGED).dtype == np.uint16
    assert in_process("convert", path, "-o", tmp_path / "out.jpg") == 0
    assert read_panorama(tmp_path / "out.jpg").radiance is None


def test_light_is_written_as_light(in_process, tmp_path):
    light = (2 + np.asarray(erp_rays(HEIGHT, WIDTH))).astype(np.float32)
    OpenEXR.File({}, {"RGB": light}).write(str(tmp_path / "light.exr"))
    for ending, tolerance in (("exr", 1e-6), ("hdr", 3 / 128)):
        out = tmp_path / f"out.{ending}"
        assert in_process("convert", tmp_path / "light.exr", "--rotate", "-90,0,0", "-o", out) == 0
        np.testing.assert_allclose(read_panorama(out).radiance, np.roll(light, WIDTH // 4, axis=1), atol=tolerance)
    assert in_process("convert", tmp_path / "light.exr", "--to", "cube", "-o", tmp_path / "cube.exr") == 0
    strip = OpenEXR.File(str(tmp_path / "cube.exr")).channels()["RGB"].pixels
    assert np.abs(cube_to_erp(STRIP.cut(strip), HEIGHT, WIDTH) - light).max() < 0.01
    assert in_process("convert", tmp_path / "light.exr", "-o", tmp_path / "out.png") == 0
    np.testing.assert_array_equal(read_panorama(tmp_path / "out.png").rgb, read_panorama(tmp_path / "light.exr").rgb)


def test_maps_turn_with_their_vectors_and_become_cube_maps(in_process, tmp_path):
    rays = np.asarray(erp_rays(HEIGHT, WIDTH))
    normals = -rays.copy()
    depth = (3 + rays[..., 0]).astype(np.float32)
    depth[:10] = np.nan
    np.save(tmp_path / "room.normals.npy", normals)
    np.save(tmp_path / "room.depth.npy", depth)
    level = rotation_from_angles(0, 0.2, 0.1)
    (tmp_path / "room.json").write_text(json.dumps({"pose": {"level_from_world": level.tolist()}, "metric": True}))

    assert in_process("convert", tmp_path / "room.normals.npy", "--level", "-o", tmp_path / "a.normals.npy") == 0
    turned = np.load(tmp_path / "a.normals.npy")
    # A sphere around the camera looks the same from every frame.
    assert angle_between(turned, -rays).max() < 2e-3

    assert in_process("convert", tmp_path / "room.depth.npy", "--rotate", "0,0,90", "-o", tmp_path / "a.depth.exr") == 0
    file = OpenEXR.File(str(tmp_path / "a.depth.exr"), separate_channels=True)
    seen = file.channels()["Z"].pixels
    expected = 3 + (rays @ rotation_from_angles(0, 0, np.pi / 2).T)[..., 0]
    known = seen > 0
    assert 0.9 < known.mean() < 1
    off = np.abs(seen[known] - expected[known])
    assert np.percentile(off, 99) < 2e-3
    assert off.max() < np.pi / HEIGHT / 2  # beside the unknown, the mean of what is known lies up to half a pixel away
    assert file.header()["unit"] == "m"

    cube = ["--to", "cube", "--layout", "cross", "-o", tmp_path / "c.normals.exr"]
    assert in_process("convert", tmp_path / "room.normals.npy", *cube) == 0
    faces = CROSS.cut(OpenEXR.File(str(tmp_path / "c.normals.exr")).channels()["RGB"].pixels.astype(np.float32))
    np.testing.assert_allclose(faces[0][32, 32], [0, 0, -1], atol=0.03)
    np.testing.assert_allclose(faces[4][32, 32], [0, 1, 0], atol=0.03)
    six = ["--to", "cube", "--layout", "six", "--width", "16", "-o", tmp_path / "d.depth.npy"]
    assert in_process("convert", tmp_path / "room.depth.npy", *six) == 0
    assert np.load(tmp_path / "d_right.depth.npy")[8, 8] == pytest.approx(4, abs=0.02)


@pytest.mark.parametrize("ending", ["depth.npy", "depth.exr", "normals.npy", "normals.exr"])
@pytest.mark.parametrize("layout", ["strip", "cross", "six"])
def test_cube_maps_of_maps_come_back_to_the_sphere(in_process, tmp_path, layout, ending):
    rays = np.asarray(erp_rays(HEIGHT, WIDTH))
    is_depth = ending.startswith("depth")
    values = (3 + rays[..., 0]).astype(np.float32) if is_depth else -rays
    np.save(tmp_path / f"room.{ending[:-4]}.npy", values)
    cube = ["--to", "cube", "--layout", layout, "-o", tmp_path / f"cube.{ending}"]
    assert in_process("convert", tmp_path / f"room.{ending[:-4]}.npy", *cube) == 0
    source = tmp_path / (f"cube_left.{ending}" if layout == "six" else f"cube.{ending}")
    assert in_process("convert", source, "-o", tmp_path / f"back.{ending[:-4]}.npy") == 0
    back = np.load(tmp_path / f"back.{ending[:-4]}.npy")
    assert back.shape == values.shape
    # Twice interpolated between pixels that are pi / HEIGHT apart, once kept in halves.
    assert np.abs(back - values).max() < (2e-3 if is_depth else 4e-3)


def test_faces_of_a_map_that_do_not_fit_are_one_sentence(in_process, tmp_path, capsys):
    for face in ("front", "right", "back", "left", "up", "down"):
        size = 7 if face == "back" else 8
        np.save(tmp_path / f"a_{face}.depth.npy", np.ones((size, size), np.float32))
    assert in_process("convert", tmp_path / "a_up.depth.npy", "-o", tmp_path / "b.depth.npy") == 2
    assert "six squares of one size" in capsys.readouterr().err
    assert in_process("convert", tmp_path / "a_up.depth.npy", "-o", tmp_path / "a_left.depth.npy") == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-o", "{tmp}/out.exr"], "is for pictures of more than 8 bits"),
        (["-o", "{tmp}/out.gif"], "Expected a file name that ends in one of .jpg"),
        (["-o", "{tmp}/out"], "Expected a file name that ends in one of .jpg"),
        (["-o", "{tmp}/photo.jpg"], "another file to write than the one that is read"),
        (["--horizon", "1,2,1,2", "-o", "{tmp}/out.png"], "too near to each other"),
        (["--horizon", "0,80,90,-80", "-o", "{tmp}/out.png"], "degrees, more than 60; choose others"),
        (["--horizon", "1,2,9,2", "--level", "-o", "{tmp}/out.png"], "one of --level, --horizon and --vertical"),
        (["--layout", "six", "-o", "{tmp}/out.png"], "--layout is for cube maps"),
        (["--rotate", "1,2", "-o", "{tmp}/out.png"], "3 numbers with commas"),
        (["--rotate", "1,2,nan", "-o", "{tmp}/out.png"], "3 numbers with commas"),
        (["--level", "1", "-o", "{tmp}/out.png"], "2 numbers with commas"),
        (["--to", "cube", "--width", "60000", "-o", "{tmp}/out.png"], "faces of up to 16384"),
        (["--fisheye-fov", "190", "-o", "{tmp}/out.png"], "without --assume fisheye"),
        (["--assume", "fisheye", "-o", "{tmp}/out.png"], "add --fisheye-fov"),
        (["-o", "{tmp}/out.depth.npy"], "Expected a file name that ends in one of .jpg"),
    ],
)
def test_bad_usage_is_one_sentence(in_process, photo, tmp_path, capsys, args, words):
    assert in_process("convert", photo, *(str(arg).format(tmp=tmp_path) for arg in args)) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "Traceback" not in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg"]


def test_a_map_that_is_none_is_one_sentence(in_process, tmp_path, capsys):
    path = tmp_path / "a.depth.npy"
    archive, endless = io.BytesIO(), io.BytesIO()
    np.savez(archive, depth=np.ones((4, 8), np.float32))
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 20, 1 << 21)}
    np.lib.format.write_array_header_1_0(endless, header)
    for content in (b"", b"hello", archive.getvalue(), endless.getvalue(), None):
        if content is None:
            np.save(path, np.zeros((4, 4), np.float32))
        else:
            path.write_bytes(content)
        assert in_process("convert", path, "-o", tmp_path / "b.depth.npy") == 2
        assert str(path) in capsys.readouterr().err
    np.save(path, np.ones((4, 8), np.float32))
    assert in_process("convert", path, "--level", "-o", tmp_path / "b.depth.npy") == 2
    assert "say --level PITCH,ROLL" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["jpg", "classes.png", "depth.npy", "depth.exr", "normals.exr"])
def test_a_file_that_is_not_there_is_said_to_be_missing(in_process, tmp_path, capsys, ending):
    assert in_process("convert", tmp_path / f"a.{ending}", "--rotate", "5,0,0", "-o", tmp_path / f"b.{ending}") == 2
    assert capsys.readouterr().err.count("found no such file; check its name") == 1
