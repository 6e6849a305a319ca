"""A dashboard for each tag of a catalogue: every metric that has it.

Owns which panel a metric has: sums in the course of time by team, shares and means as they are now by rep.
"""

import re
from hashlib import blake2b

from deploy.grafana.model import Dashboard, Panel, Section
from deploy.grafana.panels import lines, ranking
from deploy.grafana.queries import TEAM, WINDOW, per_rep, per_team
from schemas.catalogue import Catalogue
from schemas.catalogue.adding import has_shares
from schemas.catalogue.base import Entry
from schemas.catalogue.checking import made_of
from schemas.catalogue.level import Level
from schemas.catalogue.series import PREFIX, exported
from schemas.catalogue.simple import Simple
from schemas.catalogue.versions import Versioned

_UNITS = {"ratio": "percentunit", "seconds": "s", "days": "s"}
"""Unit of a metric -> what Grafana calls it; days are exported as seconds."""
_LONGEST = 16
"""Characters of a tag: Grafana takes names of at most 40."""


def tag_boards(catalogue: Catalogue) -> tuple[Dashboard, ...]:
    """The dashboards, by the name of their tag."""
    tags = sorted({tag for entry in catalogue.values() for tag in entry.tags})
    return tuple(_board(tag, catalogue) for tag in tags)


def _board(tag: str, catalogue: Catalogue) -> Dashboard:
    panels = tuple(_panel(name, entry, catalogue) for name, entry in catalogue.items() if tag in entry.tags)
    return Dashboard(
        uid=f"floorcast-tag-{_plain(tag)}",
        title=f"Metrics: {tag}",
        description=f"Every metric that is tagged {tag}.",
        variables=(WINDOW, TEAM),
        sections=(Section(tag[:1].upper() + tag[1:], panels),),
    )


def _plain(tag: str) -> str:
    """A tag as part of a name that Grafana takes, and a file has: no two tags have one name."""
    name = re.sub(r"[^a-z0-9]+", "-", tag.lower())[:_LONGEST]
    return name if name == tag else f"{name}-{blake2b(tag.encode(), digest_size=4).hexdigest()}"


def _panel(name: str, entry: Entry, catalogue: Catalogue) -> Panel:
    series = exported(name, entry.unit)[0].removeprefix(PREFIX)
    unit = _UNITS.get(entry.unit, "short")
    if has_shares(catalogue, name, with_levels=True) and not _counts_ids(catalogue, name):
        query = (per_team(series), "{{team}}")
        return lines(entry.label, query, description=entry.description, unit=unit, width=8, minimum=None)
    best = "bottomk" if entry.better == "lower" else "topk"
    query_of_best = f"{best}(10, {per_rep(series)})"
    return ranking(entry.label, query_of_best, description=entry.description, unit=unit)


def _counts_ids(catalogue: Catalogue, name: str) -> bool:
    """Whether one thing may count for several people: then there are fewer of a team than of its people together."""
    entry = catalogue[name]
    counted = [
        held
        for held in (entry.entries if isinstance(entry, Versioned) else (entry,))
        if isinstance(held, Simple | Level) and held.agg == "distinct" and held.of != held.credit
    ]
    return bool(counted) or any(_counts_ids(catalogue, part) for part in made_of(entry))
