"""Any metrics that a user may write: entries of every type over every fact, drawn from a seed; and a log to count.

Owns the drawing. An entry may be one that `check` refuses: whoever draws leaves those out.
"""

import random
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from schemas.catalogue.facts import (
    FACTS,
    FLAGS,
    MONEY_FLAGS,
    NUMBERS,
    PEOPLE,
    RECORD_FACTS,
    REP_DAYS,
    UNWRITTEN_FACTS,
    WRITTEN,
    choices_of,
)
from schemas.instants import DAY, HOUR, MINUTE
from schemas.records import CHOICES, FIELDS, FieldType, RecordChange, make_change
from tests.strategies import LEADS, NOW, POINTERS, REPS, TEXTS
from tests.strategies import NUMBERS as PHONES

_T = FieldType
Entry = dict[str, Any]

DIMENSIONS: dict[str, Entry] = {
    "source": {"of": "lead.source", "values": {"Web": ["web"], "Demo": ["demo_request"]}, "other": "Other"},
    "of_lead": {"of": "lead.status"},
    "worth": {"of": "lead.attributes.tier", "values": {"Gold": ["gold"]}, "other": "Rest"},
    "owner": {"of": "lead.rep", "values": {"One": ["r1"], "Two": ["r2"]}},
    "product": {"of": "deal.product", "values": {"X": ["x"], "Y": ["y"]}, "other": "Other"},
    "at_stage": {"of": "deal.stage", "values": {"1": ["s1"], "2": ["s2"]}},
    "grade": {"of": "deal.attributes.tier", "values": {"Gold": ["gold"], "Three": ["3"]}},
    "way": {"of": "call.direction"},
    "told": {"of": "call.talk_seconds", "bands": ["30s", "1m"]},
    "answered": {"of": "lead.response", "bands": ["5m", "1h"]},
    "meeting_kind": {"of": "meeting.kind", "values": {"Demo": ["demo"]}},
    "buyer": {"of": "subscription.customer", "values": {"First": ["c1"]}},
    "touched_by": {"of": "lead.touches.kind"},
    "stage": {"of": "deal.stays.stage"},
    "tier": {"of": "rep.attributes.tier"},
    "since": {"of": "rep.since", "bands": ["1mo", "3mo"]},
}

_DECIMALS = ("0", "100", "33.33", "50", "48500.125", "-5")
_SIZES = ({"at_least": "60s"}, {"below": "1m"}, {"at_least": "1s", "below": "400s"}, {"below": "1h"})
_COUNTS = (2, [1, 3], {"at_least": 2}, {"below": 3}, {"at_least": 1, "below": 3})
_AMOUNTS = (100, "33.33", [0, 50], {"at_least": 0}, {"below": "50.5"}, {"at_least": "33.33", "below": 101}, -5)
_OFTEN = {"lead": 4, "deal": 4, "call": 4, "meeting": 3, "email": 3, "subscription": 2}


