"""Mutated project files: the outcome is always a value or a sentence, in bounded time, and nothing else is touched."""

import base64
import copy
import json
import os
import random
import shutil
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_time import own_seconds
from project_samples import open_photo, some_annotation, some_mask, some_scene, some_segment

from core.errors import ProjectError
from core.io.annotation import decode, decode_outline, encode
from core.io.checked_json import FieldError
from core.io.journal import frame, journal_path
from core.io.lock import NAME as LOCK
from core.io.lock import lock_owner, lock_project
from core.io.project import find_photo, read_project
from core.io.project_file import NAME as PROJECT
from core.io.project_file import ProjectFile, Rename, write_project_file
from core.io.scene_file import annotation_path, open_scene, previous_path, read_annotation

MAX_SECONDS = 20.0
WORDS = [
    b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"-Infinity", b"99999999999999999999", b"1.5", b"2", b'""', b'"1"',
    b'"cat"', b"[]", b"{}", b"[[[[[[[[", b",", b":", b'"../x"', b'"/etc/passwd"', b'"\\ud800"', b'"\\u0000"', b"\x00",
    b"\xff\xfe",
]  # fmt: skip
VALUES = [
    None, True, False, 0, 1, -1, 2**31, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", "1", "door", "AAAA",
    "accepted", "#000000", "\ud800", "\0", "../x", "/x", "x" * 3000, [], {}, [None], [[]], {"": 0}, [1, 1], {"1": ""},
    base64.b64encode(zlib.compress(bytes(1_000_000))).decode(),
]  # fmt: skip


def mutated_bytes(data, dice):
    """The file with one to four changes of bytes."""
    data = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data)) if data else 0
        kind = dice.randrange(7)
        if kind == 0 and data:
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            del data[at : at + dice.randint(1, 60)]
        elif kind == 2:
            data[at:at] = dice.choice(WORDS)
        elif kind == 3:
            word = dice.choice(WORDS)
            data[at : at + len(word)] = word
        elif kind == 4:
            data[at:at] = data[at : at + dice.randint(1, 200)]
        elif kind == 5:
            del data[at:]
        else:
            data[at:at] = dice.randbytes(dice.randint(1, 20))
    return bytes(data)


def mutated_values(value, dice):
    """Parsed JSON with a change somewhere: another value, one more, one less, one twice."""
    if isinstance(value, (dict, list)) and value and dice.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = dice.choice(keys)
        kind = dice.random()
        if kind < 0.08:
            del value[key]
        elif kind < 0.14 and isinstance(value, dict):
            value[dice.choice(["extra", "number", "mask", "masks", "1", ""])] = copy.deepcopy(dice.choice(VALUES))
        elif kind < 0.14:
            value.insert(key, json.loads(json.dumps(value[dice.randrange(len(value))])))
        else:
            value[key] = mutated_values(value[key], dice)
        return value
    return copy.deepcopy(dice.choice(VALUES))


def mutated_json(data, dice):
    values = json.loads(data)
    for _ in range(dice.randint(1, 3)):
        values = mutated_values(values, dice)
    return json.dumps(values, ensure_ascii=True).encode()


def mutated_journal(data, dice):
    """Lines with sound checksums and other content, so that more than the checksum is tried."""
    lines = data.splitlines()
    at = dice.randrange(len(lines))
    text = lines[at][18:]
    try:
        changed = mutated_json(text, dice) if dice.random() < 0.8 else mutated_bytes(text, dice)
    except ValueError:
        changed = b"{"
    lines[at] = frame(changed.replace(b"\n", b" ").decode("utf-8", "replace"))[:-1]
    if dice.random() < 0.2:
        lines.insert(dice.randrange(len(lines)), dice.choice(lines))
    return b"\n".join(lines) + b"\n"


