"""SAM 2 video: each panorama as a video of the zigzag's views, in the folders of DAVIS, which SAM 2's training reads.

- `JPEGImages/NAME/00000.jpg`, ...: the views in zigzag order, in which each is a neighbour of the next;
- `Annotations/NAME/00000.png`, ...: 8 bits and a palette, the number of the object, 0 where there is none;
- `train.txt`: the names of the videos;
- `videos.json`: for each video its panorama, its objects (number in the masks, segment, label) and its cameras.

SAM 2 reads them with `PNGRawDataset(img_folder=JPEGImages, gt_folder=Annotations, file_list_txt=train.txt)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.colors import class_palette
from core.export.annotated import Output, Photos
from core.export.png import write_palette_png
from core.export.view_set import FRAME, camera_facts, cameras_of, dump, photo_facts, views_of, write_jpeg

DEFAULT_LAYOUT = "zigzag"
MAX_OBJECTS = 255


def write(photos: Photos, output: Output) -> None:
    """All files, `videos.json` last.

    Raises:
        ExportError: There is no such layout or size.
    """
    cameras = cameras_of(photos.options, DEFAULT_LAYOUT)
    palette = np.concatenate([np.zeros((1, 3), np.uint8), class_palette(MAX_OBJECTS)])
    videos = []
    for photo in photos:
        if not photo.segments:
            photos.losses.add("Without segments and left out: {}.", unit="panorama")
            continue
        name = photo.target.replace("/", "__")
        objects = {segment.number: n + 1 for n, segment in enumerate(photo.segments[:MAX_OBJECTS])}
        photos.losses.add("Beyond the 255 objects of a video and left out: {}.", len(photo.segments) - len(objects))
        frames: list[dict[str, Any]] = []
        with photos.attempt():
            for view in views_of(photo, cameras, photos.options):
                numbers = np.zeros(view.camera.size, np.uint8)
                for segment, mask in view.masks:
                    if segment.number in objects:
                        mask.paint(numbers, objects[segment.number])
                visible = np.bincount(numbers.ravel(), minlength=MAX_OBJECTS + 1)
                photos.losses.add(
                    "Covered in part by later ones: {}.",
                    sum(
                        visible[objects[segment.number]] < mask.count
                        for segment, mask in view.masks
                        if segment.number in objects
                    ),
                    unit="mask",
                )
                frame = f"{len(frames):05d}"
                with output.open(f"JPEGImages/{name}/{frame}.jpg") as stream:
                    write_jpeg(view.rgb, stream)
                with output.open(f"Annotations/{name}/{frame}.png") as stream:
                    write_palette_png(numbers, palette, stream)
                frames.append({"frame": frame, "view": view.number, **camera_facts(view.camera)})
            videos.append(
                {
                    "video": name,
                    "panorama": photo_facts(photo),
                    "objects": [
                        {"object": objects[s.number], "segment": s.number, "label": s.label}
                        for s in photo.segments
                        if s.number in objects
                    ],
                    "frames": frames,
                }
            )
            photos.losses.add(
                "The photograph shows nothing there, and left out are {}.", len(cameras) - len(frames), unit="view"
            )
            photos.drop_unheld(photo.segments)
    output.write("train.txt", "".join(f"{video['video']}\n" for video in videos).encode())
    output.write("videos.json", dump({"frame": FRAME, "videos": videos}))
