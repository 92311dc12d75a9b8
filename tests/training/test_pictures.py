import numpy as np
import pytest
from PIL import Image

from core.errors import ExportError
from training.pictures import write_picture


def test_a_picture_is_what_its_name_says(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    write_picture(rgb[:, ::-1], tmp_path / "a.PNG")
    write_picture(np.full((6, 8, 3), (200, 100, 50), np.uint8), tmp_path / "a.jpg")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.PNG")), rgb[:, ::-1])
    with Image.open(tmp_path / "a.jpg") as jpeg:
        assert jpeg.format == "JPEG"
        np.testing.assert_allclose(np.asarray(jpeg, int), np.broadcast_to((200, 100, 50), (6, 8, 3)), atol=3)


def test_another_ending_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ExportError, match=r"\.png, \.jpg"):
        write_picture(np.zeros((2, 2, 3), np.uint8), tmp_path / "a.tga")
    assert list(tmp_path.iterdir()) == []