def make_project(folder):
    """A photograph with a saved file, a previous generation, a journal, a lock and a project file; the photograph."""
    panorama = open_photo(folder)
    write_project_file(folder, ProjectFile(labels=some_annotation().labels, renames=(Rename("a", "b"),)))
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    file.save(some_scene(panorama, 2))
    scene = some_scene(panorama, 3)
    file.record("Add", scene)
    file.record("Brush", replace(scene, segments=(*scene.segments[1:], some_segment(9, mask=some_mask(99)))))
    file._journal.saving(some_annotation(1), "e" * 64)
    file.record("Review", replace(scene, segments=scene.segments[::-1]))
    file.close()
    lock_project(folder)
    return panorama


def use_everything(panorama):
    """What the window and the command line do with a project; every refusal must be a sentence."""
    folder = panorama.path.parent
    sentences = []

    def attempt(function, *args):
        try:
            return function(*args)
        except ProjectError as error:
            sentences.append(str(error))
            return None

    project = attempt(read_project, folder)
    if project is not None:
        sentences.extend(entry.problem for entry in project.entries if entry.problem)
        for entry in project.entries:
            attempt(project.annotation, entry)
    attempt(lock_owner, folder)
    attempt(lock_project, folder)
    annotation = attempt(read_annotation, annotation_path(panorama.path))
    if annotation is not None:
        attempt(find_photo, annotation_path(panorama.path), annotation.photo, folder)
    file = attempt(open_scene, panorama)
    if file is not None:
        sentences.extend(file.notes)
        if file.recovery is not None:
            attempt(file.accept_recovery)
        file.record("Add", replace(file.scene, segments=()))
        # The project file may be damaged: then the label set is not shared, but the scene is saved.
        attempt(file.save, file.scene)
        file.close()
    for sentence in sentences:
        assert "\n" not in sentence
        assert "Traceback" not in sentence
        assert str(folder) in sentence
        assert len(sentence) < 700, sentence


def check_mutations(folder, count, seed, monkeypatch):
    # What survives a power cut is no question here, and waiting for the disk takes most of the time.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    dice = random.Random(seed)
    outside = folder / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"precious")
    sample = folder / "sample"
    panorama = make_project(sample)
    photo = panorama.path.read_bytes()
    path = annotation_path(panorama.path)
    targets = {
        path.name: (mutated_bytes, mutated_json),
        previous_path(path).name: (mutated_bytes, mutated_json),
        journal_path(path).name: (mutated_bytes, mutated_journal),
        PROJECT: (mutated_bytes, mutated_json),
        LOCK: (mutated_bytes, mutated_json),
    }
    work = folder / "work"
    longest = 0.0
    for number in range(count):
        shutil.copytree(sample, work)
        name = dice.choice([path.name, path.name, *targets])
        data = dice.choice(targets[name])((sample / name).read_bytes(), dice)
        (work / name).write_bytes(data)
        began, _ = own_seconds()
        try:
            use_everything(replace(panorama, path=work / panorama.path.name))
        except Exception:
            (folder / "failing").write_bytes(data)
            raise AssertionError(f"mutation {number} of {name}: {data[:3000]!r}") from None
        longest = max(longest, own_seconds()[0] - began)
        assert (work / panorama.path.name).read_bytes() == photo
        shutil.rmtree(work)
    assert {file.name for file in folder.iterdir()} == {"outside", "sample"}
    assert [(file.name, file.read_bytes()) for file in outside.iterdir()] == [("x", b"precious")]
    assert longest < MAX_SECONDS


def test_mutated_files_give_a_sentence_or_a_scene(tmp_path, monkeypatch):
    check_mutations(tmp_path, 250, 3, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_mutated_files_give_a_sentence_or_a_scene(tmp_path, monkeypatch):
    check_mutations(tmp_path, 10_000, 4, monkeypatch)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def decode_or_refuse(data):
    for read in (decode, decode_outline):
        try:
            value = read(data)
        except FieldError:
            continue
        if read is decode:
            assert decode(encode(value)).photo == value.photo


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(data):
    decode_or_refuse(data)


@given(st.data())
def test_any_value_in_any_field_is_decoded_or_refused(data):
    values = json.loads(encode(some_annotation(1)))
    at = values
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], (dict, list)) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(json_values)
    decode_or_refuse(json.dumps(values).encode())
