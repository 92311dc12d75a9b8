"""The files that a project consists of."""

import os

import pytest

from core.errors import ProjectError
from core.io.own_files import keep_previous, read_own, write_own


def test_the_previous_generation_is_kept_again_without_a_trace_when_nothing_was_written_since(tmp_path):
    path, kept = tmp_path / "file", tmp_path / "file.bak"
    write_own(path, b"first")
    keep_previous(path, kept)
    keep_previous(path, kept)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "file.bak"]
    write_own(path, b"second")
    keep_previous(path, kept)
    assert (path.read_bytes(), kept.read_bytes()) == (b"second", b"second")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "file.bak"]


def test_a_folder_in_the_place_of_a_file_is_a_sentence_and_leaves_nothing_open(tmp_path):
    (tmp_path / "file").mkdir()
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        with pytest.raises(ProjectError, match="Expected an ordinary file"):
            read_own(tmp_path / "file", 100)
    assert before == (len(os.listdir("/proc/self/fd")) if before else 0)


def test_a_name_that_no_file_can_have_is_a_sentence(tmp_path):
    with pytest.raises(ProjectError, match="too long"):
        read_own(tmp_path / ("x" * 300), 100)
