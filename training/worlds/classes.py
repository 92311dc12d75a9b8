"""The classes that worlds are labelled with: names of ADE20K, in the order of the network's outputs."""

CLASS_NAMES: tuple[str, ...] = (
    "wall",
    "floor",
    "ceiling",
    "windowpane",
    "door",
    "table",
    "chair",
    "sofa",
    "bed",
    "cabinet",
    "shelf",
    "curtain",
    "painting",
    "lamp",
    "plant",
    "person",
    "column",
    "stairs",
    "building",
    "sky",
    "road",
    "sidewalk",
    "grass",
    "earth",
    "tree",
    "car",
    "fence",
    "pole",
    "water",
    "mountain",
)
UNLABELLED = 255
"""Label of objects whose kind has no class here; neither trained nor judged."""

FURNITURE = ("table", "chair", "sofa", "bed", "cabinet", "shelf")
VEHICLE = ("car",)
