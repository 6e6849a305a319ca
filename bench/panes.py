"""How many bytes the panes of a rep's day take, and of a rep's year in an api: of the first metrics, and of all.

    python -m bench panes

Without Kafka: the cores of the ledger and of the groups are given a floor of calls, mails, meetings, leads and deals
with only those fields that the first metrics read, and the panes of its reps are weighed. A last value counts, also of
a minute that is over. The first metrics are weighed a second time as panes were before there was a catalogue: words for
names, and every value written out. The run is right if both count the same calls.

For a year the same panes are put into a view as its consumer does, for many people and each day that is worked, as long
as each is kept, each in a process of its own, of which the memory is asked before and afterwards. Before there was a
catalogue an api held each pane as the message that it was.
"""

import gc
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from random import Random

import msgspec

from api.read.view import View
from bench.cells import count_cell
from bench.measuring import main_of
from bench.processes import BenchError
from bench.results import Bar, Result, Section
from bench.views import memory_of
from processor.core.batch import new_batch
from processor.core.definitions import definitions_of
from processor.core.groups import Groups
from processor.core.ledger import Ledger
from schemas.catalogue import BoundCatalogue, Catalogue
from schemas.catalogue.amounts import total
from schemas.catalogue.defined import bound_under
from schemas.catalogue.plan import Form
from schemas.catalogue.reading import ReadDefinitions, shipped
from schemas.config import Config
from schemas.config.rules import rules_of
from schemas.frames import Engagement, by_group, change_frames, decode_engagements, engagement_frames, partition_of
from schemas.frames import record_key as key_of
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.panes import NAME_BYTES, Pane, decode_pane, pane_key, read_pane_key
from schemas.records import RecordChange, Value, make_change
from schemas.topics import PANES
from schemas.windows import (
    STANDING,
    Window,
    day_window,
    days_kept,
    index_of,
    is_day,
    kept_window,
    minute_window,
    write_window,
)

COMMAND = "python -m bench panes"
FIRST = frozenset({
    "calls_made", "calls_connected", "connect_rate", "talk_seconds", "conversations", "conversations_by_call",
    "conversations_by_mail", "emails_sent", "emails_received", "meetings_booked", "meetings_held", "leads_assigned",
    "leads_due", "leads_answered", "lead_response_within_sla", "lead_response_seconds_p50",
    "lead_response_seconds_p90", "deals_won", "deals_lost", "revenue_won", "win_rate", "average_deal_size",
    "sales_cycle_days_p50",
})  # fmt: skip
"""Twenty-one that were there first, and what one of them is made of now."""
_SUMMED = "conversations"
_WORDS: Mapping[str, Sequence[str]] = {
    "calls_made": ["calls_made"], "calls_connected": ["calls_connected"], "talk_seconds": ["talk"],
    "conversations": [_SUMMED] * 3, "emails_sent": ["emails_sent"], "emails_received": ["emails_received"],
    "meetings_booked": ["meetings_booked"], "meetings_held": ["meetings_held"], "leads_assigned": ["leads_assigned"],
    "leads_answered": ["leads_answered"], "lead_response_within_sla": ["leads_within_sla"],
    "lead_response_seconds_p50": ["responses", "pending"], "deals_won": ["deals_won"], "deals_lost": ["deals_lost"],
    "average_deal_size": ["revenue_won", "deals_without_rate", "deals_valued"], "sales_cycle_days_p50": ["cycles"],
}  # fmt: skip
"""What the cells of these metrics were called before, in the order of their measures."""
_MINUTE, _DAY = Window(0), Window(1)
PARTITIONS, REPS, DAYS = 4, 5, 10
PEOPLE, YEAR, MINUTE_DAYS = 100, 275, 2
"""In an api: people, days of a year that are worked, and how many of them have minutes."""
KEPT = 400
"""Days that panes are kept by default."""
_START = 1_772_409_600 * SECOND
_FIRST_DAY = _START // DAY
_IN_A_BATCH = 200
_DATA = {
    "organisation": {"name": "Bench", "timezone": "UTC", "currency": "USD"},
    "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
}
_BEFORE = "days, the first metrics, as they were written before"
_MINUTES_BEFORE = "minutes, the first metrics, as they were written before"
_LASTING = "days, all metrics"
_IDS = "ids of days, all metrics, kept for fewer days"
_YEAR_BEFORE = "a rep's year in an api, the first metrics, as it was before"
_WHOLE = "a day's share of what lies over 400 days, all metrics"


