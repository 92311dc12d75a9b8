r"""COLMAP: each panorama as a rig of perspective views, and masks of what a reconstruction is not to look at.

- `images/VV/NAME.jpg`: view VV of the panorama `NAME`; the views of one panorama are one frame of the rig;
- `masks/VV/NAME.jpg.png`: 0 inside of every segment (the photographer, the tripod) and where a partial photograph shows
  nothing, 255 elsewhere; COLMAP takes no features where a mask is 0;
- `rig_config.json`: how the views stand to each other, for `colmap rig_configurator`;
- `sparse/`: cameras, rig, frames and images as a model in text form, every panorama at the origin, since nobody knows
  yet where it was taken; for those who place them by other means.

    colmap feature_extractor --image_path images --ImageReader.mask_path masks --database_path database.db \
        --ImageReader.single_camera_per_folder 1
    colmap rig_configurator --database_path database.db --rig_config_path rig_config.json
    colmap sequential_matcher --database_path database.db
    colmap mapper --image_path images --database_path database.db --output_path sparse \
        --Mapper.ba_refine_sensor_from_rig 0 --Mapper.ba_refine_focal_length 0 --Mapper.ba_refine_extra_params 0

The axes of COLMAP's cameras and its pixels are ours. Source: https://colmap.github.io/rigs.html and format.html.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from core.export.annotated import Output, Photos
from core.export.png import write_png
from core.export.view_set import FRAME, camera_facts, cameras_of, dump, photo_facts, views_of, write_jpeg
from core.geometry.camera import Camera

DEFAULT_LAYOUT = "icosahedron"
MODEL = "PINHOLE"


def write(photos: Photos, output: Output) -> None:
    """All files, `cameras.json` last.

    Raises:
        ExportError: There is no such layout or size.
    """
    cameras = cameras_of(photos.options, DEFAULT_LAYOUT)
    frames: list[tuple[str, list[int]]] = []
    panoramas = []
    for photo in photos:
        name = f"{photo.target}.jpg"
        numbers = []
        with photos.attempt():
            for view in views_of(photo, cameras, photos.options):
                mask = np.full(view.camera.size, 255, np.uint8)
                if view.seen is not None:
                    mask[~view.seen] = 0
                for _, inside in view.masks:
                    inside.paint(mask, 0)
                with output.open(f"images/{view.number:02d}/{name}") as stream:
                    write_jpeg(view.rgb, stream)
                with output.open(f"masks/{view.number:02d}/{name}.png") as stream:
                    write_png(mask, stream)
                numbers.append(view.number)
            frames.append((name, numbers))
            panoramas.append(photo_facts(photo))
            photos.losses.add(
                "The photograph shows nothing there, and left out are {}.", len(cameras) - len(numbers), unit="view"
            )
            photos.losses.add("Masked out, without telling one from another: {}.", len(photo.segments))
    for file, lines in {**_rig(cameras), **_model(cameras, frames)}.items():
        output.write(f"sparse/{file}", "".join(f"{line}\n" for line in lines).encode())
    output.write("rig_config.json", dump([{"cameras": [_rig_entry(n, cameras) for n in range(len(cameras))]}]))
    views = [{"folder": f"images/{n:02d}", **camera_facts(camera)} for n, camera in enumerate(cameras)]
    output.write("cameras.json", dump({"frame": FRAME, "panoramas": panoramas, "views": views}))


def _rig_entry(number: int, cameras: tuple[Camera, ...]) -> dict[str, object]:
    entry: dict[str, object] = {
        "image_prefix": f"{number:02d}/",
        "camera_model_name": MODEL,
        "camera_params": _parameters(cameras[number]),
    }
    if number == 0:
        return {**entry, "ref_sensor": True}
    return {**entry, "cam_from_rig_rotation": _from_rig(number, cameras), "cam_from_rig_translation": [0.0, 0.0, 0.0]}


def _rig(cameras: tuple[Camera, ...]) -> dict[str, list[str]]:
    sensors = " ".join(f"CAMERA {n + 1} 1 {_numbers(_from_rig(n, cameras))} 0 0 0" for n in range(1, len(cameras)))
    return {
        "cameras.txt": [
            "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]",
            *(f"{n + 1} {MODEL} {c.width} {c.height} {_numbers(_parameters(c))}" for n, c in enumerate(cameras)),
        ],
        "rigs.txt": [
            "# RIG_ID, NUM_SENSORS, REF_SENSOR_TYPE, REF_SENSOR_ID, SENSORS[] as (SENSOR_TYPE, SENSOR_ID, HAS_POSE, "
            "[QW, QX, QY, QZ, TX, TY, TZ])",
            f"1 {len(cameras)} CAMERA 1 {sensors}".rstrip(),
        ],
        "points3D.txt": ["# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)"],
    }


def _model(cameras: tuple[Camera, ...], frames: list[tuple[str, list[int]]]) -> dict[str, list[str]]:
    """Frames and images; the rig's frame is that of its first camera, which does not look along the world's axes."""
    of_frames = ["# FRAME_ID, RIG_ID, RIG_FROM_WORLD[QW, QX, QY, QZ, TX, TY, TZ], NUM_DATA_IDS, DATA_IDS[] as "
                 "(SENSOR_TYPE, SENSOR_ID, DATA_ID)"]  # fmt: skip
    of_images = ["# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME", "# POINTS2D[] as (X, Y, POINT3D_ID)"]
    rig = _numbers(quaternion(cameras[0].world_from_camera.T))
    image = 0
    for number, (name, views) in enumerate(frames):
        data = []
        for view in views:
            image += 1
            pose = _numbers(quaternion(cameras[view].world_from_camera.T))
            of_images += [f"{image} {pose} 0 0 0 {view + 1} {view:02d}/{name}", ""]
            data.append(f"CAMERA {view + 1} {image}")
        of_frames.append(f"{number + 1} 1 {rig} 0 0 0 {len(data)} {' '.join(data)}")
    return {"frames.txt": of_frames, "images.txt": of_images}


def _from_rig(number: int, cameras: tuple[Camera, ...]) -> list[float]:
    """Rotation of a camera against the first one, as a quaternion."""
    return quaternion(cameras[number].world_from_camera.T @ cameras[0].world_from_camera)


def _parameters(camera: Camera) -> list[float]:
    return [camera.focal_px, camera.focal_px, camera.width / 2, camera.height / 2]


def _numbers(values: list[float]) -> str:
    return " ".join(repr(value) for value in values)


def quaternion(rotation: ArrayLike) -> list[float]:
    """Hamilton's w, x, y, z of a (3, 3) rotation, w not negative.

    Source: S. Shepperd, Quaternion from Rotation Matrix, J. Guidance and Control, 1978.
    """
    m = np.asarray(rotation, np.float64)
    squares = np.array([1 + np.trace(m), *(1 + 2 * m[axis, axis] - np.trace(m) for axis in range(3))])
    largest = int(np.argmax(squares))
    twice = math.sqrt(squares[largest])
    products = np.array(
        [
            [squares[0], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], squares[1], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], squares[2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], squares[3]],
        ]
    )
    found = products[largest] / (2 * twice)
    found = found if found[0] >= 0 else -found
    return [float(value) + 0.0 for value in found]
