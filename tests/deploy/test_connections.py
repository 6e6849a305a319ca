"""How `floorcast connections` shows what is known."""

from deploy.connections import list_lines, show_lines
from schemas.connection_states import BackfillState, ConnectionState, LimitsState, SubscriptionState
from schemas.connection_stats import ConnectionStats, connection_stats
from schemas.connectors import read_connection
from schemas.counted_texts import UNKNOWN, UnknownName
from schemas.instants import parse_instant
from schemas.progress import Progress

AT = parse_instant("2026-03-18T09:41:30.344Z")
FEED = ConnectionStats(
    "feed", "generic", AT, AT, [UnknownName("call", "dialed\x1b[2Jat", 12), UnknownName("kall", "kall", 1)]
)


def test_connections_are_listed_in_columns() -> None:
    assert list_lines([FEED, ConnectionStats("crm", "hubspot", None, None, [])]) == [
        "CONNECTION  KIND     LAST DELIVERY             LAST EVENT                UNKNOWN NAMES",
        "feed        generic  2026-03-18T09:41:30.344Z  2026-03-18T09:41:30.344Z  2",
        "crm         hubspot  -                         -                         0",
    ]


def test_unknown_names_are_shown_without_what_a_terminal_obeys() -> None:
    lines = show_lines(FEED)

    assert lines[-3:] == ["RECORD  UNKNOWN NAME  COUNT", "call    dialed�[2Jat  12", "(kind)  kall          1"]
    assert show_lines(ConnectionStats("crm", "hubspot", None, None, []))[-1] == "every name it sent is known"


def test_what_partitions_told_is_summed_for_the_connections_of_the_file() -> None:
    one, other = Progress(), Progress()
    one.saw("feed", AT, AT - 5)
    other.saw("feed", AT - 1, AT)
    for partition in (one, other):
        UNKNOWN.count(partition.counters, "feed", {("call", "dialedat"): 2}.items())
        UNKNOWN.count(partition.counters, "gone", {("call", "x"): 2}.items())

    feed = read_connection({"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]})
    crm = read_connection(
        {"kind": "file", "match": {"calls": {"with": "feed", "within": "90s"}}}  # an export, beside the dialler
    )
    progress = {("normalise", 0): one, ("normalise", 1): other, ("responses", 0): Progress(), ("ledger", 0): one}
    progress["responses", 0].counters |= {"repeated.crm": 12, "repeated.feed": 3}

    assert connection_stats({"crm": crm, "feed": feed}, progress) == [
        ConnectionStats("crm", "file", None, None, (), duplicates=12),
        ConnectionStats("feed", "generic", AT, AT, [UnknownName("call", "dialedat", 4)]),
    ]
    assert connection_stats({"feed": feed}, {}) == [ConnectionStats("feed", "generic", None, None, ())]
    assert "duplicates     12" in show_lines(connection_stats({"crm": crm}, progress)[0])


def test_what_is_asked_of_a_crm_is_shown_beside_it() -> None:
    state = ConnectionState(
        at=AT, reconciled_at=AT, missed_day={"deal": 2}, changed_day=500, limits=LimitsState(12, 100, AT),
        subscription=SubscriptionState("active"), backfill=BackfillState(40, None, 0, AT), problem="limit",
        detail="asked too much",
    )  # fmt: skip

    lines = show_lines(FEED, state)

    for line in (
        "reconciled     2026-03-18T09:41:30.344Z",
        "missed         2 in a day (0.40% of what changed)",
        "missed         0 in a month",
        "limit          12 of 100 used, until 2026-03-18T09:41:30.344Z",
        "subscription   active",
        "back-fill      40 records so far",
        "problem        limit: asked too much",
    ):
        assert line in lines
