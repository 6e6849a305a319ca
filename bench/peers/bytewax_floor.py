"""The floor in Bytewax: Kafka operators, state by record, state by cell (docs.bytewax.io, stateful operators).

    python bytewax_floor.py BOOTSTRAP INPUT OUTPUT

One worker, no recovery store: without one it is faster, and starts from nothing after a crash.
"""

import json
import sys
import time
from collections.abc import Iterable
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

BOOTSTRAP, INPUT, OUTPUT = sys.argv[1:4]
Step = dict[str, Any]
seen: list[float] = []


def parse(message: Any) -> tuple[str, dict[str, Any]]:
    """A message as (record, revision)."""
    if not seen:
        seen.append(time.time())
        print(f"first {seen[0]}", flush=True)
    revision = json.loads(message.value)
    return revision["record"], revision


def step(revision: dict[str, Any], sign: int) -> tuple[str, Step]:
    """What a revision adds to its cell (sign 1), or takes away."""
    is_email = revision["kind"] == "email"
    is_conversation = not is_email and revision["connected"] and revision["talk_seconds"] >= 60
    return f"{revision['rep']}|{revision['at'] // 60000}", {
        "calls": 0 if is_email else sign,
        "emails": sign if is_email else 0,
        "conversations": sign if is_conversation else 0,
    }


def latest(held: dict[str, Any] | None, revision: dict[str, Any]) -> tuple[dict[str, Any], Iterable[tuple[str, Step]]]:
    """Keep the newest revision; say what changes."""
    if held is not None and held["revision"] >= revision["revision"]:
        return held, []
    steps = []
    if held is not None and not held["deleted"]:
        steps.append(step(held, -1))
    if not revision["deleted"]:
        steps.append(step(revision, 1))
    return revision, steps


def count(held: Step | None, change: Step) -> tuple[Step, Step]:
    """Add up a cell."""
    total = dict(change) if held is None else {name: held[name] + change[name] for name in held}
    return total, total


flow = Dataflow("floor")
stream = kop.input("revisions", flow, brokers=[BOOTSTRAP], topics=[INPUT])
by_record = op.map("parse", stream.oks, parse)
steps = op.stateful_flat_map("latest", by_record, latest)
by_cell = op.map("cell", steps, lambda item: item[1])
panes = op.stateful_map("count", by_cell, count)
messages = op.map(
    "encode", panes, lambda item: KafkaSinkMessage(key=item[0].encode(), value=json.dumps(item[1]).encode())
)
kop.output("panes", messages, brokers=[BOOTSTRAP], topic=OUTPUT)

if __name__ == "__main__":
    cli_main(flow)