class AnyMetrics:
    """Draws entries; of those before it later ones may be made."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.entries: dict[str, Entry] = {}

    def draw(self, number: int) -> dict[str, Entry]:
        """So many more; all of them so far."""
        types = {
            self._simple: 5, self._duration: 2, self._level: 3, self._response: 2, self._conversion: 3, self._ratio: 2,
            self._derived: 1, self._funnel: 1,
        }  # fmt: skip
        for make in self._chance.choices([*types], [*types.values()], k=number):
            self.entries[f"m{len(self.entries)}"] = make()
        return self.entries

    # --- types

    def _simple(self) -> Entry:
        entry = {"type": "simple", **self._counting(), "by": self._by()}
        if self._chance.random() > 0.15:
            return entry
        facts = _listed(entry["from"])
        own = {key: entry.pop(key) for key in ("where", "at", "credit", "agg", "of", "value") if key in entry}
        later = {**own, "where": self._where(facts), "credit": self._persons(facts), "at": self._instants(facts)}
        since = self._chance.choice(["2026-03-18", "2026-03-17", "2026-03-01"])
        return {**entry, "versions": [own, {**later, "since": since}]}

    def _duration(self) -> Entry:
        names, facts = self._facts(is_stored=True)
        return {
            "type": "duration", "unit": self._chance.choice(["seconds", "days"]), "from": names,
            "start": self._instants(facts), "end": self._instants(facts), "where": self._where(facts),
            "stat": self._chance.choice(["p1", "p50", "p75", "p99", "mean", "sum"]), "credit": self._persons(facts),
            "clock": self._chance.choice(["business", "elapsed"]), "by": self._by(),
            **({"at": self._instants(facts)} if self._chance.random() < 0.4 else {}),
        }  # fmt: skip

    def _level(self) -> Entry:
        names, facts = self._facts(is_stored=True)
        entry: Entry = {
            "type": "level", "unit": "count", "from": names, "where": self._where(facts), "agg": "count",
            "credit": self._persons(facts), "by": self._by(),
        }  # fmt: skip
        lot, decimals = self._chance.random(), _fields(facts, _T.DECIMAL)
        entry |= {"start": self._instants(facts)} if lot < 0.9 else {}
        entry |= {"end": self._instants(facts)} if lot > 0.1 else {}
        agg = self._chance.choice(["count", "sum", "distinct"])
        if agg == "sum" and decimals:
            entry |= {"agg": "sum", "value": self._chance.choice(decimals), "unit": self._money_or(facts, "number")}
        elif agg == "distinct":
            entry |= {"agg": "distinct", "of": self._ids(facts)}
            entry |= {"stat": "kept", "unit": "ratio"} if self._chance.random() < 0.4 else {}
        return entry

    def _response(self) -> Entry:
        stat = self._chance.choice(["due", "answered", "within", "missed", "p10", "p50", "p90", "mean"])
        unit = {"within": "ratio", "due": "count", "answered": "count", "missed": "count"}.get(stat, "seconds")
        entry: Entry = {"type": "response", "stat": stat, "unit": unit}
        if self._chance.random() < 0.6:
            entry["clock"] = self._chance.choice(["received", "assigned", "reassigned", "holder"])
        if self._chance.random() < 0.5:
            entry["stop"] = self._chance.choice(["attempt", "contact", "qualified"])
        if stat not in {"answered", "mean"}:
            entry["within"] = self._chance.choice(["sla", "missed_after", "10m", "2h", "1d"])
        if stat == "missed" and self._chance.random() < 0.4:
            entry |= {"value": "value", "unit": self._chance.choice(["money", "number"])}
        return entry

    def _conversion(self) -> Entry:
        base: Any = self._counting(["count"])
        facts = _listed(base["from"])
        if self._counts and self._chance.random() < 0.4:
            base = self._chance.choice(self._counts)
            facts = _listed(self.entries[base]["from"])
        instant = _fields(facts, _T.INSTANT)[0]
        return {
            "type": "conversion", "unit": "ratio", "base": base, "at_to": self._instants(facts),
            "to": self._where(facts) or {instant: {"is_set": True}}, "failed": self._where(facts) or None,
            "within": self._chance.choice(["1s", "5m", "1h", "1d", "30d"]),
            "open": self._chance.choice(["due", "apart"]), "by": self._by(),
        }  # fmt: skip

    def _ratio(self) -> Entry:
        unit = self._chance.choice(["ratio", "number"])
        return {"type": "ratio", "unit": unit, "numerator": self._part(), "denominator": self._part()}

    def _part(self) -> Any:
        lot = self._chance.random()
        if self._counts and lot < 0.3:
            return self._chance.choice(self._counts)
        if self._counts and lot < 0.6:
            name = self._chance.choice(self._counts)
            return {"metric": name, "where": self._where(_listed(self.entries[name]["from"]))}
        return {**self._counting(), "by": self._by()}

    def _derived(self) -> Entry:
        plain = [name for name, held in self.entries.items() if held["unit"] in {"count", "number"}] or ["calls_made"]
        one, other = self._chance.choice(plain), self._chance.choice(plain)
        formulas = (f"{one} + {other}", f"({one} - {other}) * 2", f"{one} / {other}", f"-{one} * 1.5", f"100 - {one}")
        return {"type": "derived", "unit": "number", "expr": self._chance.choice(formulas)}

    def _funnel(self) -> Entry:
        mode = self._chance.choice(["strict", "visited", "inferred"])
        entry: Entry = {"type": "funnel", "unit": "ratio", "mode": mode, "credit": "rep"}
        if self._chance.random() < 0.4:
            return {**entry, "from": "lead"}
        return {
            **entry, "from": "deal", "path": "stage", "re_entry": self._chance.choice(["first", "each"]),
            "cohort": self._chance.choice(["entered", "created"]), "credit": self._chance.choice(["rep", "creator"]),
            "pipeline": "p", "steps": self._chance.sample(["s1", "s2", "s3"], 2),
        }  # fmt: skip

    @property
    def _counts(self) -> list[str]:
        return [name for name, held in self.entries.items() if held.get("agg") == "count" and "versions" not in held]

    # --- parts of entries

    def _counting(self, ways: Sequence[str] = ("count", "sum", "distinct", "days")) -> Entry:
        chance = self._chance
        names, facts = self._facts(is_stored=len(ways) == 1)
        agg = chance.choice(ways)
        entry: Entry = {
            "from": names, "at": self._instants(facts), "where": self._where(facts), "agg": agg,
            "unit": chance.choice(["count", "number"]),
        }  # fmt: skip
        if chance.random() < 0.9:
            entry["credit"] = self._persons(facts)
        if agg == "distinct":
            entry |= {"of": self._ids(facts), "at_least": chance.randint(1, 3)}
            entry |= {"keep": chance.choice(["3d", "10d", "400d"])} if chance.random() < 0.5 else {}
        elif agg == "sum":
            decimals = _fields(facts, _T.DECIMAL)
            times = [*_fields(facts, _T.SECONDS), *(name for fact, name in NUMBERS if fact in facts)]
            if decimals and (not times or chance.random() < 0.7):
                entry["value"] = " - ".join(chance.sample(decimals, min(len(decimals), chance.choice([1, 1, 2]))))
                entry["unit"] = self._money_or(facts, "number")
            elif times:
                entry |= {"value": chance.choice(times), "unit": chance.choice(["seconds", "days", "number"])}
            else:
                entry["agg"] = "count"
        return entry

    def _facts(self, *, is_stored: bool) -> tuple[Any, list[str]]:
        if self._chance.random() < 0.25:
            found = self._chance.sample(RECORD_FACTS, self._chance.randint(1, 3))
            return found, found
        fact = self._chance.choice([*sorted(FACTS.keys() - UNWRITTEN_FACTS - ({REP_DAYS} if is_stored else set()))])
        return fact, [fact]

    def _instants(self, facts: Iterable[str]) -> Any:
        return self._some(_fields(facts, _T.INSTANT))

    def _ids(self, facts: Iterable[str]) -> Any:
        return self._some(_fields(facts, _T.REFERENCE, _T.REFERENCES, _T.TEXT, _T.CHOICE, _T.CURRENCY))

    def _persons(self, facts: Sequence[str]) -> Any:
        found = {name for fact in facts for name in WRITTEN[fact] if name.rpartition(".")[2] in {*PEOPLE, "people"}}
        return self._some(sorted(found)) if found else []

    def _some(self, names: Sequence[str]) -> Any:
        found = self._chance.sample(names, min(len(names), self._chance.choice([1, 1, 1, 2, 3])))
        return found[0] if len(found) == 1 else found

    def _money_or(self, facts: Iterable[str], unit: str) -> str:
        return "money" if self._chance.random() < 0.5 and any("currency" in FACTS[fact] for fact in facts) else unit

    def _by(self) -> list[str]:
        return self._chance.sample([*DIMENSIONS], self._chance.choice([0, 0, 1, 2]))

    # --- conditions

    def _where(self, facts: Sequence[str], depth: int = 0) -> Entry:
        found: Entry = {}
        for _ in range(self._chance.choice([0, 1, 1, 2])):
            lot = self._chance.random() if depth < 2 else 1
            if lot < 0.12 and (inner := self._where(facts, depth + 1)):
                found["not"] = inner
            elif lot < 0.25:
                parts = [part for _ in range(2) if (part := self._where(facts, depth + 1))]
                found |= {"any": parts} if parts else {}
            else:
                fact = self._chance.choice(facts)
                name = self._chance.choice(_askable(fact))
                found[name] = self._asked(fact, name)
        return found

    def _asked(self, fact: str, name: str) -> Any:
        chance, place, kind = self._chance, (fact, name), WRITTEN[fact].get(name)
        if kind in {_T.INSTANT, _T.REFERENCES} or chance.random() < 0.15:
            return {"is_set": chance.random() < 0.6}
        if kind is _T.FLAG or place in FLAGS or place in MONEY_FLAGS:
            return chance.random() < 0.5
        if kind is _T.SECONDS or place in NUMBERS:
            return chance.choice(_SIZES)
        if kind is _T.NUMBER:
            return chance.choice(_COUNTS)
        if kind is _T.DECIMAL:
            return chance.choice(_AMOUNTS)
        last = name.rpartition(".")[2]
        if kind is _T.CHOICE:
            words: Collection[str] = choices_of(fact, name)
        elif kind is _T.CURRENCY:
            words = ("USD", "EUR", "JPY")
        elif kind is None:
            words = ("gold", "3", "true")
        else:
            words = REPS[:3] if last in PEOPLE else (*TEXTS.get(last, ()), *POINTERS.get(last, ()))
        return self._some(sorted(words))


def _listed(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else names


def _fields(facts: Iterable[str], *kinds: FieldType) -> list[str]:
    return sorted({name for fact in facts for name, kind in WRITTEN[fact].items() if kind in kinds})


def _askable(fact: str) -> list[str]:
    made = [name for table in (FLAGS, NUMBERS, MONEY_FLAGS) for owner, name in table if owner == fact]
    own = [f"{name}.tier" if name.endswith("attributes") else name for name in WRITTEN[fact]]
    return sorted([*made, *own])


def any_log(chance: random.Random, size: int) -> list[RecordChange]:
    """So many changes of few records, most of the last days: each says anything."""
    kinds = [kind for kind in FIELDS for _ in range(_OFTEN.get(kind, 1))]
    return [_change(chance, chance.choice(kinds)) for _ in range(size)]


def _change(chance: random.Random, kind: str) -> RecordChange:
    types = FIELDS[kind]
    ids = {"rep": REPS, "lead": LEADS}.get(kind, tuple(f"{kind}{number}" for number in range(5)))
    at = NOW - chance.choice([0, 1, HOUR, 30 * HOUR, chance.randrange(3 * DAY), chance.randrange(3 * DAY)])
    names = sorted(types) if chance.random() < 0.6 else chance.sample(sorted(types), chance.randint(0, len(types)))
    fields = {name: _drawn(chance, kind, name, types[name]) for name in names}
    if fields.get("stage") is not None and fields.get("entered_stage_at") is None:
        fields["entered_stage_at"] = at  # as whoever reads the event does
    if chance.random() < 0.1:
        fields["deleted"] = chance.random() < 0.6
    received_at = min(max(at, NOW - HOUR), NOW)
    return make_change(kind=kind, id=chance.choice(ids), changed_at=at, fields=fields, received_at=received_at)


def _drawn(chance: random.Random, kind: str, name: str, field_type: FieldType) -> Any:  # noqa: PLR0911 - a table
    if chance.random() < (0.6 if name in {"internal", "automated", "merged_into"} else 0.15):
        return None
    if field_type is _T.INSTANT:
        midnight = NOW - NOW % DAY
        near = (0, MINUTE, 30 * MINUTE, 59 * MINUTE, HOUR, 26 * HOUR, 75 * DAY, -20 * MINUTE, -2 * HOUR, -30 * DAY)
        beside = chance.choice([0, DAY, 8 * HOUR, 8 * HOUR + 1])
        ago = chance.choice([chance.choice(near), NOW - midnight + beside, chance.randrange(-HOUR, 3 * DAY)])
        return NOW - chance.choice([ago, ago, ago, chance.randrange(12 * DAY)])
    words: dict[FieldType, Sequence[Any]] = {
        _T.DATE: ("2026-01-02", "2026-03-10", "2026-03-17", "2026-03-18", "2026-03-19"),
        _T.FLAG: (True, False), _T.SECONDS: (0, 30_000_000, 59_999_999, 60_000_000, 61_500_000),
        _T.DECIMAL: ("1", "0.5") if name == "share" else _DECIMALS, _T.CURRENCY: ("USD", "EUR", "JPY"),
        _T.ATTRIBUTES: ("{}", '{"tier":"gold"}', '{"tier":3}', '{"tier":true}'), _T.PHONE: PHONES,
    }  # fmt: skip
    words[_T.DATE_OR_INSTANT] = words[_T.DATE]
    if field_type is _T.REFERENCES:
        return chance.sample(POINTERS[name], chance.randint(1, 2))
    if field_type is _T.REFERENCE:
        return chance.choice(POINTERS[name])
    if field_type is _T.CHOICE:
        return chance.choice(sorted(CHOICES[kind, name]))
    if field_type is _T.TEXT:
        return chance.choice(("s1", "s2", "s3", "s4") if name == "stage" else TEXTS[name])
    return chance.choice(words[field_type])
