"""The archive by which Kafka starts sooner: made once, and never needed."""

import os
from pathlib import Path

import pytest

from deploy.local import kafka_archive
from deploy.local.broker import LocalBroker
from deploy.local.kafka_folder import BrokerError
from deploy.local.kafka_jars import cache_folder
from deploy.local.kafka_jvm import archive_path


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is to lie, in a cache with the jars of the machine's."""
    jars = cache_folder() / "jars"
    monkeypatch.setenv("FLOORCAST_CACHE", str(tmp_path / "cache"))
    cache_folder().mkdir()
    (cache_folder() / "jars").symlink_to(jars)
    return archive_path()


@pytest.mark.kafka
def test_kafka_starts_by_what_was_made_and_by_what_is_no_archive(kafka: str, archive: Path, tmp_path: Path) -> None:
    """`kafka`: by then the jars are there."""
    kafka_archive.make_archive()

    assert archive.stat().st_size > 1 << 20
    assert sorted(os.listdir(cache_folder())) == ["archive.lock", "jars", archive.name]
    with LocalBroker(tmp_path / "data", die_with_parent=True, short_lived=True) as broker:
        assert f"-XX:AOTCache={archive}".encode() in Path(f"/proc/{broker.pid}/cmdline").read_bytes()
        assert str(archive) in Path(f"/proc/{broker.pid}/maps").read_text(encoding="utf-8")
    archive.write_bytes(b"no archive")
    with LocalBroker(tmp_path / "data", die_with_parent=True, short_lived=True) as broker:
        assert broker.alive


def test_what_cannot_be_made_is_not_tried_again_and_not_used(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[LocalBroker] = []

    def fail(self: LocalBroker) -> str:
        tried.append(self)
        msg = "no room"
        raise BrokerError(msg, exit_code=3)

    monkeypatch.setattr(LocalBroker, "start", fail)
    kafka_archive.make_archive()
    kafka_archive.make_archive()

    assert [broker.is_recorded for broker in tried] == [True]
    assert archive.stat().st_size == 0
