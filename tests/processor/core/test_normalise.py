"""From deliveries to changes: a batch says what its deliveries say one by one."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from processor.core.normalise import normalise
from schemas.connectors.generic import Generic
from schemas.counted_texts import UNKNOWN, UnknownName
from schemas.deliveries import BACKFILL, BROUGHT_BY, FILE, LOOKUP, RECONCILIATION, REQUEST, Delivery, encode_delivery
from schemas.frames import decode_changes
from schemas.instants import DAY, format_instant
from schemas.progress import Progress
from tests.strategies import NOW

CONNECTORS = {"feed": Generic(keys=[]), "other": Generic(keys=[], namespace="o")}

_EVENTS = st.fixed_dictionaries(
    {
        "record": st.sampled_from(["call", "lead", "invoice", 5]),
        "id": st.sampled_from(["1", "2", "", 3]),
        "changed_at": st.integers(NOW - DAY, NOW + 2 * DAY).map(format_instant),
        "fields": st.sampled_from([{"rep": "r"}, {"rep": "r", "unheard_of": 1}, {"direction": "up"}, {}]),
    }
)
_BODIES = _EVENTS.map(orjson.dumps) | st.lists(_EVENTS, max_size=3).map(orjson.dumps) | st.just(b"{")
_DELIVERIES = st.builds(
    Delivery,
    st.sampled_from(["feed", "feed", "other", "gone"]),
    st.integers(NOW - DAY, NOW),
    st.just({"content-type": "application/json"}),
    _BODIES,
).map(encode_delivery) | st.just(b"no delivery")


@given(st.lists(_DELIVERIES, max_size=8), st.integers(0, 9), st.integers(0, 8))
def test_a_batch_says_and_counts_what_its_deliveries_do_one_by_one(log: list[bytes], cut: int, done: int) -> None:
    whole, apart = Progress(offset=done, log_at=NOW - DAY // 2), Progress(offset=done, log_at=NOW - DAY // 2)
    numbered = list(enumerate(log))

    batches = [numbered[:cut], numbered[cut:]]
    together = [normalise(batch, partition=1, connectors=CONNECTORS, progress=whole) for batch in batches]
    singly = [normalise([each], partition=1, connectors=CONNECTORS, progress=apart) for each in numbered]

    assert [c for output in together for c in output.changes] == [c for output in singly for c in output.changes]
    assert [d for output in together for d in output.dead_letters] == [d for o in singly for d in o.dead_letters]
    assert min(output.oldest_at for output in together) == min((o.oldest_at for o in singly), default=2**62)
    assert whole == apart
    assert whole.counters.get("deliveries", 0) == max(0, len(log) - done)


def test_what_no_webhook_brought_goes_into_frames_of_its_own() -> None:
    event = {"record": "call", "id": "1", "changed_at": format_instant(NOW), "fields": {"rep": "r"}}
    told = [{}, {BROUGHT_BY: LOOKUP}, {BROUGHT_BY: FILE}, {BROUGHT_BY: BACKFILL}, {BROUGHT_BY: RECONCILIATION}]
    log = [
        encode_delivery(Delivery("feed", NOW, headers, orjson.dumps(event | {"id": str(place)})))
        for place, headers in enumerate(told)
    ]
    output = normalise(enumerate(log), partition=0, connectors=CONNECTORS, progress=Progress())

    def ids(*, quiet: bool | None) -> set[str]:
        frames = output.frames(1, quiet=quiet).get(0, [])
        return {change.id for frame in frames for change in decode_changes(frame).changes}

    assert (ids(quiet=False), ids(quiet=True)) == ({"0", "1"}, {"2", "3", "4"})
    assert ids(quiet=None) == {"0", "1", "2", "3", "4"}


def test_unknown_names_are_counted_once_an_offset_by_connection() -> None:
    body = b'[{"record":"kall"},{"record":"call","id":"1","changed_at":"2026-03-18T15:00:00Z","fields":{"dialedat":1}}]'
    raw = encode_delivery(Delivery("feed", NOW, {"content-type": "application/json"}, body))
    progress = Progress()
    normalise([(0, raw), (1, raw)], partition=0, connectors=CONNECTORS, progress=progress)
    progress.offset = 2
    normalise([(0, raw), (1, raw)], partition=0, connectors=CONNECTORS, progress=progress)

    assert UNKNOWN.by_connection([progress.counters]) == {
        "feed": [UnknownName("call", "dialedat", 2), UnknownName("kall", "kall", 2)]
    }


def test_what_could_not_be_read_names_the_request_that_brought_it() -> None:
    brought = encode_delivery(Delivery("feed", NOW, {"content-type": "application/json", REQUEST: "4613ee63-77"}, b"{"))
    asked_for = encode_delivery(Delivery("feed", NOW, {"content-type": "application/json"}, b"{"))

    letters = normalise([(0, brought), (1, asked_for)], partition=1, connectors=CONNECTORS, progress=Progress())

    assert [letter.request for letter in letters.dead_letters] == ["4613ee63-77", ""]


def test_the_request_that_told_of_a_lead_last_goes_on_with_it() -> None:
    def told(record: str, **headers: str) -> bytes:
        body = b'{"record":"%b","id":"5","changed_at":"2026-03-18T15:00:00Z","fields":{"rep":"r-1"}}' % record.encode()
        return encode_delivery(Delivery("feed", NOW, {"content-type": "application/json", **headers}, body))

    def requests(*log: bytes) -> dict[str, str]:
        return normalise(enumerate(log), partition=0, connectors=CONNECTORS, progress=Progress()).requests

    log = told("lead", **{REQUEST: "a-1"}), told("call", **{REQUEST: "a-2"}), told("lead", **{REQUEST: "a-3"})
    assert requests(*log) == {"lead|5": "a-3"}
    # What was asked for is no webhook; one that says nothing of its request is the last all the same.
    assert requests(*log, told("lead", **{BROUGHT_BY: LOOKUP})) == {"lead|5": "a-3"}
    assert requests(*log, told("lead")) == {"lead|5": ""}
