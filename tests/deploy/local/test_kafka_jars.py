"""The jar list, the cache and its sums, with a fake download."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Event

import pytest
import requests

from deploy.local import kafka_jars
from deploy.local.kafka_jars import Jar
from deploy.local.ports import UpError

CONTENT = {"a-1.jar": b"first jar", "b-2.jar": b"second jar"}
JARS = tuple(
    Jar(PurePosixPath("org/example", name[0], name[2], name), hashlib.sha256(content).hexdigest())
    for name, content in CONTENT.items()
)


@dataclass
class FakeRepository:
    """Serves the two jars, the first of them after the failures it was told of."""

    failures: list[Exception] = field(default_factory=list)
    content: dict[str, bytes] = field(default_factory=lambda: dict(CONTENT))
    served: list[str] = field(default_factory=list)

    def __call__(self, jar: Jar, folder: Path, _cancelled: Event) -> Path:
        path = folder / jar.path
        path.parent.mkdir(parents=True, exist_ok=True)
        assert not path.exists(), "what is left of an earlier try would be taken for the whole"
        if jar == JARS[0] and self.failures:
            path.write_bytes(b"half a j")
            raise self.failures.pop()
        path.write_bytes(self.content[jar.path.name])
        self.served.append(jar.path.name)
        return path


def ensure(cache: Path, repository: FakeRepository) -> list[Path]:
    return kafka_jars.ensure(JARS, cache, repository, Event())


def files(cache: Path) -> set[str]:
    return {path.name for path in cache.rglob("*") if path.is_file()} - {"jars.lock"}


def test_an_empty_cache_is_filled(tmp_path: Path) -> None:
    paths = ensure(tmp_path / "cache", FakeRepository())

    assert [path.read_bytes() for path in paths] == list(CONTENT.values())


def test_a_full_cache_asks_nobody(tmp_path: Path) -> None:
    ensure(tmp_path, FakeRepository())
    offline = FakeRepository(failures=[requests.ConnectionError()] * 9)

    ensure(tmp_path, offline)

    assert offline.served == []
    assert len(offline.failures) == 9


def test_a_tampered_jar_is_named_and_removed_and_fetched_at_the_next_start(tmp_path: Path) -> None:
    first, second = ensure(tmp_path, FakeRepository())
    first.write_bytes(b"first jap")
    repository = FakeRepository()

    with pytest.raises(UpError, match=r"^a-1\.jar in the cache does not have its committed SHA-256 sum"):
        ensure(tmp_path, repository)

    assert not first.exists()
    assert second.exists()
    assert [path.read_bytes() for path in ensure(tmp_path, repository)] == list(CONTENT.values())
    assert repository.served == ["a-1.jar"]


def test_a_download_with_a_wrong_sum_is_named_and_not_kept(tmp_path: Path) -> None:
    repository = FakeRepository(content={**CONTENT, "b-2.jar": b"another jar"})

    with pytest.raises(UpError, match=r"^b-2\.jar as downloaded does not have its committed SHA-256 sum"):
        ensure(tmp_path, repository)

    assert files(tmp_path) == {"a-1.jar"}


def test_a_download_that_breaks_off_is_tried_again(tmp_path: Path) -> None:
    paths = ensure(tmp_path, FakeRepository(failures=[requests.ConnectionError(), requests.Timeout()]))

    assert [path.read_bytes() for path in paths] == list(CONTENT.values())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (requests.exceptions.SSLError("x" * 500), "the server's certificate is not trusted"),
        (requests.exceptions.ReadTimeout("x" * 500), "the server did not answer in time"),
        (requests.exceptions.ConnectionError("x" * 500), "no connection"),
        (RuntimeError("Artifact not found in remote repositories"), "the server does not have it"),
    ],
)
def test_a_jar_that_cannot_be_had_is_named_with_the_reason_and_no_part_of_it_stays(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    with pytest.raises(UpError) as caught:
        ensure(tmp_path, FakeRepository(failures=[error] * 9))

    assert str(caught.value) == f"cannot download Kafka's a-1.jar ({reason}); the first start needs a network"
    assert files(tmp_path) <= {"b-2.jar"}


def test_a_cache_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(UpError, match="file cannot be used"):
        ensure(tmp_path / "file", FakeRepository())


def test_the_committed_list_holds_kafka_at_one_version_and_a_log_binding() -> None:
    jars = kafka_jars.read_list()

    kafka = {jar.path.name for jar in jars if jar.coordinate.startswith("org.apache.kafka:")}
    assert f"kafka_2.13-{kafka_jars.KAFKA_VERSION}.jar" in kafka
    assert all(name.endswith(f"-{kafka_jars.KAFKA_VERSION}.jar") for name in kafka)
    assert any(jar.path.name.startswith("log4j-slf4j-impl-") for jar in jars)
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.path.name for jar in jars}) == len(jars)


def test_a_path_of_the_list_spells_the_coordinate() -> None:
    path = PurePosixPath("org/apache/kafka/kafka_2.13/4.3.0/kafka_2.13-4.3.0.jar")

    assert Jar(path, "").coordinate == "org.apache.kafka:kafka_2.13:4.3.0"
