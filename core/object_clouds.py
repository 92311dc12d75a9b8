"""Point clouds of what a person has cut out: with the numbers of segments, or one cloud for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from core.cloud import DEFAULT_OPTIONS, CloudOptions, PointCloud, averaged, cloud_from_prediction
from core.prediction import Prediction
from core.scene import Scene, Segment


def cloud_with_segments(scene: Scene, prediction: Prediction, options: CloudOptions = DEFAULT_OPTIONS) -> PointCloud:
    """The cloud of a panorama whose points bear the numbers of the scene's segments; errors as for the cloud alone."""
    return cloud_from_prediction(scene.panorama, prediction, options, scene.segments)


def object_clouds(
    scene: Scene, prediction: Prediction, options: CloudOptions = DEFAULT_OPTIONS
) -> Iterator[tuple[Segment, PointCloud]]:
    """The cloud of each segment, whole also where another one covers it; empty where it has no depth.

    Args:
        scene: Panorama and segments.
        prediction: With a depth; it may be larger or smaller than the panorama.
        options: Which pixels become points; what flies is judged by the whole depth.

    Raises:
        ValueError: The prediction has no depth.
    """
    whole = cloud_from_prediction(scene.panorama, prediction, replace(options, voxel=None))
    if whole.pixels is None or prediction.depth is None:
        raise ValueError("a cloud that is not averaged knows its pixels")
    height, width = prediction.depth.shape
    for segment in scene.segments:
        inside = segment.mask.resized(height, width).unpack().reshape(-1).take(whole.pixels)
        cloud = replace(
            whole.chosen(inside),
            segment_ids=np.full(int(np.count_nonzero(inside)), segment.number, np.int32),
            segment_names=((segment.number, segment.label),),
            options=options,
            photo=None,
        )
        yield segment, cloud if options.voxel is None else averaged(cloud, options.voxel)
