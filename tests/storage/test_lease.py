"""The lease: of racing runs one wins, a dead one's expires, a lost one is noticed before anything is published."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mailmill.config import StorageSection
from mailmill.errors import ConfigError, InfrastructureError
from mailmill.storage import lease
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.holder import Holder, identity
from mailmill.storage.lease import Lease
from tests.s3_proxy import proxy

Place = tuple[Storage, str]


def held_by(place: Place, holder: Holder | None) -> None:
    storage, root = place
    storage.write(join(root, lease.NAME), json.dumps(asdict(holder)).encode() if holder else b"not JSON")


def stranger(run: str = "theirs", seconds: float | None = None) -> Holder:
    """A process on another machine, of which this one cannot tell whether it lives."""
    return replace(Holder.of_this_process(run, seconds), host="elsewhere", process="another-boot pid:[1] 7")


def test_the_second_stops_at_once_and_says_why(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with Lease(*place, "first"):
        with pytest.raises(InfrastructureError, match=r"is in use by run first \(process \d+ on ") as caught:
            Lease(*place, "second").__enter__()
        assert caught.value.exit_code == 4
        assert place[1] in caught.value.message
        assert "expires in" in caught.value.hint
    for run in ("third", "fourth"):
        with Lease(*place, run) as mine:
            mine.check()
    assert "taken over" not in caplog.text, "a lease that was let go is nobody's"


def test_a_lease_that_was_let_go_on_s3_is_nobodys_on_a_disk(tmp_path: Path, storage: Storage) -> None:
    """As in a workspace that was copied."""
    (tmp_path / lease.NAME).write_bytes(lease._LET_GO[:-1] + b', "renewed": 7}')
    with Lease(storage, str(tmp_path), "mine") as mine:
        mine.check()


def test_a_lease_that_does_not_fit_on_the_disk_is_not_left_half(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, *arguments: Any) -> Any:
        (tmp_path / lease.NAME).touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        place = lease._OnDisk(storage, str(tmp_path))
        with place._locked():
            pass  # the lock's own file is there
        original = Path.open
        patch.setattr(Path, "open", lambda path, *a, **k: (full if a == ("xb",) else original)(path, *a, **k))
        with pytest.raises(InfrastructureError, match="No space left"):
            place.write(b"{}", None)
    with Lease(storage, str(tmp_path), "mine") as mine:
        mine.check()


@pytest.mark.parametrize("below", ["", "a/b"])
def test_a_workspace_that_is_a_file_is_configuration(below: str, tmp_path: Path, storage: Storage) -> None:
    """No retry makes it a folder; of a link to a disk that is not there one may."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=f"{tmp_path}/file is a file"):
        Lease(storage, str(tmp_path / "file" / below), "mine").__enter__()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InfrastructureError, match=f"{tmp_path}/link is a link that leads nowhere"):
        Lease(storage, str(tmp_path / "link" / below), "mine").__enter__()


def test_of_many_that_race_one_wins(place: Place) -> None:
    barrier, won, lost = threading.Barrier(8), [], []

    def race(number: int) -> None:
        mine = Lease(*place, f"run-{number}")
        barrier.wait()
        try:
            mine.__enter__()
            won.append(mine)
        except InfrastructureError:
            lost.append(number)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    won[0].__exit__()


