"""The floor in Faust as its guide shows it: records as models, two tables, an agent each, a topic between them.

python faust_floor.py BOOTSTRAP INPUT OUTPUT GROUP STATE
"""

import sys
import time

import faust
from faust.types import StreamT

BOOTSTRAP, INPUT, OUTPUT, GROUP, STATE = sys.argv[1:6]


class Revision(faust.Record, serializer="json"):
    """One record at one revision."""

    record: str
    kind: str
    rep: str
    at: int
    revision: int
    connected: bool
    talk_seconds: int
    deleted: bool


class Counts(faust.Record, serializer="json"):
    """What a rep did in a minute, or what changes of it."""

    calls: int = 0
    emails: int = 0
    conversations: int = 0


app = faust.App(
    GROUP,
    broker=f"kafka://{BOOTSTRAP}",
    store="memory://",
    datadir=STATE,
    topic_partitions=4,
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
revisions = app.topic(INPUT, value_type=Revision, key_type=str)
steps = app.topic(f"{GROUP}-steps", value_type=Counts, key_type=str, partitions=4, internal=True)
panes = app.topic(OUTPUT, value_type=Counts, key_type=str)
latest = app.Table("latest", partitions=4)
counts = app.Table("counts", partitions=4)
seen: list[float] = []


def cell_of(revision: Revision) -> str:
    """The rep and the minute."""
    return f"{revision.rep}|{revision.at // 60000}"


def step(revision: Revision, sign: int) -> Counts:
    """What a revision adds to its cell (sign 1), or takes away."""
    if revision.kind == "email":
        return Counts(emails=sign)
    is_conversation = revision.connected and revision.talk_seconds >= 60
    return Counts(calls=sign, conversations=sign if is_conversation else 0)


@app.agent(revisions)
async def keep(stream: StreamT[Revision]) -> None:
    """Keep the newest revision of each record."""
    async for record, revision in stream.items():
        if not seen:
            seen.append(time.time())
            print(f"first {seen[0]}", flush=True)
        held = latest.get(record)
        if held is not None and held.revision >= revision.revision:
            continue
        latest[record] = revision
        if held is not None and not held.deleted:
            await steps.send(key=cell_of(held), value=step(held, -1))
        if not revision.deleted:
            await steps.send(key=cell_of(revision), value=step(revision, 1))


@app.agent(steps)
async def add(stream: StreamT[Counts]) -> None:
    """Add up each cell."""
    async for cell, change in stream.items():
        held = counts.get(cell) or Counts()
        total = Counts(
            calls=held.calls + change.calls,
            emails=held.emails + change.emails,
            conversations=held.conversations + change.conversations,
        )
        counts[cell] = total
        await panes.send(key=cell, value=total)


if __name__ == "__main__":
    faust.Worker(app, loglevel="INFO", redirect_stdouts=False).execute_from_commandline()
