"""How many deliveries a second the api takes while each waits for Kafka's acknowledgement.

    python -m bench.ingest

Against an endpoint of uvicorn that reads a body and answers. Every delivery is another one, signed before the run (the
tolerance of signatures is five minutes). The run is right if `deliveries` holds as many records as were acknowledged.
"""

import base64
import time

import orjson

from bench.http_load import load, request
from bench.kafka_ends import ends
from bench.measuring import alternating, main_of
from bench.processes import SECRET, BenchError, Floor, empty_server
from bench.results import Bar, Result, Section
from schemas.connectors.standard_webhooks import sign
from schemas.instants import format_instant
from schemas.topics import DELIVERIES

KEY = base64.b64decode(SECRET.removeprefix("whsec_") + "==")
CONNECTIONS = 128
COMMAND = "python -m bench.ingest"


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Measure both, in turn."""
    seconds = 0.5 if short else 5.0
    # What a CRM may send is limited by default; here it is asked what the api can take.
    limits = {"DELIVERIES_PER_SECOND": "1000000", "DELIVERIES_BURST": "1000000"}
    with (
        Floor(settings=limits) as floor,
        empty_server(floor.folder / "empty.log") as empty,
        # Not `until_ready`: nobody but a worker would make it so, and webhooks are taken before.
        floor.api(role="ingest") as api,
    ):
        api.until_ready("/livez")
        api.until_ready("/readyz")
        accepted = ends(floor, DELIVERIES)
        posted = 0
        taken: dict[str, list[float]] = {"ingest": [], "empty": []}

        def ingest() -> float:
            nonlocal posted
            before = api.cpu_seconds
            done = load(api.url, signed(time.time()), connections=CONNECTIONS, seconds=seconds, status=202)
            posted += done.answers
            taken["ingest"].append((api.cpu_seconds - before) / done.answers * 1e6)
            return done.rate

        def nothing() -> float:
            before = empty.cpu_seconds
            done = load(empty.url, signed(time.time()), connections=CONNECTIONS, seconds=seconds, status=202)
            taken["empty"].append((empty.cpu_seconds - before) / done.answers * 1e6)
            return done.rate

        ingested, emptied = alternating([ingest, nothing], runs)
        stored = ends(floor, DELIVERIES) - accepted
        if stored != posted:
            msg = f"{posted} deliveries were acknowledged, {stored} are stored"
            raise BenchError(msg)
    empty_name = "empty POST endpoint"
    return Section(
        "ingest",
        "Ingest",
        f"Deliveries of one call each, signed, over {CONNECTIONS} connections, each answered after Kafka's"
        " acknowledgement; against an endpoint of uvicorn that reads the body and answers.",
        [
            Result(
                "ingest", "signature checked, stored and acknowledged", COMMAND, "requests/s", ingested,
                bars=[Bar(against=empty_name, at_least=0.45)],
            ),
            Result(empty_name, "plain ASGI on uvicorn, uvloop and httptools", COMMAND, "requests/s", emptied),
            Result("CPU of a delivery", "time of the api's process", COMMAND, "µs", taken["ingest"]),
            Result("CPU of an empty POST", "time of its process", COMMAND, "µs", taken["empty"]),
        ],
        short=short,
    )  # fmt: skip


def signed(now: float, count: int = 2_000) -> list[bytes]:
    """Requests with a delivery each, signed at `now` (seconds)."""
    found = []
    for number in range(count):
        body, headers = signed_call(f"c-{number}", f"r-{number % 100}", now)
        found.append(request("POST", "/webhooks/feed", body, headers))
    return found


def signed_call(id: str, rep: str, now: float) -> tuple[bytes, list[tuple[str, str]]]:
    """Body and headers of a delivery of one call, dialled and signed at `now` (seconds)."""
    stamp, at = str(int(now)), format_instant(int(now * 1e6))
    event = {
        "record": "call",
        "id": id,
        "changed_at": at,
        "fields": {"rep": rep, "direction": "outbound", "dialed_at": at, "outcome": "connected"},
    }
    body, message = orjson.dumps(event), f"m-{stamp}-{id}"
    return body, [
        ("content-type", "application/json"),
        ("webhook-id", message),
        ("webhook-timestamp", stamp),
        ("webhook-signature", sign(KEY, message_id=message, timestamp=stamp, body=body)),
    ]


if __name__ == "__main__":
    main_of(run)
