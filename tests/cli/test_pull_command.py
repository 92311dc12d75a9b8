"""Fetching weights from the command line: what is told and asked first, and what happens without a network."""

import os
import pty
import re
import socket
import sys
import threading
import traceback

import pytest
import torch
from commands import is_one_sentence, photo
from fake_hub import hub
from tiny_dap import published, tiny

from core.io.digest import content_sha256
from core.models import find_model, weights_file
from core.models.places import Places, read_places, write_places
from panoviewer import cli

__all__ = ["hub", "published", "tiny"]

PLACE = "Insta360-Research/DAP-weights/model.pth"


@pytest.fixture
def offered(published, hub):
    """The server has the published file."""
    hub.files[PLACE] = published.read_bytes()
    return published


def run(*args):
    return cli.main([str(arg) for arg in args])


def is_added():
    return weights_file(find_model("dap")).is_file()


@pytest.fixture
def terminal(monkeypatch):
    """Whoever types there is asked; returns what types."""
    ours, theirs = pty.openpty()
    with open(theirs) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield lambda text: os.write(ours, text.encode())
    os.close(ours)


def test_size_and_licence_are_told_and_one_word_is_enough_to_agree(offered, capsys, hub):
    assert run("models", "pull", "dap", "--yes") == 0
    told = capsys.readouterr()
    assert f"{offered.stat().st_size / 1e6:.1f} MB" in told.out
    assert find_model("dap").licence in told.out
    assert re.search(r"estimate for this processor: [\d.]+ s, 2\.1 GB of memory", told.out)
    assert content_sha256(offered) in told.err
    assert is_added()
    hub.requests.clear()
    assert run("models", "pull", "dap", "--yes") == 0
    assert "already" in capsys.readouterr().out
    assert hub.gotten() == []


@pytest.mark.parametrize(
    ("typed", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 2), ("\n", 2), ("maybe\n", 2), ("\x04", 2)]
)
def test_where_the_licence_restricts_one_is_asked(offered, terminal, capsys, hub, typed, code):
    terminal(typed)
    assert run("models", "pull", "dap") == code
    told = capsys.readouterr()
    assert "[y/N]" in told.err
    assert is_added() == (code == 0)
    assert bool(hub.gotten()) == (code == 0)
    assert find_model("dap").licence in told.out


def test_a_perspective_network_is_fetched_by_its_name(hub, capsys, tmp_path, monkeypatch):
    tiny = pytest.importorskip("tiny_published")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    name = "some-lab/tiny-depth"
    tiny.write(tmp_path / "theirs", tiny.glpn())
    hub.files = {f"{name}/{path.name}": path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    hub.files[f"{name}/README.md"] = b"---\nlicense: mit\n---\n"
    assert run("models", "pull", name) == 0
    told = capsys.readouterr()
    assert all(part in told.out for part in ("depth", "MB", "licence of the weights: mit", "estimate for this"))
    assert f"--model {name}" in told.err
    picture = photo(tmp_path / "a.png", 32, 64)
    assert run("predict", picture, "-o", tmp_path / "out", "--model", name, "--device", "cpu") == 0
    assert run("models", "pull", name) == 0
    assert "already" in capsys.readouterr().out
    assert run("models", "list") == 0
    assert name in capsys.readouterr().out
    assert run("models", "verify", name) == run("models", "remove", name) == 0
    hub.files[f"{name}/README.md"] = b"---\nlicense: other\n---\n"
    capsys.readouterr()
    with open(os.devnull) as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert run("models", "pull", name) == 2
    assert is_one_sentence(capsys.readouterr().err)


def test_where_nobody_can_be_asked_nothing_is_fetched(offered, monkeypatch, capsys, hub):
    with open(os.devnull) as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert run("models", "pull", "dap") == 2
    told = capsys.readouterr()
    assert is_one_sentence(told.err)
    assert "--yes" in told.err
    assert hub.gotten() == []


def test_a_file_that_was_replaced_is_asked_about(offered, terminal, capsys, hub):
    assert run("models", "pull", "dap", "--yes") == 0
    entries = torch.load(offered, weights_only=True)
    entries["module.core.pretrained.norm.bias"] += 1
    torch.save(entries, offered)
    hub.files[PLACE] = offered.read_bytes()
    hub.commit = "f" * 40
    terminal("n\n")
    before = content_sha256(weights_file(find_model("dap")))
    assert run("models", "pull", "dap") == 2
    assert "has replaced it" in capsys.readouterr().out
    assert content_sha256(weights_file(find_model("dap"))) == before


@pytest.fixture
def no_network(monkeypatch):
    """No socket leads anywhere; by whom it was tried is listed."""
    tried = []

    def refuse(*args, **_):
        tried.append(f"{args} in {threading.current_thread().name}:\n{''.join(traceback.format_stack(limit=12))}")
        raise OSError(101, "Network is unreachable")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    # An address that no test before has a connection to: one that is kept open is used without another try.
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    return tried


def test_without_a_network_nothing_is_tried_but_what_was_asked_for(published, no_network, tmp_path, capsys):
    image = photo(tmp_path / "a.png", 64, 128)
    for command in (
        ["models", "list"],
        ["models", "list", "--json"],
        ["models", "add", published],
        ["models", "verify"],
        ["models", "settings"],
        ["models", "convert", published, "-o", tmp_path / "own.safetensors"],
        ["models", "run", "dap", image, "--raw", "-o", tmp_path / "raw.npz"],
        ["predict", image, "--model", "dap", "-o", tmp_path / "out"],
        ["predict", image, "-o", tmp_path / "out"],
        ["models", "remove", "dap"],
        ["info", "--json"],
    ):
        assert run(*command) == 0, (command, capsys.readouterr().err)
    assert not no_network, no_network[0]
    capsys.readouterr()
    assert run("models", "pull", "dap", "--yes") == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "cannot be reached" in told
    assert "panoviewer models add model.pth --as dap" in told
    assert no_network


def test_converted_weights_are_a_model_by_their_place(published, tmp_path, capsys):
    own = tmp_path / "folder" / "mine.safetensors"
    assert run("models", "convert", published, "-o", own) == 0
    assert content_sha256(own) in capsys.readouterr().out
    assert not is_added()
    image = photo(tmp_path / "a.png", 64, 128)
    assert run("predict", image, "--model", own, "-o", tmp_path / "out") == 0
    assert run("models", "add", published) == 0
    assert content_sha256(weights_file(find_model("dap"))) == content_sha256(own)
    assert run("models", "convert", published, "-o", own) == 0, "its own card may be replaced"


def test_converting_does_not_replace_a_strangers_file(published, tmp_path, capsys):
    (tmp_path / "mine.json").write_text("[1]")
    assert run("models", "convert", published, "-o", tmp_path / "mine.safetensors") == 2
    assert is_one_sentence(capsys.readouterr().err)
    assert (tmp_path / "mine.json").read_text() == "[1]"
    assert not (tmp_path / "mine.safetensors").exists()


def test_the_folder_and_the_mirror_are_shown_and_changed(published, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    try:
        assert run("models", "settings", "--folder", "weights", "--mirror", "https://mirror.example/") == 0
        told = capsys.readouterr().out
        assert str(tmp_path / "weights") in told
        assert "https://mirror.example" in told
        assert run("models", "add", published) == 0
        assert (tmp_path / "weights" / "dap.safetensors").is_file()
        assert run("models", "settings", "--folder", "default", "--mirror", "default") == 0
        assert read_places() == Places()
        assert not is_added()
    finally:
        write_places(Places())
