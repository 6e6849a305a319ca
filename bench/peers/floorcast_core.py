"""The limit of our own design: the pure core on frames in memory, without Kafka, every output encoded.

    python -m bench.peers.floorcast_core FRAMES PANES [python] [more]

`python`: without what is compiled. `more`: with `MORE` measures beside the shipped ones, as a user's metrics.yaml has
them. `FRAMES`: a file of msgpack lists of frames by partition. Writes the last value of every pane to the file `PANES`.
"""

import gc
import json
import sys
import time
from pathlib import Path

import msgspec

from bench.peers.floorcast_ledger import CONFIG
from bench.workload import REPS
from processor.core.batch import new_batch
from processor.core.definitions import definitions_of
from processor.core.ledger import Ledger
from schemas.catalogue.reading import read_metrics, shipped
from schemas.config import Config
from schemas.topics import PANES

BATCH = 8
MORE = 40


def more() -> dict[str, object]:
    """Counts of calls by their length and of mails of five people each: every event is held against its half."""
    shared = {"unit": "count", "type": "simple", "credit": "rep", "agg": "count"}
    calls = {
        f"calls_of_{number}": {
            **shared, "from": "call", "at": "dialed_at",
            "where": {"direction": "outbound", "talk": {"at_least": f"{15 * number}s"}},
        }
        for number in range(1, MORE // 2 + 1)
    }  # fmt: skip
    mails = {
        f"mails_of_{number}": {
            **shared, "from": "email", "at": "sent_at",
            "where": {"direction": "outbound", "rep": [f"r-{rep:04}" for rep in range(number, REPS, REPS // 5)]},
        }
        for number in range(MORE // 2)
    }  # fmt: skip
    return {"metrics": calls | mails}


def main() -> None:
    """Fold everything, some frames at a time."""
    partitions: list[list[bytes]] = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=list[list[bytes]])
    read = read_metrics(json.dumps(more()), "metrics.yaml", shipped()) if "more" in sys.argv[3:] else None
    config = Config.model_validate(CONFIG, context=read)
    definitions, compiled = definitions_of(config), "python" not in sys.argv[3:]
    published: dict[bytes, bytes | None] = {}
    gc.freeze()
    first = time.time()
    for partition, frames in enumerate(partitions):
        ledger = Ledger(f"ledger.{partition}", definitions, compiled=compiled)
        for start in range(0, len(frames), BATCH):
            batch = new_batch(compiled=compiled)
            for frame in frames[start : start + BATCH]:
                batch.add(frame)
            output = ledger.fold(batch, batch.newest_at)
            published.update(output.panes)
    last = time.time()
    Path(sys.argv[2]).write_bytes(msgspec.msgpack.encode({PANES.name: list(published.items())}))
    print(f"first {first}\nlast {last}", flush=True)


if __name__ == "__main__":
    main()
