"""Points know the segments that they belong to."""

import json
from dataclasses import replace

import numpy as np
import plyfile
import pytest
from fake_model import room

from core.cloud import CloudOptions, cloud_from_prediction
from core.export import export
from core.mask import SphereMask
from core.object_clouds import cloud_with_segments, object_clouds
from core.panorama import Panorama
from core.prediction import Prediction
from core.scene import Scene, Segment

HEIGHT, WIDTH = 32, 64
KEEP = CloudOptions(edges=None)


@pytest.fixture
def scene():
    across = np.zeros((HEIGHT, WIDTH), bool)
    across[10:20, [*range(60, 64), *range(5)]] = True
    over = np.zeros((HEIGHT, WIDTH), bool)
    over[15:25, 2:12] = True
    rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    segments = (Segment(7, SphereMask.pack(across), "door"), Segment(3, SphereMask.pack(over), "ключ"))
    return Scene(Panorama(rgb), segments=segments)


def prediction(height=HEIGHT, width=WIDTH):
    depth, normals, classes = room(height, width)
    return Prediction(depth, normals, classes, ("wall", "floor", "end"), is_metric=True, model="fake")


def numbers_of(scene):
    numbers = np.full((HEIGHT, WIDTH), -1)
    for segment in scene.segments:
        numbers[segment.mask.unpack()] = segment.number
    return numbers


def test_each_point_bears_the_number_of_the_topmost_segment_at_its_pixel(scene):
    cloud = cloud_with_segments(scene, prediction(), KEEP)
    np.testing.assert_array_equal(cloud.segment_ids, numbers_of(scene).reshape(-1)[cloud.pixels])
    assert cloud_from_prediction(scene.panorama, prediction(), KEEP).segment_ids is None


def test_a_depth_of_another_size_meets_the_masks_by_direction(scene):
    cloud = cloud_with_segments(scene, prediction(2 * HEIGHT, 2 * WIDTH), KEEP)
    expected = numbers_of(scene).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(cloud.segment_ids, expected.reshape(-1)[cloud.pixels])


def test_averaged_points_take_the_most_frequent_number(scene):
    cloud = cloud_with_segments(scene, prediction(), replace(KEEP, voxel=100.0))
    parts = cloud_with_segments(scene, prediction(), KEEP)
    cubes = [tuple(cube) for cube in (parts.points > 0).tolist()]
    for point, number in zip(cloud.points, cloud.segment_ids, strict=True):
        inside = [i for n, i in zip(cubes, parts.segment_ids, strict=True) if n == tuple((point > 0).tolist())]
        assert number == max(sorted(set(inside)), key=inside.count)


def test_the_cloud_of_a_segment_is_whole_also_where_another_covers_it(scene):
    clouds = {segment.number: cloud for segment, cloud in object_clouds(scene, prediction(), KEEP)}
    everything = cloud_from_prediction(scene.panorama, prediction(), KEEP)
    for segment in scene.segments:
        inside = segment.mask.unpack().reshape(-1)[everything.pixels]
        np.testing.assert_array_equal(clouds[segment.number].points, everything.points[inside])
        np.testing.assert_array_equal(clouds[segment.number].colors, everything.colors[inside])
        assert set(clouds[segment.number].segment_ids.tolist()) == {segment.number}
    thin = {s.number: cloud for s, cloud in object_clouds(scene, prediction(), replace(KEEP, voxel=0.5))}
    assert 0 < len(thin[7]) < len(clouds[7])
    assert set(thin[7].segment_ids.tolist()) == {7}


def test_a_segment_without_depth_has_an_empty_cloud(scene):
    far = replace(KEEP, min_range=1000.0)
    assert [len(cloud) for _, cloud in object_clouds(scene, prediction(), far)] == [0, 0]


def test_files_hold_the_numbers_and_the_labels(scene, tmp_path):
    cloud = cloud_with_segments(scene, prediction(), KEEP)
    data = plyfile.PlyData.read(export(cloud, tmp_path / "a.ply"))
    np.testing.assert_array_equal(data["vertex"]["instance"], np.maximum(cloud.segment_ids, 0))
    assert data["vertex"]["instance"].dtype == np.uint32
    assert "instance 7=door" in data.comments
    assert r"instance 3=\u043a\u043b\u044e\u0447" in data.comments
    with np.load(export(cloud, tmp_path / "a.npz")) as archive:
        np.testing.assert_array_equal(archive["segment_ids"], cloud.segment_ids)
        assert json.loads(str(archive["meta"]))["segment_names"] == {"7": "door", "3": "ключ"}
