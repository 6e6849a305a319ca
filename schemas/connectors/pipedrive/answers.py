"""What an answer of Pipedrive's API says of our records.

Owns the way from a deal with its changelog to statements. A stage, a status and an amount are told change by change,
each at its own instant, as webhooks tell them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.connectors.asking import HISTORY
from schemas.connectors.base import Parsed
from schemas.connectors.events import Statement
from schemas.connectors.pipedrive.objects import STATUSES
from schemas.connectors.tables import version_instant
from schemas.connectors.words import ConnectionWords
from schemas.instants import format_instant
from schemas.records import MAX_PLACE

PASTS = ("stage", "entered_stage_at", "status", "closed_at", "amount")
"""Fields of a deal that its changelog tells."""


def past_of(deal: Mapping[str, Any], id: str, words: ConnectionWords, parsed: Parsed) -> Iterator[Statement]:
    """The stages, statuses and amounts that a deal had since it was made, oldest first."""
    made = version_instant(deal.get("add_time"), "add_time")
    changes = _changes(deal.get(HISTORY), made)
    now = {name: _first(deal, name, changes) for name in ("stage_id", "status", "value")}
    yield Statement("deal", id, made, _stage(now, made) | _status(now, made, words, parsed) | {"amount": now["value"]})
    for place, (at, name, value) in enumerate(changes, start=1):
        now[name] = value
        if name == "value":
            fields: dict[str, Any] = {"amount": value}
        elif name == "status":
            fields = _status(now, at, words, parsed)
        else:  # moved after it was closed, a deal is closed since then all the same
            fields = _stage(now, at) | (_status(now, at, words, parsed) if now["status"] == "open" else {})
        yield Statement("deal", id, at, fields, place=min(place, MAX_PLACE))


def _changes(history: Any, made: int) -> list[tuple[int, str, Any]]:
    """Oldest first: of one instant the change that Pipedrive names first is the later one."""
    found: list[tuple[int, str, Any]] = []
    for change in reversed(_said(history)):
        at = version_instant(change.get("time"), "time")
        if at >= made:  # what is older was another deal's, before this one was made of it
            found.append((at, change["field_key"], change.get("new_value")))
    return sorted(found, key=lambda change: change[0])


def _said(history: Any) -> list[Mapping[str, Any]]:
    """The changes of which it is known what they changed."""
    entries = history if isinstance(history, list) else []
    return [change for change in entries if isinstance(change, dict) and isinstance(change.get("field_key"), str)]


def _first(deal: Mapping[str, Any], name: str, changes: Sequence[tuple[int, str, Any]]) -> Any:
    """What a field was when the deal was made: what its first change names as former, else what it is."""
    if all(changed != name for _, changed, _ in changes):
        return deal.get(name)
    for change in reversed(_said(deal.get(HISTORY))):
        if change["field_key"] == name:
            return change.get("old_value")
    return deal.get(name)


def _stage(now: Mapping[str, Any], at: int) -> dict[str, Any]:
    stage = now["stage_id"]
    return {} if stage in (None, "") else {"stage": str(stage), "entered_stage_at": format_instant(at)}


def _status(now: Mapping[str, Any], at: int, words: ConnectionWords, parsed: Parsed) -> dict[str, Any]:
    """What a deal is once its status or its stage has changed; closed then, if it is closed by that."""
    status = now["status"]
    if status == "deleted":
        return {}
    if status not in STATUSES:
        if status:
            parsed.ignore_unmapped("deal", "status", status)
        return {"status": None}
    if status == "open":
        found = words.stages.get(str(now["stage_id"]), "open")
        return {"status": found, **({"closed_at": None} if found == "open" else {})}
    return {"status": status, "closed_at": format_instant(at)}
