"""What an answer of HubSpot's API says of our records: the events that would have told the same, where there are any.

Owns the way from a record with its history to statements. A property whose history is there is told change by change,
each with its own instant, just as webhooks tell it: so a look-up after a webhook changes nothing. What HubSpot names no
instant for counts as said when the record was last modified; associations, of which it names none at all, and the team
of an owner, when floorcast asked.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from schemas.connectors.asking import GONE, Envelope
from schemas.connectors.base import Parsed
from schemas.connectors.events import ShapeError, Statement
from schemas.connectors.fields import MAX_TEXT, FieldError
from schemas.connectors.hubspot.api import LINKS, MADE_BY, USERS, modified_at, user_of
from schemas.connectors.hubspot.events import STATEMENTS, Account, merged_before, merged_ids
from schemas.connectors.hubspot.object_types import Object
from schemas.connectors.hubspot.objects import (
    DISPOSITION,
    FURTHER_PROPERTIES,
    MAKER,
    NAMES,
    OTHER_PARTY,
    OWNER,
    PASTS,
    UNSENT,
    WINNING,
)
from schemas.connectors.tables import joined_name
from schemas.instants import parse_instant
from schemas.records import FIELDS

ObjectStatements = tuple[str, Iterable[Statement]]
"""(What says it, statements): each is read by itself, so that what cannot be read costs no other."""

_STATUS_PROPERTIES = ("hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost")
_BY_STATUS = {"open": ("false", "false", "false"), "won": ("true", "true", "false"), "lost": ("true", "false", "true")}
_MAKERS = {"meeting": "booked_by", "deal": "creator"}
"""Kind of record -> what whoever made it is called."""
_PRIMARY = 578
"""Type of the association of a lead with the contact that it is about."""


def hubspot_statements(
    record: Mapping[str, Any], envelope: Envelope, asked_at: int, parsed: Parsed, account: Account
) -> Iterator[ObjectStatements]:
    """Everything that one record of an answer says. Raises ShapeError where it is not one."""
    id = record.get("id")
    if not isinstance(id, str):
        raise ShapeError("records", "must have an id")
    if envelope.object == "owners" and GONE not in record:
        yield from _owner(id, record, asked_at, account)
        return
    target = next((found for found in account.objects.values() if found.name == envelope.object), None)
    if target is None:
        return
    if GONE in record:
        yield "archived", [Statement(target.kind, target.prefix + id, asked_at, deleted=True)]
        return
    if record.get("archived") is True:
        at = _instant(record.get("archivedAt")) or modified_at(envelope.object, record) or asked_at
        yield "archivedAt", _event("deletion", id, target, at, parsed)
        return
    if id in envelope.restored:
        yield "archived", _event("restore", id, target, asked_at, parsed)
    if "properties" in record or "propertiesWithHistory" in record:
        yield from _properties(id, record, target, envelope, asked_at, parsed, account)
    if "associations" in record:
        yield "associations", _links(id, record["associations"], target, account, asked_at)


def _event(action: str, id: str, target: Object, at: int, parsed: Parsed, **more: Any) -> Iterator[Statement]:
    """What a webhook of this would say. It asks for nothing more."""
    return STATEMENTS[action]({"objectId": id, **more}, target, at, parsed, Account({}))


def _properties(
    id: str,
    record: Mapping[str, Any],
    target: Object,
    envelope: Envelope,
    asked_at: int,
    parsed: Parsed,
    account: Account,
) -> Iterator[ObjectStatements]:
    users = record.get(USERS)
    users = users if isinstance(users, dict) else {}
    modified = modified_at(envelope.object, record) or asked_at
    created = _instant(record.get("createdAt"))
    if created is not None:
        yield "createdAt", _event("creation", id, target, created, parsed)
    told = {
        name: _told(record, name, modified) for name in (*target.properties, *FURTHER_PROPERTIES.get(target.name, ()))
    }
    for name, history in _adapted(told, envelope.words).items():
        if name not in target.properties:
            continue
        for value, at in history if name in PASTS else history[-1:]:
            if name == OWNER and isinstance(value, str):
                value = account.person(value, users)  # noqa: PLW2901 - the same person, by the id that is known
            if (named := _named(target, name, value, at, envelope.words)) is not None:
                # The event that brought it knew no meaning, at the same instant.
                yield name, [Statement(target.kind, target.prefix + id, at, named, yields=-WINNING)]
                continue
            change = _event("propertyChange", id, target, at, parsed, propertyName=name, propertyValue=value)
            yield name, change
    if target.kind == "call":
        yield from _number(id, told, target)
    if target.name == "contacts":
        names = [told[each][-1] for each in NAMES if told[each]]
        if names:
            whole = " ".join(str(value) for value, _ in names if value)[:MAX_TEXT]
            since = max(at for _, at in names)
            yield NAMES[0], [Statement(target.kind, target.prefix + id, since, {"name": whole})]
    maker = record.get(MADE_BY)
    if isinstance(maker, str) and target.kind in _MAKERS:
        fields = {_MAKERS[target.kind]: account.person(maker, users)}
        yield MAKER, [Statement(target.kind, target.prefix + id, created or modified, fields)]
    merged = told.get("hs_merged_object_ids", [])
    for (before, _), (now, at) in pairwise([("", 0), *merged]):
        losers = sorted(merged_ids(now) - merged_ids(before) - {id})
        if losers:
            yield "hs_merged_object_ids", merged_before(losers, target.prefix + id, target, at)


def _named(target: Object, name: str, value: Any, at: int, words: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What an outcome of the account's own says by what it is called; None: it says so itself, or nothing does."""
    if name != DISPOSITION or value not in words or not target.properties[name](value, at).unmapped:
        return None
    facts = target.properties[name](words[value], at)
    return None if facts.unmapped else facts.said


