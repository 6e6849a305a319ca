"""What a page is asked to show: everything of it stands in the address, so that every view has a link.

Owns the parameters of `/floor` and `/me`, their checks (404 and 422 that name the parameter) and the links that change
one of them and keep the others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import get_args
from urllib.parse import urlencode

from starlette.requests import Request

from api.http.errors import InvalidParameterError
from api.http.identity import Access
from api.http.parameters import (
    dates_span,
    known_dimension,
    known_metric,
    known_metrics,
    known_team,
    named_span,
    one_of,
    read_date,
    shown_name,
)
from api.read.comparison import COMPARISONS, OF_REPS
from api.read.open_deals import DealFlag, LeadFlag
from api.read.view import View
from schemas.comparing import PREVIOUS
from schemas.config.screens import LANGUAGES
from schemas.windows import Span, date_of

NAMES = (
    "window", "from", "to", "team", "by", "compare", "metrics", "sort", "start", "pipeline", "flag", "lead_flag",
    "language",
)  # fmt: skip
"""The parameters, in the order in which links have them."""
NO_COMPARISON = "none"
DEAL_FLAGS: tuple[str, ...] = get_args(DealFlag)
LEAD_FLAGS: tuple[str, ...] = get_args(LeadFlag)


def canonical_address(request: Request) -> tuple[dict[str, str], bool]:
    """The parameters as links write them, and whether the address has them otherwise.

    A form sends what is left empty too, and each chosen metric by itself; dates that are chosen take the place of a
    window. A name that is none of ours (a mail's link has some of its own) is not in them: who misspelt one sees by the
    address that it is not asked for.
    """
    given = [(name, value.strip()) for name, value in request.query_params.multi_items()]
    found: dict[str, str] = {}
    for name in NAMES:
        values = [value for key, value in given if key == name and value]
        if values:
            found[name] = ",".join(values) if name == "metrics" else values[-1]
    if "from" in found and "to" in found:
        found.pop("window", None)
    is_so = len(given) == len(found) and all(found.get(name) == value for name, value in given)
    return found, not is_so


@dataclass(frozen=True)
class PageAsked:
    """What is to be shown."""

    path: str
    query: Mapping[str, str]
    span: Span
    team: str | None
    by: str | None
    compare: str | None
    metrics: tuple[str, ...] | None
    sort: str | None
    start: int
    pipeline: str | None
    flag: str | None
    lead_flag: str | None

    def link(self, **changes: str | None) -> str:
        """The address with other values of some parameters (`from_` for `from`); None: without."""
        named = {name.rstrip("_"): value for name, value in changes.items()}
        wanted = {name: value for name in NAMES if (value := named.get(name, self.query.get(name))) is not None}
        return f"{self.path}?{urlencode(wanted)}" if wanted else self.path

    def link_to_dates(self, first: date, last: date) -> str:
        """The address for these dates."""
        return self.link(window=None, from_=first.isoformat(), to=last.isoformat(), start=None)

    def others(self, *names: str) -> list[tuple[str, str]]:
        """What a form that has controls for `names` must carry along."""
        return [(name, value) for name, value in self.query.items() if name not in names]

    @property
    def window(self) -> str | None:
        """The name of the window; None: it is two dates."""
        return None if "from" in self.query else self.query.get("window", "today")

    @property
    def first(self) -> str | None:
        """The first date, where it is one of days."""
        return date_of(self.span.first).isoformat() if self.span.days else None

    @property
    def last(self) -> str | None:
        """The last date, where it is one of days."""
        return date_of(self.span.last).isoformat() if self.span.days else None


def read_asked(path: str, query: Mapping[str, str], view: View, access: Access, now: int) -> PageAsked:
    """What the address asks for. Raises InvalidParameterError, NotFoundError, ForbiddenError."""
    team, by = query.get("team"), query.get("by")
    if team is not None:
        known_team(view, team, access)
    if by is not None:
        known_dimension(view, by)
    _one_of("language", query, LANGUAGES)
    sort = query.get("sort")
    if sort is not None:
        known_metric(view, sort)
    return PageAsked(
        path=path,
        query=query,
        span=_span(query, view, now),
        team=team if team is not None else access.team,
        by=by,
        compare=_compare(query, access),
        metrics=known_metrics(view, query.get("metrics")),
        sort=sort,
        start=_start(query),
        pipeline=query.get("pipeline"),
        flag=_one_of("flag", query, DEAL_FLAGS),
        lead_flag=_one_of("lead_flag", query, LEAD_FLAGS),
    )


def _span(query: Mapping[str, str], view: View, now: int) -> Span:
    if "from" not in query and "to" not in query:
        return named_span(view, query.get("window", "today"), now)
    dates = {}
    for name in ("from", "to"):
        if name not in query:
            raise InvalidParameterError(name, detail="from and to belong together")
        found = read_date(query[name])
        if found is None:
            raise InvalidParameterError(name, f"{shown_name(query[name])} is not a date like 2026-03-18")
        dates[name] = found
    return dates_span(dates["from"], dates["to"])


def comparisons_of(access: Access) -> list[str]:
    """With what this reader may compare: a rep with nobody else."""
    others = () if access.rep is None else {*OF_REPS, "share"}
    return [NO_COMPARISON, *(kind for kind in COMPARISONS if kind not in others)]


def _compare(query: Mapping[str, str], access: Access) -> str | None:
    """With what; the time before if nothing is said."""
    asked = one_of("compare", query.get("compare", PREVIOUS), comparisons_of(access))
    return None if asked == NO_COMPARISON else asked


def _one_of(name: str, query: Mapping[str, str], known: Iterable[str]) -> str | None:
    return one_of(name, query[name], known) if name in query else None


def _start(query: Mapping[str, str]) -> int:
    """How many reps stand on the pages before."""
    asked = query.get("start", "0")
    if not (asked.isascii() and asked.isdigit() and len(asked) <= 6):
        raise InvalidParameterError(field="start", detail="is not a number of reps")
    return int(asked)
