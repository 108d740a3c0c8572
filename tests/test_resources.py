"""What a container or a batch system allows counts, not what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailmill import resources


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Control groups of version 2: this process is in system.slice/mill.service."""
    monkeypatch.setattr(resources, "_GROUPS", tmp_path)
    monkeypatch.setattr(resources, "_OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    (tmp_path / "own").write_text("0::/system.slice/mill.service\n")
    (tmp_path / "system.slice" / "mill.service").mkdir(parents=True)
    return tmp_path


def test_without_limits_it_is_the_machine(groups: Path) -> None:
    assert resources.cores() == 64
    (groups / "system.slice" / "mill.service" / "cpu.max").write_text("max 100000\n")
    (groups / "system.slice" / "mill.service" / "memory.max").write_text("max\n")
    assert resources.cores() == 64
    assert resources.memory() == pytest.approx(resources._meminfo("MemAvailable"), rel=0.2)


@pytest.mark.parametrize("where", ["", "system.slice", "system.slice/mill.service"])
def test_the_lowest_limit_of_all_groups_above_counts(where: str, groups: Path) -> None:
    (groups / where / "cpu.max").write_text("150000 100000\n")
    (groups / where / "memory.max").write_text(f"{2**20}\n")
    assert resources.cores() == 2
    assert resources.memory() == 2**20


def test_in_a_container_the_group_is_the_root(groups: Path) -> None:
    (groups / "own").write_text("0::/\n")
    (groups / "cpu.max").write_text("20000 100000\n")
    assert resources.cores() == 1
    (groups / "own").write_text("0::/../elsewhere\n")  # of a group outside of this container
    assert resources.cores() == 1


def test_version_1_has_files_of_its_own(groups: Path) -> None:
    (groups / "own").write_text("5:memory:/x\n")
    (groups / "memory").mkdir()
    (groups / "memory" / "memory.limit_in_bytes").write_text("4096\n")
    assert resources.memory() == 4096
    (groups / "cpu").mkdir()
    (groups / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    for quota, cores in (("-1", 64), ("250000", 3)):
        (groups / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
        assert resources.cores() == cores
