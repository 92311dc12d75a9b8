"""A training set of perspective views: pictures, masks, cameras, and for each the panorama it comes from.

- `images/NAME_VV.jpg`, `masks/NAME_VV.png`: view VV of the panorama `NAME`, upright by its pose, and the numbers of its
  segments, 16-bit grey, 0 where there is none, later segments on top;
- `instances.json`: COCO, each mask of each view whole; its images have `panorama` and `view`, its annotations the
  segment's `number` in the panorama among their `attributes`;
- `cameras.json`: the panoramas, and the camera of each picture.
"""

from __future__ import annotations

import numpy as np

from core.export.annotated import Output, Photos
from core.export.coco import NAME, CocoFile
from core.export.masks import MAX_NUMBER, count_covered
from core.export.png import write_png
from core.export.view_set import FRAME, camera_facts, cameras_of, dump, photo_facts, views_of, write_jpeg

DEFAULT_LAYOUT = "cube"


def write(photos: Photos, output: Output) -> None:
    """All files, `cameras.json` last.

    Raises:
        ExportError: There is no such layout or size.
    """
    cameras = cameras_of(photos.options, DEFAULT_LAYOUT)
    panoramas, views = [], []
    with output.open(NAME) as stream:
        file = CocoFile(stream, photos.categories)
        for photo in photos:
            shown: dict[int, bool] = {}
            count = 0
            with photos.attempt():
                for view in views_of(photo, cameras, photos.options, upright=True):
                    name = f"{photo.target}_{view.number:02d}"
                    with output.open(f"images/{name}.jpg") as picture:
                        write_jpeg(view.rgb, picture)
                    image = file.add_image(
                        f"images/{name}.jpg", *view.camera.size, panorama=photo.name, view=view.number
                    )
                    numbers = np.zeros(view.camera.size, np.uint16)
                    for segment, mask in view.masks:
                        shown[segment.number] = True
                        attributes = {"number": segment.number, "group": segment.group}
                        file.add(image, photos.category(segment), mask, attributes)
                        if segment.number <= MAX_NUMBER:
                            mask.paint(numbers, segment.number)
                        else:
                            photos.losses.add("The number does not fit into 16 bits in {}.", unit="mask")
                    photos.losses.add(
                        "Covered in part by later ones, except in instances.json: {}.",
                        count_covered(numbers, list(view.masks)),
                        unit="mask",
                    )
                    with output.open(f"masks/{name}.png") as picture:
                        write_png(numbers, picture)
                    views.append(
                        {
                            "image": f"images/{name}.jpg",
                            "mask": f"masks/{name}.png",
                            "panorama": photo.name,
                            "view": view.number,
                            **camera_facts(view.camera),
                        }
                    )
                    count += 1
                panoramas.append(photo_facts(photo))
                photos.losses.add(
                    "The photograph shows nothing there, and left out are {}.", len(cameras) - count, unit="view"
                )
                photos.losses.add(
                    "Smaller than a pixel of every view and left out: {}.", len(photo.segments) - len(shown)
                )
                photos.drop_unheld(photo.segments, "group")
        file.finish()
    output.write("cameras.json", dump({"frame": FRAME, "panoramas": panoramas, "views": views}))