def _number(id: str, told: Mapping[str, list[tuple[Any, int]]], target: Object) -> Iterator[ObjectStatements]:
    """The other party's number, which the direction tells from ours."""
    for direction, at in told.get("hs_call_direction", [])[-1:]:
        name = OTHER_PARTY.get(str(direction).upper(), "")
        for value, since in told.get(name, [])[-1:]:
            yield name, [Statement(target.kind, target.prefix + id, max(at, since), {"number": value})]


def _told(record: Mapping[str, Any], name: str, modified: int) -> list[tuple[Any, int]]:
    """What a property was from when on, oldest first. Without a history: what it is, from the last modification on."""
    histories = record.get("propertiesWithHistory")
    history = histories.get(name) if isinstance(histories, dict) else None
    found: list[tuple[Any, int]] = []
    for entry in history if isinstance(history, list) else ():
        at = _instant(entry.get("timestamp")) if isinstance(entry, dict) else None
        if at is not None:
            found.append((entry.get("value"), at))
    if found:
        found.reverse()  # newest first is HubSpot's order: of one instant the entry that it names first is the later
        return sorted(found, key=lambda entry: entry[1])
    properties = record.get("properties")
    value = properties.get(name) if isinstance(properties, dict) else None
    return [] if value is None or value == "" else [(value, modified)]


def _adapted(told: dict[str, list[tuple[Any, int]]], words: Mapping[str, str]) -> dict[str, list[tuple[Any, int]]]:
    """The same, where one property decides what another means."""
    stages = told.get("dealstage", [])
    if stages and all(stage in words for stage, _ in stages):
        # What the pipeline says of the stages holds for every entry; of a calculated property not every account keeps
        # the past.
        for place, name in enumerate(_STATUS_PROPERTIES):
            told[name] = [(_BY_STATUS[words[stage]][place], at) for stage, at in stages]
    statuses = told.get("hs_email_status", [])
    directions = told.get("hs_email_direction", [])
    if directions and statuses and str(statuses[-1][0]).upper() not in UNSENT:
        del told["hs_email_status"]  # the direction is told outright
        direction, at = directions[-1]
        if any(str(value).upper() in UNSENT for value, _ in statuses):
            told["hs_email_direction"] = [(direction, max(at, statuses[-1][1]))]
    return told


def _links(id: str, associations: Any, target: Object, account: Account, asked_at: int) -> Iterator[Statement]:
    """What it points to now: of several the primary one, else the one with the smallest id. A mail has each contact."""
    if not isinstance(associations, dict):
        return
    fields: dict[str, Any] = {}
    for other in LINKS.get(target.name, ()):
        end = next((found for found in account.objects.values() if found.name == other), None)
        found = associations.get(other)
        if end is None or not isinstance(found, list) or end.kind not in FIELDS[target.kind]:
            continue
        entries = {str(entry["id"]): _PRIMARY in entry.get("types", ()) for entry in found if _is_link(entry)}
        ids = sorted(entries, key=lambda each: (not entries[each], len(each), each))
        if fields.get(end.kind) is None:  # a contact before a lead object
            fields[end.kind] = end.prefix + ids[0] if ids else None
        if other == "contacts" and "contacts" in FIELDS[target.kind]:
            fields["contacts"] = [end.prefix + each for each in ids] or None
    if fields:
        yield Statement(target.kind, target.prefix + id, asked_at, fields)


def _is_link(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"] != ""


def _owner(owner: str, record: Mapping[str, Any], asked_at: int, account: Account) -> Iterator[ObjectStatements]:
    """An owner. That one moved to another team does not show in when it was modified."""
    id = account.person(owner, {owner: user_of(record)})
    at = _instant(record.get("updatedAt")) or _instant(record.get("createdAt")) or asked_at
    fields: dict[str, Any] = {"active": record.get("archived") is not True}
    if name := joined_name(record, "firstName", "lastName"):
        fields["name"] = name
    if isinstance(record.get("email"), str) and record["email"]:
        fields["email"] = record["email"]
    yield "owners", [Statement("rep", id, at, fields)]
    teams = [team for team in record.get("teams") or () if isinstance(team, dict) and isinstance(team.get("name"), str)]
    if teams:
        primary = next((team for team in teams if team.get("primary") is True), teams[0])
        yield "teams", [Statement("rep", id, asked_at, {"team": primary["name"]})]


def _instant(value: Any) -> int | None:
    if value is None:
        return None
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except ValueError:
        raise FieldError(field="records", problem="must name instants as HubSpot does") from None