def run(*, short: bool = False, runs: int = 1) -> Section:
    """Weigh both: always the same, so once whatever `runs` says."""
    del runs
    reps, days = (2, 2) if short else (REPS, DAYS)
    first, everything = _Weighed(_config(FIRST), reps, days), _Weighed(_config(None), reps, days)
    if first.calls != everything.calls or not first.calls:
        msg = f"the first metrics count {first.calls} calls, all of them {everything.calls}"
        raise BenchError(msg)
    again = [Bar(against=_BEFORE, at_most=1.5)]
    whole = everything.days + sum(size * keep / KEPT for keep, size in everything.kept.items())
    figures: dict[str, tuple[str, float, list[Bar]]] = {
        _BEFORE: ("day panes", first.days_before, []),
        "days, the first metrics": ("day panes", first.days, []),
        _LASTING: (f"day panes that are kept {KEPT} days", everything.days, again),
        _IDS: ("day panes of distinct ids, 35 days", sum(everything.kept.values()), []),
        _WHOLE: ("the two above, each as long as it is kept", whole, again),
        _MINUTES_BEFORE: ("minute panes, which are kept for two days", first.minutes_before, []),
        "minutes, the first metrics": ("minute panes", first.minutes, []),
        "minutes, all metrics": ("minute panes", everything.minutes, []),
        "names in days, all metrics": ("of the day panes", everything.names, []),
    }
    results = [Result(name, what, COMMAND, "bytes", [size], bars=bars) for name, (what, size, bars) in figures.items()]
    people, year = (5, 40) if short else (PEOPLE, YEAR)
    kept = {
        _YEAR_BEFORE: (FIRST, True, []),
        "a rep's year in an api, the first metrics": (FIRST, False, []),
        "a rep's year in an api, all metrics": (None, False, [Bar(against=_YEAR_BEFORE, at_most=1.5)]),
    }
    what = f"memory of the panes of {year} days that were worked, and two days' minutes"
    for name, (names, is_before, bars) in kept.items():
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            size = pool.submit(_in_api, names, reps, days, people, year, is_before=is_before).result()
        results.append(Result(name, what, COMMAND, "kB", [size / 1000], bars=bars))
    return Section("panes", "Panes of a rep's day", _TEXT, results, short=short)


_TEXT = (
    "What the panes of one rep and day take, over all partitions, of a floor that says nothing but what the first"
    " metrics read: 36 calls, 24 mails, 3 meetings, 5 leads and 2 deals a day. Without Kafka's own bytes and keys."
    " In an api, a year of such days: before there was a catalogue it held each pane as the message that it was; now"
    " those of days lie in columns."
)


def _config(names: frozenset[str] | None) -> Config:
    defined = shipped()
    if names is not None:
        entries = {name: entry for name, entry in defined.metrics.items() if name in names}
        defined = replace(defined, metrics=Catalogue(entries, {}), dimensions={})
    return Config.model_validate(_DATA, context=ReadDefinitions(defined, []))


