"""How much memory is free, within the limit of a container."""

import pytest

from core.io import memory

LIMIT, USED, COPIES = 8 << 30, (8 << 30) - 4096, 6 << 30


@pytest.mark.parametrize(
    ("limit", "used", "details", "line"),
    [
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
            "memory/memory.stat",
            "total_inactive_file",
        ),
    ],
)
def test_copies_of_files_that_fill_a_container_leave_its_memory_free(tmp_path, monkeypatch, limit, used, details, line):
    (tmp_path / "memory").mkdir()
    (tmp_path / limit).write_text(f"{LIMIT}\n")
    (tmp_path / used).write_text(f"{USED}\n")
    (tmp_path / details).write_text(f"anon 1\n{line} {COPIES}\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_meminfo_available", lambda: 64 << 30)
    monkeypatch.setattr(memory, "_physical_memory", lambda: 64 << 30)
    assert memory.available_memory() == LIMIT - USED + COPIES


def test_without_a_container_what_the_system_says_counts(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5\n")
    (tmp_path / "memory.stat").write_text("")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_meminfo_available", lambda: 7)
    monkeypatch.setattr(memory, "_physical_memory", lambda: 7)
    assert memory.available_memory() == 7


@pytest.mark.parametrize(
    ("told", "group", "limit", "used", "line"),
    [
        ("0::/batch/job 7\n", "batch/job 7", "memory.max", "memory.current", "inactive_file"),
        (
            "5:cpu,cpuacct:/elsewhere\n4:memory:/batch/job 7\n0::/\n",
            "memory/batch/job 7",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ],
)
@pytest.mark.parametrize("is_outer", [False, True])
def test_the_limit_of_the_own_group_and_of_those_around_it_counts(
    tmp_path, monkeypatch, told, group, limit, used, line, is_outer
):
    own = tmp_path / "groups" / group
    own.mkdir(parents=True)
    tight = own.parent if is_outer else own
    for folder, most in ((own, 40 << 30), (tight, LIMIT)):
        (folder / limit).write_text(f"{most}\n")
        (folder / used).write_text(f"{USED}\n")
        (folder / "memory.stat").write_text(f"{line} {COPIES}\n")
    (tmp_path / "own").write_text(told)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "groups")
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_meminfo_available", lambda: 64 << 30)
    monkeypatch.setattr(memory, "_physical_memory", lambda: 64 << 30)
    assert memory.available_memory() == LIMIT - USED + COPIES
