"""Where added weights lie: the user's choice, or a default that follows the system."""

import json
import sys
from pathlib import Path

import pytest

from core.errors import ExportError, ModelUnavailable
from core.folders import config_folder
from core.models import models_folder
from core.models.places import Places, read_places, write_places


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_without_a_choice_the_weights_lie_in_the_users_data_folder(tmp_path):
    assert read_places() == Places()
    assert models_folder() == tmp_path / "data" / "panoviewer" / "models"


def test_a_choice_overrides_the_data_folder_until_it_is_taken_back(tmp_path):
    write_places(Places(tmp_path / 'große Platte, "2" = 100%', "https://mirror.example/hub/"))
    assert models_folder() == tmp_path / 'große Platte, "2" = 100%'
    assert read_places().mirror == "https://mirror.example/hub"
    write_places(Places())
    assert models_folder() == tmp_path / "data" / "panoviewer" / "models"


@pytest.mark.parametrize(
    "places",
    [Places(Path("weights")), Places(mirror="mirror.example"), Places(mirror="file:///etc"), Places(mirror="https://")],
)
def test_what_is_no_place_is_refused_and_the_choice_before_stays(tmp_path, places):
    before = Places(tmp_path / "here", "http://localhost:1")
    write_places(before)
    with pytest.raises(ModelUnavailable, match="Expected"):
        write_places(places)
    assert read_places() == before


@pytest.mark.parametrize("place", ["/proc/weights", "{tmp}/file/weights"])
def test_a_folder_that_cannot_be_written_is_refused_and_the_choice_before_stays(tmp_path, place):
    (tmp_path / "file").write_text("no folder")
    before = Places(tmp_path / "here")
    write_places(before)
    folder = Path(place.format(tmp=tmp_path))
    with pytest.raises(ExportError) as refused:
        write_places(Places(folder))
    assert str(refused.value).endswith(str(folder))
    assert "\n" not in str(refused.value)
    assert read_places() == before


def test_the_mirror_can_be_changed_while_the_disk_with_the_weights_is_away(tmp_path):
    write_places(Places(tmp_path / "disk"))
    (tmp_path / "disk").rmdir()
    write_places(Places(tmp_path / "disk", "http://localhost:1"))
    assert read_places().mirror == "http://localhost:1"
    assert not (tmp_path / "disk").exists()


BROKEN = {
    "no JSON": b"{",
    "a list": b"[]",
    "a number": b'{"folder": 3}',
    "no text": b"\xff\xfe",
    "a part of a path": b'{"folder": "weights"}',
    "deep": b"[" * 60_000,
    "large": b'{"folder": "' + b"/" * 70_000 + b'"}',
    "a null byte": json.dumps({"folder": "/a\0b"}).encode(),
    "a mirror that is none": b'{"mirror": ["http://a"]}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_holds_nothing_usable_is_no_choice(content):
    config_folder().mkdir(parents=True)
    (config_folder() / "models.json").write_bytes(content)
    assert read_places() == Places()


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have other folders")
def test_the_choice_lies_beside_the_other_settings(monkeypatch, tmp_path):
    assert config_folder() == tmp_path / "config" / "panoviewer"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert config_folder() == Path.home() / ".config" / "panoviewer"
