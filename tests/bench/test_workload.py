"""The work that engines are given: its truth is the product's own recount, and every kind of revision is in it."""

from collections import Counter

from bench import workload
from bench.workload import Revision
from deploy.verification.recount import recount
from schemas.instants import MINUTE
from tests.builders import make_config


def test_the_truth_is_what_a_recount_of_the_same_changes_says() -> None:
    stream = workload.take(3_000)
    cells = workload.truth(stream)
    books = recount(map(workload.change_of, stream), make_config())

    for rep in {rep for rep, _ in cells}:
        mine = [counts for (who, _), counts in cells.items() if who == rep]
        row = books.metrics(now=(workload.START_MS + workload.DAY_MS) * 1000, window="today", rep=rep)["metrics"]
        assert (row["calls_made"], row["emails_sent"], row["conversations"]) == tuple(map(sum, zip(*mine, strict=True)))
    minute = max(minute for _, minute in cells)
    last = books.metrics(now=minute * MINUTE, window="5m")["metrics"]
    assert last["calls_made"] == sum(counts[0] for (_, at), counts in cells.items() if minute - 5 < at <= minute)


def test_it_holds_every_kind_of_revision_in_every_order() -> None:
    held: dict[str, Revision] = {}
    seen: Counter[str] = Counter()
    for revision in workload.take(60_000):
        before = held.get(revision.record)
        if before is None:
            seen["first"] += 1
        elif revision.revision == before.revision:
            seen["repeated"] += 1
        elif revision.revision < before.revision:
            seen["stale"] += 1
        else:
            seen["deleted" if revision.deleted else "moved" if revision.rep != before.rep else "edited"] += 1
        if before is None or before.revision < revision.revision:
            held[revision.record] = revision

    assert set(seen) == {"first", "repeated", "stale", "deleted", "moved", "edited"}
    assert min(seen.values()) > 300


def test_the_same_seed_gives_the_same_stream() -> None:
    assert workload.take(500, seed=7) == workload.take(500, seed=7) != workload.take(500, seed=8)
