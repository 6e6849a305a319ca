"""`floorcast backup` and `restore`: what cannot be made anew, in a file, and from it back into a Kafka.

Owns the file. A restore adds what the topics lack, so it may be done twice, after more has come, and after a part alone
was lost: the order of deliveries means nothing, and of what has a key only keys are added that are not there.

    floorcast backup 1, LF      gzip from the first byte on
    length, record              so often: length in 4 bytes, a record as MessagePack
    length, counts              the end: how many records there are of each topic
"""

import gzip
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from deploy.local.private import private_opener
from processor.transport.appending import Filler
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, MissingTopicError
from schemas.kafka import Address
from schemas.steps import TellStep
from schemas.topics import ACCESS, ALERT_ACTIONS, CONNECTION_STATES, DELIVERIES, FENCE, MAX_MESSAGE, STREAM_POSITIONS

SAVED = {topic.name: topic for topic in (DELIVERIES, ALERT_ACTIONS, ACCESS, CONNECTION_STATES, STREAM_POSITIONS)}
"""What nothing else can be asked for: what CRMs and people said, keys and screens, and how far each API was read."""

_MAGIC = b"floorcast backup 1\n"
_LENGTH = struct.Struct(">I")
_DIGEST = 16
_SAID_EACH = 1_000


class BackupError(Exception):
    """The file cannot be used, or there is nothing to save; the message says why."""


class _Record(msgspec.Struct, frozen=True, array_like=True, tag="message", gc=False):
    topic: str
    partition: int
    timestamp: int
    """Milliseconds since the epoch."""
    key: bytes | None
    value: bytes | None


class _End(msgspec.Struct, frozen=True, array_like=True, tag="end", gc=False):
    counts: dict[str, int]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record | _End).decode


async def save(kafka: Address, prefix: str, path: Path, *, say: TellStep) -> Mapping[str, int]:
    """Write all that lies in the topics now; how many messages there are of each.

    The file appears whole or not at all, and is its owner's alone: bodies of webhooks are in it. Raises BackupError,
    MissingTopicError, KafkaError, OSError.
    """
    counts: Counter[str] = Counter()
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with open(new, "wb", opener=private_opener) as file:
            with gzip.open(file, "wb", compresslevel=6) as packed:
                packed.write(_MAGIC)
                for name in SAVED:
                    counts[name] = await _save_topic(kafka, prefix, name, cast(BinaryIO, packed), say)
                _write(cast(BinaryIO, packed), _encode(_End(dict(counts))))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return counts


async def restore(kafka: Address, prefix: str, path: Path, *, say: TellStep) -> Mapping[str, int]:
    """Add what the topics lack; how many messages that was of each.

    Nothing is written unless the whole file can be read. Raises BackupError, MissingTopicError, KafkaError, OSError.
    """
    totals = Counter(record.topic for record in _records(path))
    added = Counter(dict.fromkeys(SAVED, 0))
    async with Filler(kafka) as filler:
        for name, topic in SAVED.items():
            full = topic.full_name(prefix)
            held, partitions = await _held(kafka, full, by_key=topic.compacted)
            for done, record in enumerate(_records(path, name), 1):
                if _digest(record.key, record.value, by_key=topic.compacted) in held:
                    continue
                await filler.add(full, record.partition % partitions, record.key, record.value, record.timestamp)
                added[name] += 1
                if done % _SAID_EACH == 0:
                    say(name, done, totals[name])
            await filler.settle()
            say(name, totals[name], totals[name])
    return added


async def _save_topic(kafka: Address, prefix: str, name: str, packed: BinaryIO, say: TellStep) -> int:
    """The messages of one topic, up to where it ends now; of each key in a compacted one the last that is there."""
    count = 0

    async with Follower(kafka, SAVED[name].full_name(prefix)) as follower:
        ends = await follower.ends()
        total = sum(end - follower.positions[partition] for partition, end in ends.items())

        def apply(partition: int, records: list[Fetched]) -> None:
            nonlocal count
            for record in records:
                if record.offset < ends[partition] and record.key != FENCE:
                    _write(packed, _encode(_Record(name, partition, record.timestamp, record.key, record.value)))
                    count += 1
            say(name, count, total)

        await follower.read_to(ends, apply)
    return count


async def _held(kafka: Address, topic: str, *, by_key: bool) -> tuple[set[bytes], int]:
    """What is there: as digests, for a log may be larger than memory; and over how many partitions."""
    held: set[bytes] = set()

    def apply(_partition: int, records: list[Fetched]) -> None:
        held.update(_digest(record.key, record.value, by_key=by_key) for record in records)

    async with Follower(kafka, topic) as follower:
        await follower.read_to(await follower.ends(), apply)
        return held, len(follower.positions)


def _digest(key: bytes | None, value: bytes | None, *, by_key: bool) -> bytes:
    """Of a compacted topic the key alone: what is there is newer than a backup."""
    said = (key, None if by_key else value)
    return blake2b(_encode(said), digest_size=_DIGEST).digest()


def _records(path: Path, topic: str | None = None) -> Iterator[_Record]:
    """Those of a topic, or all. Raises BackupError where the file is no backup, or not whole."""
    counts: Counter[str] = Counter()
    try:
        with gzip.open(path, "rb") as packed:
            if packed.read(len(_MAGIC)) != _MAGIC:
                msg = f"{path} is not a backup that this version can read"
                raise BackupError(msg)
            while isinstance(record := _decode(_read(cast(BinaryIO, packed))), _Record):
                counts[record.topic] += 1
                if topic in (None, record.topic):
                    yield record
            # What is read to its end has its sum compared.
            if packed.read(1) or record.counts != {name: counts[name] for name in record.counts}:
                raise EOFError
    except (EOFError, gzip.BadGzipFile, zlib.error, msgspec.MsgspecError, struct.error, UnicodeDecodeError) as error:
        msg = f"{path} is not a whole backup ({type(error).__name__}): nothing of it is used"
        raise BackupError(msg) from None


def _write(packed: BinaryIO, content: bytes) -> None:
    packed.write(_LENGTH.pack(len(content)))
    packed.write(content)


def _read(packed: BinaryIO) -> bytes:
    (length,) = _LENGTH.unpack(packed.read(_LENGTH.size))
    if length > 2 * MAX_MESSAGE:
        raise EOFError
    content = packed.read(length)
    if len(content) < length:
        raise EOFError
    return content


__all__ = ["SAVED", "BackupError", "MissingTopicError", "restore", "save"]