def test_of_many_that_take_over_one_wins(place: Place) -> None:
    held_by(place, stranger())
    time.sleep(2.5)  # S3 tells whole seconds
    barrier, won = threading.Barrier(6), []

    def race(number: int) -> None:
        mine = Lease(*place, f"run-{number}", seconds=1.2)
        barrier.wait()
        try:
            mine.__enter__()
            won.append(mine)
        except InfrastructureError:
            pass

    threads = [threading.Thread(target=race, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    won[0].check()
    won[0].__exit__()


def test_a_dead_runs_lease_expires(place: Place) -> None:
    held_by(place, stranger())
    with pytest.raises(InfrastructureError, match="run theirs"):
        Lease(*place, "mine", seconds=30).__enter__()
    time.sleep(2.5)
    with Lease(*place, "mine", seconds=1) as mine:
        mine.check()


def test_a_second_attempt_waits_for_the_firsts_lease(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """YARN starts it within seconds of a driver's death, on another machine; stopped at once, the night was lost."""
    held_by(place, stranger("night", 600))
    mine, slept = Lease(*place, "night"), list[float]()
    read = mine._place.read

    def later() -> Any:
        found = read()
        return found and replace(found, age=found.age + sum(slept))

    monkeypatch.setattr(lease.time, "sleep", slept.append)
    monkeypatch.setattr(mine._place, "read", later)
    with mine:
        mine.check()
    assert len(slept) > 3
    assert len([line for line in caplog.messages if "is held by an earlier attempt of this run (process " in line]) == 1
    assert "taken over from run=night" in caplog.text, "it has expired"


@pytest.mark.parametrize("successor", [stranger("night", 60), stranger("another", 60)])
def test_a_second_attempt_stops_where_the_first_lives(
    successor: Holder, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or where another run was quicker."""
    held_by(place, stranger("night", 60))
    monkeypatch.setattr(lease.time, "sleep", lambda _: held_by(place, replace(successor, since="later")))
    with pytest.raises(InfrastructureError, match=f"in use by run {successor.run} .* since later"):
        Lease(*place, "night").__enter__()


def test_a_second_attempt_takes_what_the_first_lets_go(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Lease(*place, "night").__enter__()
    monkeypatch.setattr(lease.time, "sleep", lambda _: first.__exit__())
    with Lease(*place, "night") as mine:
        mine.check()


def test_a_second_attempt_that_waits_can_be_interrupted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    held_by(place, stranger("night", 60))

    def struck(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lease.time, "sleep", struck)
    mine = Lease(*place, "night")
    with pytest.raises(KeyboardInterrupt):
        mine.__enter__()
    mine.check()  # it holds nothing, so it can lose nothing
    with pytest.raises(InfrastructureError, match="in use by run night"):
        Lease(*place, "another").__enter__()


def test_renewal_keeps_it_alive(place: Place) -> None:
    with Lease(*place, "first", seconds=2) as first:
        time.sleep(4.5)
        with pytest.raises(InfrastructureError, match="run first"):
            Lease(*place, "second", seconds=2).__enter__()
        first.check()


def test_a_leases_time_to_live_is_its_holders(place: Place) -> None:
    """A run with other settings is not to end it: the holder renews as often as its own ask for."""
    with Lease(*place, "first", seconds=40):
        time.sleep(1.2)
        with pytest.raises(InfrastructureError, match="is in use") as caught:
            Lease(*place, "second", seconds=0.5).__enter__()
        assert int(caught.value.hint.partition("expires in ")[2].split()[0]) > 20


def test_a_damaged_lease_expires_too(place: Place) -> None:
    held_by(place, None)
    with pytest.raises(InfrastructureError, match="a run"):
        Lease(*place, "mine", seconds=30).__enter__()
    time.sleep(2.5)
    with Lease(*place, "mine", seconds=1):
        pass


def test_a_lease_that_was_lost_is_noticed(place: Place) -> None:
    mine = Lease(*place, "mine", seconds=1.2)
    mine.check()  # nothing was taken: nothing can be lost
    mine.__enter__()
    held_by(place, stranger())
    time.sleep(1)
    with pytest.raises(InfrastructureError, match="was lost"):
        mine.check()
    mine.__exit__()
    assert b"theirs" in place[0].read(join(place[1], lease.NAME)), "another's lease was deleted"


def test_a_lease_is_looked_at_before_each_publication(place: Place) -> None:
    """A suspended machine does not know how long it slept: its clock stood still while another run took over."""
    with Lease(*place, "mine", seconds=3600) as mine:
        mine.check()
        held_by(place, stranger())
        with pytest.raises(InfrastructureError, match="was lost"):
            mine.check()


def test_a_lease_that_could_not_be_renewed_for_its_time_is_lost(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that does not answer does not say that another run has taken over: nor does the message."""

    def fails(*_: object) -> None:
        raise InfrastructureError("S3 does not answer", hint="check the network")

    with Lease(*place, "mine", seconds=3600) as mine:
        monkeypatch.setattr(mine._place, "write", fails)
        mine.check()  # it was renewed a moment ago
        mine._renewed -= 3601
        with pytest.raises(InfrastructureError, match=r"not be renewed for 3601 s.*: S3 does not answer") as caught:
            mine.check()
        assert caught.value.hint == "check the network"
        monkeypatch.undo()
        mine.check()  # nobody had come meanwhile


def test_a_lease_that_was_taken_unseen_is_not_let_go(place: Place) -> None:
    with Lease(*place, "mine", seconds=3600):
        held_by(place, stranger())
    assert b"theirs" in place[0].read(join(place[1], lease.NAME)), "another's lease was deleted"


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_hosts_whose_clocks_differ_agree_on_a_lease(skew: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, real = (Storage(StorageSection()), str(tmp_path)), time.time
    held_by(place, stranger())
    monkeypatch.setattr(time, "time", lambda: real() + skew)
    with pytest.raises(InfrastructureError, match="run theirs"):
        Lease(*place, "mine", seconds=600).__enter__()
    os.utime(tmp_path / lease.NAME, (real() - 601, real() - 601))
    with Lease(*place, "mine", seconds=600):
        pass


def test_a_server_without_conditional_requests_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken for one that does not answer, and a scheduler tried again for ever."""

    def request(_: Storage, method: str, **_arguments: Any) -> Any:
        if method == "get_object":
            raise FileNotFoundError
        raise ClientError({"Error": {"Code": "NotImplemented", "Message": "A header you provided"}}, "PutObject")

    monkeypatch.setattr(Storage, "request", request)
    with pytest.raises(ConfigError, match=r"s3://old/mill/_lease\.json knows no conditional requests"):
        Lease(Storage(StorageSection()), "s3://old/mill", "mine").__enter__()


@pytest.mark.s3
def test_a_successor_that_comes_at_the_last_moment_keeps_its_lease(
    s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letting go was a look and then a DELETE without condition; between them the lease may become another's."""
    place = Storage(StorageSection(endpoint=s3_endpoint)), "s3://test/last-moment"
    mine = Lease(*place, "mine").__enter__()
    call = mine._place._call

    def late(method: str, **arguments: Any) -> Any:
        if method != "get_object":
            held_by(place, stranger())
        return call(method, **arguments)

    monkeypatch.setattr(mine._place, "_call", late)
    mine.__exit__()
    assert b"theirs" in place[0].read(join(place[1], lease.NAME))


@pytest.mark.s3
def test_a_renewal_whose_answer_was_lost_is_ones_own(s3_endpoint: str) -> None:
    """The client asks again, and hears that the lease is not what it was: by its own first request."""
    with proxy(s3_endpoint) as watched:
        place = Storage(StorageSection(endpoint=watched.endpoint)), "s3://test/lost-answer"
        with Lease(*place, "mine") as mine:
            watched.requests, watched.kinds, watched.spared, watched.every = 1, ("lost", ""), ("GET",), 1
            mine._try_to_renew()
            watched.every = 0
            assert watched.faults["lost"] >= 1
            mine.check()
            mine._try_to_renew()
            mine.check()
            held_by(place, stranger())
            mine._try_to_renew()
            with pytest.raises(InfrastructureError, match="was lost"):
                mine.check()


def test_renewals_go_one_after_the_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a suspended machine wakes, the renewing thread and a stage that publishes find the lease late at once."""
    with Lease(*place, "mine") as mine:
        write, written = mine._place.write, []

        def slow(content: bytes, version: str | None) -> str | None:
            time.sleep(0.3)
            written.append(write(content, version))
            return written[-1]

        monkeypatch.setattr(mine._place, "write", slow)
        threads = [threading.Thread(target=mine._try_to_renew) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(written) == 3
        assert None not in written
        mine.check()


def test_a_process_that_is_gone_from_this_machine_is_dead_at_once(place: Place) -> None:
    program = (
        "import json, sys\nfrom dataclasses import asdict\nfrom mailmill.storage.holder import Holder\n"
        "print(json.dumps(asdict(Holder.of_this_process('killed'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    holder = Holder(**json.loads(done.stdout))
    assert holder.gone
    assert not Holder.of_this_process("me").gone
    assert not stranger().gone
    held_by(place, holder)
    with Lease(*place, "next"):
        pass


def test_a_process_that_nobody_has_buried_is_gone() -> None:
    """The first process of a container buries none."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = replace(Holder.of_this_process("killed"), pid=child.pid, process=identity(child.pid))
    assert not holder.gone
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and not buried
    assert holder.gone
    child.communicate()


def test_a_pid_that_was_used_again_is_another_process() -> None:
    me = Holder.of_this_process("me")
    assert replace(me, process=me.process + "1").gone


def test_two_processes(tmp_path: Path) -> None:
    """Not threads: processes that hold and want the same lease."""
    program = (
        "import sys, time\nfrom mailmill.config import StorageSection\n"
        "from mailmill.storage.filesystems import Storage\nfrom mailmill.storage.lease import Lease\n"
        "with Lease(Storage(StorageSection()), sys.argv[1], 'child'):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(InfrastructureError, match="run child"):
            Lease(Storage(StorageSection()), str(tmp_path), "mine").__enter__()
    finally:
        child.kill()
        child.wait()
    with Lease(Storage(StorageSection()), str(tmp_path), "mine"):
        pass