def _in_api(names: frozenset[str] | None, reps: int, days: int, people: int, year: int, *, is_before: bool) -> float:
    """Bytes that a rep's year takes in a view. Called once in a process."""
    config = _config(names)
    bound = bound_under(config.defined, rules_of(config))
    words = _words_of(bound)
    panes = _panes(config, list(_changes(reps, days)))
    by_day: defaultdict[tuple[str, int], list[tuple[str, Window, bytes]]] = defaultdict(list)
    for key, value in panes.items():
        origin, rep, window = read_pane_key(key)
        if rep is not None and window != STANDING:
            day = index_of(window) if is_day(window) else index_of(window) // (DAY // MINUTE)
            by_day[rep, day].append((origin, window, value))
    standing = [(key, value) for key, value in panes.items() if key.endswith(write_window(STANDING).encode())]
    worked = [by_day[rep, _FIRST_DAY + day] for rep in sorted({rep for rep, _ in by_day}) for day in range(days)]
    view, chance, last = View(config), Random(2), _FIRST_DAY + year - 1
    messages: dict[Window, dict[str, dict[str, bytes]]] = {}

    def put(origin: str, person: str, window: Window, value: bytes) -> None:
        # Each is bytes of its own, as what comes from Kafka is.
        if is_before:
            said = _as_before(decode_pane(value), words, bound.plan.forms)
            messages.setdefault(window, {}).setdefault(origin, {})[person] = said
        else:
            view.apply(PANES.name, pane_key(origin, person, window), bytes(bytearray(value)))

    gc.collect()
    before = memory_of()
    for person in range(people):
        for origin, rep, value in ((*read_pane_key(key)[:2], value) for key, value in standing):
            if rep == f"r-{person % reps}":
                put(origin, f"p-{person}", STANDING, value)
    for day in range(_FIRST_DAY, last + 1):
        for person in range(people):
            for origin, window, value in chance.choice(worked):
                keep = days_kept(window)
                if is_day(window):
                    is_there, at = not keep or last - day <= keep, kept_window(day, keep) if keep else day_window(day)
                else:
                    minute = index_of(window) % (DAY // MINUTE) + day * (DAY // MINUTE)
                    is_there, at = last - day < MINUTE_DAYS, minute_window(minute * MINUTE)
                if is_there:
                    put(origin, f"p-{person}", at, value)
        view.forget_changes()
    view.settle()
    gc.collect()
    return (memory_of() - before) / people


class _Weighed:
    """The panes of a floor under a configuration. Bytes for each rep and day."""

    def __init__(self, config: Config, reps: int, days: int) -> None:
        bound = bound_under(config.defined, rules_of(config))
        words = _words_of(bound)
        sizes: Counter[Window] = Counter()
        before: Counter[Window] = Counter()
        self.calls = names = 0
        for key, value in _panes(config, list(_changes(reps, days))).items():
            _, rep, window = read_pane_key(key)
            if rep is None or window == STANDING:
                continue
            kind = Window(days_kept(window) * 2 + is_day(window))
            pane = decode_pane(value)
            sizes[kind] += len(value)
            before[kind] += len(_as_before(pane, words, bound.plan.forms))
            if kind == _DAY:
                self.calls += pane.get(count_cell("calls_made"), 0)
                names += len(pane) * NAME_BYTES
        each = reps * days
        self.minutes, self.days, self.names = (
            size / each for size in (sizes.pop(_MINUTE, 0), sizes.pop(_DAY, 0), names)
        )
        self.minutes_before, self.days_before = before[_MINUTE] / each, before[_DAY] / each
        self.kept = {kind >> 1: size / each for kind, size in sizes.items()}
        """Of what is kept for fewer days: for how many -> how large."""


def _words_of(bound: BoundCatalogue) -> dict[int, str]:
    """What the cells of the first metrics were called before."""
    return {
        measure.name: word
        for metric, said in _WORDS.items()
        for measure, word in zip(bound.metrics[metric].reader.measures, said, strict=False)
        if word
    }


def _as_before(pane: Pane, words: Mapping[int, str], forms: Mapping[int, Form]) -> bytes:
    """A pane with words, sorted samples, decimals as text."""
    found: dict[str, object] = {}
    for cell, held in pane.items():
        if isinstance(held, int):
            value: object = held
        elif forms[cell] is Form.DECIMAL:
            value = f"{float(total(held)):.2f}"
        elif forms[cell] is Form.NUMBER:
            value = int(total(held))
        else:
            value = [key for key, amount in sorted(held.items()) for _ in range(amount)]
        word = words.get(cell)
        if word is not None:
            found[word] = found[word] + value if word == _SUMMED and word in found else value  # type: ignore[operator]
    return msgspec.msgpack.encode(found)


def _panes(config: Config, changes: Sequence[RecordChange]) -> dict[bytes, bytes]:
    """The last value of each pane, as the stages would publish it."""
    definitions = definitions_of(config)
    ledgers = [Ledger(f"ledger.{place}", definitions) for place in range(PARTITIONS)]
    groups = [Groups(f"responses.{place}", definitions) for place in range(PARTITIONS)]
    found: dict[bytes, bytes] = {}
    log_at = 0
    for first in range(0, len(changes), _IN_A_BATCH):
        some = changes[first : first + _IN_A_BATCH]
        log_at = max(log_at, *(change.received_at for change in some))
        for place, ledger in enumerate(ledgers):
            mine = [one for one in some if partition_of(key_of(one.kind, one.id), PARTITIONS) == place]
            batch = new_batch()
            for frame in change_frames(mine) if mine else ():
                batch.add(frame)
            output = ledger.fold(batch, log_at)
            found |= {key: value for key, value in output.panes if value is not None}
            waiting: list[Engagement] = output.engagements
            while waiting:
                handed_on: list[Engagement] = []
                for number, theirs in by_group(waiting, PARTITIONS).items():
                    for frame in engagement_frames(theirs, log_at, log_at):
                        told = groups[number].fold(decode_engagements(frame).engagements, log_at)
                        found |= {key: value for key, value in told.panes if value is not None}
                        handed_on += told.engagements
                waiting = handed_on
    return found


def _changes(reps: int, days: int) -> Iterator[RecordChange]:
    """A floor's work, in the order in which it was done."""
    chance = Random(1)
    said = [
        change
        for rep in range(reps)
        for day in range(days)
        for change in _day(chance, f"r-{rep}", day, f"{rep}-{day}", [f"l-{rep}-{one}-" for one in range(day + 1)][-5:])
    ]
    return iter(sorted(said, key=lambda change: change.changed_at))


def _day(chance: Random, rep: str, day: int, name: str, leads: Sequence[str]) -> Iterator[RecordChange]:
    """One rep's."""
    start = _START + day * DAY + 9 * HOUR

    def some_time(hours: int = 8) -> int:
        return chance.randrange(hours * HOUR // SECOND) * SECOND

    def a_lead() -> str:
        return f"{chance.choice(leads)}{chance.randrange(5)}"

    for number in range(5):
        lead, at = f"{leads[-1]}{number}", start + some_time()
        yield _said("lead", lead, at, rep=rep, received_at=at, source="web", status="new")
        if number % 2 == 0:
            yield _said("lead", lead, at + HOUR + some_time(40), status="qualified")
        if number == 4:
            yield _said("lead", lead, at + 2 * DAY + some_time(70), status="disqualified")
    for number in range(36):
        at = start + some_time()
        talk = {"answered_at": at + 10 * SECOND, "ended_at": at + chance.randrange(20, 600) * SECOND}
        said: dict[str, Value] = {"outcome": "connected", **talk} if number % 5 < 2 else {"outcome": "no_answer"}
        direction = "inbound" if number % 10 == 0 else "outbound"
        yield _said("call", f"c-{name}-{number}", at, rep=rep, lead=a_lead(), direction=direction, dialed_at=at, **said)
    for number in range(24):
        at, lead = start + some_time(), a_lead()
        direction = "outbound" if number % 4 else "inbound"
        yield _said(
            "email", f"e-{name}-{number}", at, rep=rep, lead=lead, direction=direction, sent_at=at, thread=f"t-{lead}"
        )
    for number in range(3):
        at = start + some_time()
        outcome = "held" if number else "no_show"
        held: dict[str, Value] = {"booked_at": at - 2 * DAY, "starts_at": at, "ends_at": at + 30 * MINUTE}
        yield _said("meeting", f"m-{name}-{number}", at, rep=rep, lead=a_lead(), outcome=outcome, **held)
    for number in range(2):
        deal, at = f"d-{name}-{number}", start + some_time()
        amount = str(chance.randrange(1000, 9999))
        yield _said("deal", deal, at, rep=rep, status="open", created_at=at, amount=amount, currency="USD")
        closed_at = at + DAY + some_time(120)
        status = chance.choice(("won", "lost", "lost"))
        yield _said("deal", deal, closed_at, status=status, closed_at=closed_at)


def _said(kind: str, id: str, at: int, **fields: Value) -> RecordChange:
    return make_change(kind=kind, id=id, changed_at=at, fields=fields, received_at=at)


if __name__ == "__main__":
    main_of(run)
