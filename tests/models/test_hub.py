"""Published weights that are fetched: whole, in pieces, refused, damaged, given up, and without a network."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest
from fake_hub import COMMIT, hub
from tiny_dap import save, tiny

import core.models
from core.errors import ModelUnavailable, OutOfSpace
from core.models import hub_server, load_model, models_folder
from core.models.facts import model_facts
from core.models.hub import look, pull
from core.models.places import Places, write_places
from core.models.store import Origin, add_model, read_card, remove_model, verify_model
from core.progress import Cancelled

__all__ = ["hub", "tiny"]

PLACE = "Insta360-Research/DAP-weights/model.pth"
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600
"""Seconds to wait for what is sure to come, also on a machine with other work."""


@pytest.fixture
def content(tiny, tmp_path, hub):
    """The bytes of a published file, which the server has."""
    hub.files[PLACE] = save(tiny, tmp_path / "model.pth").read_bytes()
    return hub.files[PLACE]


def dap():
    return core.models.find_model("dap")


def arrived():
    """Bytes of what has not arrived completely, by file."""
    return [path.stat().st_size for path in (models_folder() / ".fetched").glob("*.part*")]


def is_sentence(refused, *parts):
    text = str(refused.value)
    return "\n" not in text and all(part in text for part in parts)


def test_a_published_file_is_fetched_and_taken_over_like_one_that_was_brought(content, hub, tmp_path):
    offer = look("dap")
    assert [method for method, _, _ in hub.requests] == ["HEAD"]
    assert (offer.bytes, offer.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (offer.arrived, offer.is_added, offer.is_changed) == (0, False, False)
    told = []
    card = pull(offer, progress=lambda done, total: told.append(done / total))
    assert told == sorted(told)
    assert told[-1] > 0.95
    assert card.source.name == "model.pth"
    assert card.source.sha256 == offer.sha256
    assert card.origin == Origin("Insta360-Research/DAP-weights", "model.pth", COMMIT)
    assert verify_model("dap") == card == read_card(dap())
    assert load_model("dap", device="cpu")
    assert arrived() == []
    assert look("dap").is_added
    brought = add_model(tmp_path / "model.pth")
    assert brought.weights.sha256 == card.weights.sha256
    assert brought.origin is None


def test_exactly_the_version_that_was_offered_is_fetched(content, hub):
    offer = look("dap")
    pull(offer)
    assert any(f"/resolve/{COMMIT}/" in path for method, path, _ in hub.requests if method == "GET")


def test_who_is_logged_in_is_told_to_the_hub_and_to_nobody_else(content, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull(look("dap"))
    told = {path.startswith("/content/"): headers.get("Authorization") for _, path, headers in hub.requests}
    assert told == {False: "Bearer hf_secret", True: None}


def test_a_mirror_stands_in_for_the_hub(content, hub, monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT")
    write_places(Places(mirror=hub.address + "/"))
    try:
        assert pull(look("dap")).origin.commit == COMMIT
    finally:
        write_places(Places())


def test_a_transfer_that_breaks_off_is_taken_up_where_it_was(content, hub):
    hub.breaks = [50_000, 1, 100_000]
    card = pull(look("dap"))
    assert card.source.sha256 == hashlib.sha256(content).hexdigest()
    assert hub.gotten() == [0, 50_000, 50_001, 150_001]


def test_a_server_that_is_busy_is_asked_again(content, hub):
    hub.busy = 3
    assert pull(look("dap")).source.bytes == len(content)
    assert len(hub.gotten()) == 4


def test_a_transfer_that_is_given_up_is_kept_for_the_next_time(content, hub):
    hub.breaks = [70_000, *[0] * 20]
    with pytest.raises(ModelUnavailable) as refused:
        pull(look("dap"))
    assert is_sentence(refused, "broke off after 0.1 of", "goes on from there", "models add")
    assert arrived() == [70_000]
    assert model_facts(dap()).state == "missing"
    hub.breaks = []
    hub.requests.clear()
    offer = look("dap")
    assert offer.arrived == 70_000
    assert offer.needed_bytes == offer.bytes - 70_000 + 4 * dap().parameters
    assert pull(offer).source.sha256 == hashlib.sha256(content).hexdigest()
    assert hub.gotten() == [70_000]


def test_a_server_that_gives_no_parts_gives_the_whole(content, hub):
    hub.ranges = False
    hub.breaks = [70_000]
    assert pull(look("dap")).source.sha256 == hashlib.sha256(content).hexdigest()


def test_what_has_arrived_of_another_version_is_not_mixed_in(content, tiny, hub, tmp_path):
    hub.breaks = [70_000, *[0] * 20]
    with pytest.raises(ModelUnavailable):
        pull(look("dap"))
    hub.breaks = []
    tiny["core.pretrained.norm.bias"] = tiny["core.pretrained.norm.bias"] + 1
    hub.files[PLACE] = save(tiny, tmp_path / "new.pth").read_bytes()
    hub.commit = "f" * 40
    hub.requests.clear()
    card = pull(look("dap"))
    assert card.origin.commit == "f" * 40
    assert hub.gotten() == [0]
    assert arrived() == []


REFUSALS = {
    "no such repository": ((401, "RepoNotFound"), "no such file"),
    "no such version": ((404, "RevisionNotFound"), "no such file"),
    "no such file": ((404, "EntryNotFound"), "no such file"),
    "gated": ((403, "GatedRepo"), "hf auth login"),
    "gated, not logged in": ((401, "GatedRepo"), "hf auth login"),
    "a wrong login": ((401, ""), "models add"),
    "forbidden": ((403, ""), "status 403"),
    "out of order": ((500, ""), "status 500"),
}


@pytest.mark.parametrize(("refusal", "word"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_one_sentence_that_says_how_to_do_without(content, hub, refusal, word):
    hub.refusal = refusal
    with pytest.raises(ModelUnavailable) as refused:
        look("dap")
    assert is_sentence(refused, word, "panoviewer models add model.pth --as dap")


def test_a_refusal_between_the_offer_and_the_transfer_is_a_sentence_too(content, hub):
    offer = look("dap")
    hub.refusal = (403, "GatedRepo")
    with pytest.raises(ModelUnavailable, match="hf auth login"):
        pull(offer)


def test_a_file_that_is_not_there_is_a_sentence(hub, tiny):
    hub.files[PLACE.replace("model.pth", "other.pth")] = b"something else"
    with pytest.raises(ModelUnavailable, match=r"model\.pth.*no such file"):
        look("dap")


@pytest.mark.parametrize("lie", [{"tag": "ab" * 32}, {"size": 1000}, {"size": 10_000_000}], ids=str)
def test_what_is_not_what_was_announced_is_not_added(content, hub, lie):
    vars(hub).update(lie)
    with pytest.raises(ModelUnavailable) as refused:
        pull(look("dap"))
    assert is_sentence(refused, "Expected", "models add")
    assert model_facts(dap()).state == "missing"
    vars(hub).update({"tag": "", "size": None})
    assert pull(look("dap")).source.sha256 == hashlib.sha256(content).hexdigest()


def test_a_file_of_another_network_is_refused_and_not_kept(content, hub, tmp_path):
    hub.files[PLACE] = save({"a": __import__("torch").zeros(3)}, tmp_path / "other.pth").read_bytes()
    with pytest.raises(ModelUnavailable, match="lacks"):
        pull(look("dap"))
    assert arrived() == []
    assert model_facts(dap()).state == "missing"


def test_a_hash_that_nobody_announces_is_recorded_and_compared_ever_after(content, hub):
    hub.tag = "some-name"
    offer = look("dap")
    assert offer.sha256 == ""
    card = pull(offer)
    assert card.source.sha256 == hashlib.sha256(content).hexdigest()
    remove_model("dap")
    assert pull(look("dap")).source == card.source
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 1
    hub.files[PLACE] = bytes(damaged)
    with pytest.raises(ModelUnavailable, match="when this version was first used"):
        pull(look("dap"))
    assert verify_model("dap").source == card.source, "what was added before is still there"


def test_a_file_that_the_publisher_has_replaced_is_told_before_it_is_fetched(content, tiny, hub, tmp_path):
    pull(look("dap"))
    tiny["core.pretrained.norm.bias"] = tiny["core.pretrained.norm.bias"] + 1
    hub.files[PLACE] = save(tiny, tmp_path / "new.pth").read_bytes()
    hub.commit = "f" * 40
    offer = look("dap")
    assert offer.is_changed
    assert not offer.is_added
    pull(offer)
    assert not look("dap").is_changed


@pytest.mark.parametrize("record", [b"", b"[]", b'{"a": 1}', b"\xff", b'{"%s": {"commit": 1}}' % PLACE.encode()])
def test_a_damaged_record_of_first_use_is_none(content, hub, record):
    (models_folder() / ".fetched").mkdir(parents=True)
    (models_folder() / ".fetched" / "first.json").write_bytes(record)
    assert not look("dap").is_changed
    pull(look("dap"))
    assert json.loads((models_folder() / ".fetched" / "first.json").read_text())[PLACE]["commit"] == COMMIT


def test_whoever_has_enough_is_heard_while_the_server_is_silent(content, hub, monkeypatch):
    hub.stalls = 3 * 16384
    offer = look("dap")
    asked = None

    def stop(_done, _total):
        nonlocal asked
        if hub.silent.is_set() and arrived() == [3 * 16384]:
            asked = asked or time.monotonic()
            raise Cancelled

    monkeypatch.setattr(hub_server, "SECONDS", 30.0)
    with pytest.raises(Cancelled):
        pull(offer, progress=stop)
    assert asked is not None
    assert not hub.released.is_set(), "it was heard without a word from the server"
    assert model_facts(dap()).state == "missing"
    hub.release()
    hub.requests.clear()
    pull(look("dap"))
    assert hub.gotten() == [3 * 16384]


@pytest.mark.parametrize("mute", ["HEAD", "GET"])
def test_whoever_has_enough_is_heard_before_the_server_has_said_a_word(content, hub, monkeypatch, mute):
    monkeypatch.setattr(hub_server, "SECONDS", 600.0)
    offer = look("dap") if mute == "GET" else None
    hub.mute = mute

    def stop(_done, _total):
        if hub.silent.is_set():
            raise Cancelled

    with pytest.raises(Cancelled):
        look("dap", progress=stop) if offer is None else pull(offer, progress=stop)
    assert not hub.released.is_set()
    hub.release()
    pull(look("dap"))


def test_progress_is_told_several_times_a_second_while_a_piece_is_on_its_way(content, hub, monkeypatch):
    monkeypatch.setattr(hub_server, "SECONDS", 600.0)
    hub.stalls = 16384
    offer, told = look("dap"), []

    def count(_done, _total):
        if hub.silent.is_set() and arrived() == [16384]:
            told.append(time.monotonic())
            if len(told) == 5:
                raise Cancelled

    with pytest.raises(Cancelled):
        pull(offer, progress=count)
    assert not hub.released.is_set()


@pytest.mark.parametrize("share", [0.905, 0.95])
def test_whoever_has_enough_while_the_weights_are_made_keeps_what_has_arrived(content, hub, share):
    def stop(done, total):
        if done / total > share:
            raise Cancelled

    with pytest.raises(Cancelled):
        pull(look("dap"), progress=stop)
    assert arrived() == [len(content)]
    assert model_facts(dap()).state == "missing"
    hub.requests.clear()
    pull(look("dap"))
    assert hub.gotten() == []


def test_too_little_space_is_told_before_anything_is_fetched(content, hub, monkeypatch):
    offer = look("dap")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, offer.needed_bytes - 1))
    with pytest.raises(OutOfSpace) as refused:
        pull(offer)
    assert is_sentence(refused, "MB of free space", "--folder")
    assert str(refused.value).endswith(str(models_folder()))
    assert hub.gotten() == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, offer.needed_bytes))
    pull(offer)


def test_a_disk_that_fills_up_on_the_way_is_a_sentence_and_nothing_is_lost(content, hub):
    code = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import huggingface_hub, torch
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
"""
    process = program(code, "models", "pull", "dap", "--yes")
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, told
    assert "Traceback" not in told
    assert arrived() == [100_000]
    hub.requests.clear()
    pull(look("dap"))
    assert hub.gotten() == [100_000]


