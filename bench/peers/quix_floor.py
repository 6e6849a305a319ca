"""The floor in Quix Streams: a streaming dataframe with state by record, group_by on the cell, state by cell.

    python quix_floor.py BOOTSTRAP INPUT OUTPUT GROUP STATE

State is in RocksDB with changelog topics, at least once: its defaults. Commits every second, as floorcast does.
"""

import sys
import time
from typing import Any

from quixstreams import Application, State

BOOTSTRAP, INPUT, OUTPUT, GROUP, STATE = sys.argv[1:6]
seen: list[float] = []


def step(revision: dict[str, Any], sign: int) -> dict[str, Any]:
    """What a revision adds to its cell (sign 1), or takes away."""
    is_email = revision["kind"] == "email"
    is_conversation = not is_email and revision["connected"] and revision["talk_seconds"] >= 60
    return {
        "cell": f"{revision['rep']}|{revision['at'] // 60000}",
        "calls": 0 if is_email else sign,
        "emails": sign if is_email else 0,
        "conversations": sign if is_conversation else 0,
    }


def latest(revision: dict[str, Any], state: State) -> list[dict[str, Any]]:
    """Keep the newest revision; say what changes."""
    if not seen:
        seen.append(time.time())
        print(f"first {seen[0]}", flush=True)
    held = state.get("latest")
    if held is not None and held["revision"] >= revision["revision"]:
        return []
    state.set("latest", revision)
    steps = []
    if held is not None and not held["deleted"]:
        steps.append(step(held, -1))
    if not revision["deleted"]:
        steps.append(step(revision, 1))
    return steps


def count(change: dict[str, Any], state: State) -> dict[str, Any]:
    """Add up a cell."""
    held = state.get("counts", {"calls": 0, "emails": 0, "conversations": 0})
    total = {name: value + change[name] for name, value in held.items()}
    state.set("counts", total)
    return total


def main() -> None:
    """Run until SIGTERM."""
    app = Application(
        broker_address=BOOTSTRAP,
        consumer_group=GROUP,
        auto_offset_reset="earliest",
        state_dir=STATE,
        commit_interval=1.0,
    )
    source = app.topic(INPUT, key_deserializer="str", value_deserializer="json")
    panes = app.topic(OUTPUT, key_serializer="str", value_serializer="json")
    frame = app.dataframe(source)
    frame = frame.apply(latest, stateful=True, expand=True)
    frame = frame.group_by("cell", key_serializer="str", key_deserializer="str")
    frame = frame.apply(count, stateful=True)
    frame.to_topic(panes)
    app.run()


if __name__ == "__main__":
    main()
