"""CVAT XML 1.1 'for images': one file for a project, every segment a mask of run lengths along the rows of its box.

Source: https://docs.cvat.ai/docs/dataset_management/formats/xml_format/
"""

from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

from core.export.annotated import Output, Photos
from core.geometry.run_lengths import row_lengths

NAME = "annotations.xml"

_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def write(photos: Photos, output: Output) -> None:
    """One file, `annotations.xml`."""
    names = {category.name: _plain(category.name) for category in photos.categories}
    photos.losses.add(
        "Characters that XML does not have are replaced in {}.",
        sum(name != plain for name, plain in names.items()),
        unit="label",
    )
    with output.open(NAME) as stream:
        stream.write(b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        stream.write(b"<meta><task><name>PanoViewer</name><mode>annotation</mode><labels>\n")
        for category in photos.categories:
            color = "#" + "".join(f"{part:02x}" for part in category.color)
            name = _escaped(names[category.name])
            stream.write(f"<label><name>{name}</name><color>{color}</color><type>mask</type>".encode())
            stream.write(b"<attributes></attributes></label>\n")
        stream.write(b"</labels></task></meta>\n")
        for number, photo in enumerate(photos):
            size = f'width="{photo.grid.width}" height="{photo.grid.height}"'
            stream.write(f'<image id="{number}" name={quoteattr(_plain(photo.name))} {size}>\n'.encode())
            shown = []
            for layer, segment in enumerate(photo.segments):
                mask = photos.flat(photo, segment)
                if mask is None:
                    continue
                x, y, width, height = mask.box
                lengths = ", ".join(map(str, row_lengths(mask.bits).tolist()))
                group = f' group_id="{segment.group}"' if segment.group else ""
                source = "auto" if segment.model else "manual"
                label = quoteattr(names[photos.category(segment).name])
                stream.write(
                    f'<mask label={label} source="{source}" occluded="0" rle="{lengths}" left="{x}" top="{y}" '
                    f'width="{width}" height="{height}" z_order="{layer}"{group}></mask>\n'.encode()
                )
                shown.append(segment)
            stream.write(b"</image>\n")
            photos.drop_unheld(shown, "group")
        stream.write(b"</annotations>\n")


def _plain(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
