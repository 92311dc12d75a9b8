import math

import numpy as np
import pytest

from core.geometry.sphere import angle_between, erp_rays
from core.geometry.tiling import ICOSAHEDRON_FOV, cube_tiles, icosahedron_tiles, ring_tiles, zigzag_tiles


def axes(cameras):
    return np.array([camera.world_from_camera @ (0.0, 0.0, 1.0) for camera in cameras])


def seen(camera, directions):
    u, v = camera.project(directions)
    return (u >= -1e-9) & (u <= camera.width + 1e-9) & (v >= -1e-9) & (v <= camera.height + 1e-9)


def test_a_cube_looks_along_the_axes():
    faces = cube_tiles(16)
    expected = [(0, 0, 1), (1, 0, 0), (0, 0, -1), (-1, 0, 0), (0, -1, 0), (0, 1, 0)]
    np.testing.assert_allclose(axes(faces), expected, atol=1e-15)
    assert {face.size for face in faces} == {(16, 16)}


@pytest.mark.parametrize(
    "cameras",
    [cube_tiles(8), cube_tiles(8, 2.0), icosahedron_tiles(8), icosahedron_tiles(8, ICOSAHEDRON_FOV), zigzag_tiles(8)],
)
def test_every_direction_is_seen(cameras):
    rays = erp_rays(181, 362).astype(np.float64)
    assert np.any([seen(camera, rays) for camera in cameras], axis=0).all()


@pytest.mark.parametrize("fov_deg", [20, 35, 43.2, 60, 90, 110])
@pytest.mark.parametrize("overlap", [0.1, 0.25, 0.5])
def test_rings_of_tiles_see_every_direction(fov_deg, overlap):
    cameras = ring_tiles(8, math.radians(fov_deg), overlap=overlap)
    rays = erp_rays(91, 182).astype(np.float64)
    times = np.sum([seen(camera, rays) for camera in cameras], axis=0)
    assert times.min() >= 1
    whole = len(cameras) * math.radians(fov_deg) ** 2 / (4 * math.pi)
    assert whole < 5.5 / (1 - overlap) ** 2, "not many more than it takes"


def test_rings_that_cannot_be_placed_are_refused():
    for wrong in ({"fov_x": 2.2}, {"fov_x": 0.0}, {"fov_x": 1.0, "overlap": 1.0}):
        with pytest.raises(ValueError, match="overlap"):
            ring_tiles(8, **wrong)


def test_the_vertices_of_an_icosahedron_are_equally_far_from_their_neighbours():
    vertices = axes(icosahedron_tiles(8))
    assert len(vertices) == 12
    between = angle_between(vertices[:, None], vertices[None])
    between[np.eye(12, dtype=bool)] = np.nan
    nearest = np.sort(between, axis=1)[:, :5]
    np.testing.assert_allclose(nearest, math.atan(2), atol=1e-12)


def test_the_least_field_of_view_reaches_the_middle_of_a_face():
    vertices = axes(icosahedron_tiles(8))
    middle = vertices[0] + vertices[1] + vertices[2]
    assert 2 * angle_between(vertices[0], middle) == pytest.approx(ICOSAHEDRON_FOV)
    with pytest.raises(ValueError, match="cover"):
        icosahedron_tiles(8, ICOSAHEDRON_FOV - 0.01)


@pytest.mark.parametrize(("step_deg", "pitches"), [(45, (0.8, 0.0, -0.8)), (60, (0.5, -0.5)), (90, (0.0,))])
def test_the_zigzag_goes_from_neighbour_to_neighbour_and_closes(step_deg, pitches):
    frames = zigzag_tiles(8, yaw_step=math.radians(step_deg), pitches=pitches)
    assert len(frames) == 360 // step_deg * len(pitches)
    assert len({(round(frame.yaw, 6), frame.pitch) for frame in frames}) == len(frames)
    for frame, following in zip(frames, (*frames[1:], frames[0]), strict=True):
        turned = abs(math.remainder(following.yaw - frame.yaw, 2 * math.pi))
        if turned < 1e-9:
            assert abs(pitches.index(frame.pitch) - pitches.index(following.pitch)) == 1
        else:
            assert turned == pytest.approx(math.radians(step_deg))
            assert following.pitch == frame.pitch
    assert {frame.roll for frame in frames} == {0.0}


def test_the_zigzag_goes_down_its_first_column():
    assert [frame.pitch for frame in zigzag_tiles(8)[:4]] == [math.pi / 4, 0.0, -math.pi / 4, -math.pi / 4]


@pytest.mark.parametrize("step_deg", [72, 50, 360, 0, -45])
def test_a_zigzag_that_would_not_close_is_refused(step_deg):
    with pytest.raises(ValueError, match="even number of columns"):
        zigzag_tiles(8, yaw_step=math.radians(step_deg))


def test_a_zigzag_without_pitches_is_refused():
    with pytest.raises(ValueError, match="pitch"):
        zigzag_tiles(8, pitches=())
