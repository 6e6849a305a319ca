"""Segments and steps of funnels, read off the recount's books: `floorcast verify` asks for neither, tests do.

Owns the recount's own reading of dimensions: by which values of a field a metric is told apart, and which of them
something has.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from deploy.verification.books import Books
from deploy.verification.conditions import Fact, value_of
from deploy.verification.definitions import Entry, duration, names
from deploy.verification.funnels import Funnel, Share
from deploy.verification.measures import Counted, Exact
from deploy.verification.rows import Tally
from deploy.verification.shapes import RecountedWindow
from deploy.verification.spans import Span, day_months_later
from deploy.verification.terms import Terms

TEAM = "team"
_FIXED: Mapping[str, tuple[str, ...]] = {
    "deal.kind": ("new", "expansion", "cross_sell", "renewal"),
    "deal.status": ("lost", "open", "won"),
    "call.direction": ("inbound", "outbound"),
    "email.direction": ("inbound", "outbound"),
    "call.outcome": ("busy", "connected", "failed", "no_answer", "voicemail", "wrong_number"),
    "meeting.outcome": ("cancelled", "held", "no_show", "scheduled"),
    "lead.status": ("converted", "customer", "disqualified", "new", "qualified"),
}
"""Fields that can have no other values, which need no list."""


class Dimension:
    """One dimension: its values in order, and the value of what was counted."""

    def __init__(self, name: str, entry: Entry, terms: Terms, leads: Mapping[str, Fact]) -> None:
        """`leads`: a lead's facts by its id and by those merged into it."""
        self._of = "rep.team" if name == TEAM else str(entry["of"])
        self._terms, self._leads = terms, leads
        self._other = entry.get("other", "Other")
        self._bands = names(entry.get("bands"))
        self._labels = _labels(self._of, entry.get("values"), terms)

    @property
    def is_of_persons(self) -> bool:
        """Whether it is looked up when the numbers are read, for whoever did it."""
        return self._of.startswith("rep.")

    @property
    def values(self) -> list[str]:
        """All values of a closed list, in order; none where those count that occur."""
        if self._bands:
            last = ("older", "unknown") if self.is_of_persons else ("later", "never", "unknown")
            return [*self._bands, *last]
        return [] if self.is_of_persons else [*dict.fromkeys(self._labels.values()), self._other]

    def of(self, counted: Counted, span: Span) -> str | None:
        """The value of what was counted."""
        if self.is_of_persons:
            return self._of_person(counted.rep, span.seen_on if counted.day is None else counted.day)
        lead = self._lead(counted.fact) if self._of.startswith("lead.") else None
        found = self._value(counted.fact, lead)
        if not self._bands:
            return self._labels.get(str(found), self._other)
        if found is None:
            return "unknown" if lead is None and self._of.startswith("lead.") else "never"
        return next((band for band in self._bands if found <= duration(band)), "later")

    def _value(self, fact: Fact, lead: Fact | None) -> Any:
        if self._of.startswith("lead."):
            return None if lead is None else value_of(lead, self._of.removeprefix("lead."))
        kind = "deal.stays" if self._of.startswith("deal.stays.") else self._of.partition(".")[0]
        is_meant = fact.get("record") == kind.partition(".")[0]
        return value_of(fact, self._of.removeprefix(f"{kind}.")) if is_meant else None

    def _lead(self, fact: Fact) -> Fact | None:
        if fact.get("record") == "lead":
            return fact if fact.get("id") in self._leads else None
        named = fact.get("lead")
        return None if named is None else self._leads.get(named)

    def _of_person(self, rep: str | None, day: date) -> str | None:
        if self._of == "rep.team":
            return self._terms.people.team_of(rep, day)
        if not self._bands:
            found = self._terms.people.of(rep, self._of.removeprefix("rep."))
            return None if found is None else str(found)
        since = self._terms.people.since(rep)
        if since is None:
            return "unknown"
        lengths = ((band, int(band.removesuffix("mo"))) for band in self._bands)
        return next((band for band, months in lengths if day < day_months_later(since, months)), "older")


def _labels(of: str, values: Any, terms: Terms) -> dict[str, str]:
    """Value of the field -> what it is called, in the order of the file."""
    if isinstance(values, Mapping):
        return {str(value): label for label, some in values.items() for value in names(some)}
    if values:
        return {str(value): str(value) for value in values}
    if of in _FIXED:
        return {value: value for value in _FIXED[of]}
    if of == "deal.stays.stage":
        return {step: step for held in terms.config.pipelines.values() for step in held.steps if step not in held.won}
    return {}


def segments(
    books: Books,
    metric: str,
    by: str,
    *,
    now: int,
    window: RecountedWindow | Span,
    rep: str | None = None,
    team: str | None = None,
) -> dict[str | None, Exact]:
    """Give a metric by the values of a dimension: all of a closed list, of persons those that have something."""
    bands = books.reading.config.lead_response.response_bands
    more = {"bands": bands} if bands is not None and by == "response_band" else {}
    dimension, span = _dimension(books, by, more), books.reading.span(window, now)

    def valued(label: str | None) -> Exact:
        tally = Tally(books.reading.formulas, span)
        for counted in books.within(span):
            if books.is_theirs(counted, span, rep, team) and dimension.of(counted, span) == label:
                tally.add(counted)
        return tally.value(metric)

    labels: list[str | None] = [*dimension.values]
    if not labels:
        seen = {dimension.of(counted, span) for counted in books.within(span)}
        labels = sorted(seen, key=lambda label: (label is None, label or ""))
    found = {label: valued(label) for label in labels}
    if not dimension.is_of_persons:
        return found
    nothing = Tally(books.reading.formulas, span).value(metric)
    return {label: value for label, value in found.items() if value and value != nothing}


def funnel(
    books: Books, metric: str, *, now: int, window: RecountedWindow, rep: str | None = None, team: str | None = None,
    pipeline: str | None = None, by: tuple[str, str | None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Give the steps of a pipeline's funnel, of the first if None; `by`: only what has a label of a dimension."""
    leaf = books.reading.formulas.by_name[metric]
    of_leaf = (one for one, its in books.reading.formulas.leaf_of.items() if its is leaf)
    measure = next(one for one in of_leaf if isinstance(one, Funnel))
    way = next((way for way in measure.ways if pipeline in (None, way.pipeline)), None)
    if way is None:
        return {"steps": [], "worst": None}
    span, dimension = books.reading.span(window, now), None if by is None else _dimension(books, by[0])
    share = Share(measure.ways)
    for counted in books.within(span):
        if (
            counted.measure is measure
            and counted.holds(now)
            and books.is_theirs(counted, span, rep, team)
            and (dimension is None or by is None or dimension.of(counted, span) == by[1])
        ):
            share.add(counted)
    return share.steps(way, now)


def _dimension(books: Books, name: str, more: Entry | None = None) -> Dimension:
    terms = books.reading.terms
    return Dimension(name, {**terms.definitions.dimensions.get(name, {}), **(more or {})}, terms, books.leads)
