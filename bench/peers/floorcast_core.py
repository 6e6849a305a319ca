"""The limit of our own design: the pure core on frames in memory, without Kafka, every output encoded.

    python -m bench.peers.floorcast_core FRAMES PANES [python]

`python`: without what is compiled. `FRAMES`: a file of msgpack lists of frames by partition. Writes the last value of
every pane to the file `PANES`.
"""

import gc
import sys
import time
from pathlib import Path

import msgspec

from bench.peers.floorcast_ledger import CONFIG
from processor.core.batch import new_batch
from processor.core.definitions import definitions_of
from processor.core.ledger import Ledger
from schemas.config import Config
from schemas.topics import PANES

BATCH = 8


def main() -> None:
    """Fold everything, some frames at a time."""
    partitions: list[list[bytes]] = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=list[list[bytes]])
    config = Config.model_validate(CONFIG)
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
