"""The archive by which Kafka starts sooner: made once, and never needed."""

import os
import sys
from pathlib import Path

import pytest

from deploy.local import kafka_archive, kafka_jvm
from deploy.local.broker import LocalBroker
from deploy.local.kafka_jars import cache_folder
from deploy.local.kafka_jvm import RECORDED, archive_path
from deploy.local.ports import UpError
from deploy.local.up import Surroundings, UpPlan
from schemas.instants import DAY, SECOND
from schemas.machine_clock import machine_clock


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is to lie, in a cache with the jars of the machine's."""
    jars = cache_folder() / "jars"
    monkeypatch.setenv("FLOORCAST_CACHE", str(tmp_path / "cache"))
    cache_folder().mkdir()
    (cache_folder() / "jars").symlink_to(jars)
    return archive_path()


@pytest.mark.kafka
def test_kafka_starts_by_what_was_made_and_by_what_is_damaged(kafka: str, archive: Path, tmp_path: Path) -> None:
    """`kafka`: by then the jars are there."""
    kafka_archive.make_archive()

    assert archive.stat().st_size > 1 << 20
    assert sorted(os.listdir(cache_folder())) == ["archive.lock", "jars", archive.name]
    with LocalBroker(tmp_path / "data", die_with_parent=True, short_lived=True) as broker:
        assert f"-XX:AOTCache={archive}".encode() in Path(f"/proc/{broker.pid}/cmdline").read_bytes()
        assert str(archive) in Path(f"/proc/{broker.pid}/maps").read_text(encoding="utf-8")
    with archive.open("r+b") as file:
        file.seek(archive.stat().st_size // 2)
        file.write(os.urandom(8192))
    with LocalBroker(tmp_path / "data", die_with_parent=True, short_lived=True) as broker:
        assert broker.alive


def test_what_cannot_be_made_is_not_used_and_tried_again_after_a_day(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that somebody took, for instance, is free by then."""
    tried: list[LocalBroker] = []

    def fail(self: LocalBroker) -> str:
        tried.append(self)
        self.data.mkdir()
        raise UpError(["the port is taken"], 2)

    monkeypatch.setattr(LocalBroker, "start", fail)
    kafka_archive.make_archive()
    kafka_archive.make_archive()

    assert [broker.is_recorded for broker in tried] == [True]
    assert archive.stat().st_size == 0
    assert sorted(os.listdir(cache_folder())) == ["archive.lock", "jars", archive.name]
    assert kafka_jvm._archived() == []

    yesterday = machine_clock() // SECOND - DAY // SECOND - 60
    os.utime(archive, (yesterday, yesterday))
    kafka_archive.make_archive()
    kafka_archive.make_archive()

    assert len(tried) == 2


@pytest.mark.parametrize(("code", "size"), [(143, 4), (-9, 0)])
def test_what_was_killed_while_it_was_written_is_no_archive(
    archive: Path, monkeypatch: pytest.MonkeyPatch, code: int, size: int
) -> None:
    def begin(self: LocalBroker) -> str:
        self.data.mkdir()
        (self.data / RECORDED).write_bytes(b"part")
        return ""

    monkeypatch.setattr(LocalBroker, "start", begin)
    monkeypatch.setattr(LocalBroker, "wait", lambda _broker: code)
    kafka_archive.make_archive()

    assert archive.stat().st_size == size
    assert sorted(os.listdir(cache_folder())) == ["archive.lock", "jars", archive.name]


def test_an_archive_is_not_made_again(archive: Path) -> None:
    archive.write_bytes(b"some")
    os.utime(archive, (0, 0))

    assert not kafka_archive.is_due(archive)


async def test_nothing_that_hinders_it_ends_who_begins_it(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made by this Python, and not by what lies in the folder that `up` was started in."""
    begun: list[tuple[str, ...]] = []

    async def no_room(*command: str, **_more: object) -> None:
        begun.append(command)
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("asyncio.create_subprocess_exec", no_room)
    data = archive.parent / "data"
    plan = UpPlan(
        config=data / "floorcast.yaml", data=data, host="127.0.0.1", port=0, broker=None, prefix="floorcast.",
        partitions=4, open_access=True,
    )  # fmt: skip
    await Surroundings().hasten_next_start(plan)

    assert [command[-4:] for command in begun] == [(sys.executable, "-P", "-m", "deploy.local.kafka_archive")]


def test_an_archive_that_is_gone_by_now_is_not_named(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.write_bytes(b"some")
    assert kafka_jvm._archived()[0] == f"-XX:AOTCache={archive}"
    monkeypatch.setattr(Path, "exists", lambda _path: True)
    archive.unlink()

    assert kafka_jvm._archived() == []


def test_a_cache_is_where_it_is_named_from_whatever_folder_kafka_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOORCAST_CACHE", "cache")

    assert cache_folder() == tmp_path / "cache"