def program(code, *args):
    """The command line in a process of its own, for the tiny network."""
    setup = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from tiny_dap import CONFIG\n"
        "from core.models.networks import dap\n"
        f"dap.PUBLISHED = CONFIG\n{code}\n"
        "from panoviewer import cli\n"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", setup, *args],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_ended_on_the_way_leaves_nothing_half_and_the_next_one_goes_on(content, hub, number):
    hub.stalls = 5 * 16384
    process = program("", "models", "pull", "dap", "--yes")
    assert hub.silent.wait(PATIENCE)
    while arrived() != [5 * 16384]:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in told
    assert model_facts(dap()).state == "missing"
    with pytest.raises(ModelUnavailable):
        load_model("dap", device="cpu")
    hub.release()
    hub.requests.clear()
    assert pull(look("dap")).source.sha256 == hashlib.sha256(content).hexdigest()
    assert hub.gotten() == [5 * 16384]


def test_two_at_once_do_not_get_into_each_others_way(content, hub):
    hub.stalls = 16384
    offer = look("dap")
    first = threading.Thread(target=pull, args=(offer,))
    first.start()
    assert hub.silent.wait(PATIENCE)
    with pytest.raises(ModelUnavailable, match="Another PanoViewer"):
        pull(offer)
    hub.release()
    first.join(PATIENCE)
    assert verify_model("dap").source.bytes == len(content)


def test_a_closed_port_is_a_sentence(hub, tiny, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable) as refused:
        look("dap")
    assert is_sentence(refused, "cannot be reached", "models add model.pth --as dap")


def test_who_forbids_the_network_is_heard(content, hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match="HF_HUB_OFFLINE"):
        look("dap")
    assert hub.requests == []


def test_without_the_optional_package_one_learns_what_to_install(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelUnavailable) as refused:
        look("dap")
    assert is_sentence(refused, "panoviewer[published]", "models add model.pth --as dap")


def test_where_nothing_is_published_one_learns_how_to_add_by_hand(monkeypatch):
    spec = core.models.ModelSpec(
        "mine", "", (), "", "mine.safetensors", source="", licence="", layout="somewhere:layout"
    )
    monkeypatch.setattr(core.models, "MODELS", (*core.models.MODELS, spec))
    with pytest.raises(ModelUnavailable, match=r"not known where.*models add FILE --as mine"):
        look("mine")


@pytest.mark.parametrize("name", ["pano-s", "click-s", "nonsense"])
def test_what_comes_with_the_program_or_is_unknown_is_not_fetched(name):
    with pytest.raises(ModelUnavailable, match="dap"):
        look(name)
