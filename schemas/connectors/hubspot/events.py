"""What an event of HubSpot says of which record: statements, the input of changes.

Owns the shapes of events.
https://developers.hubspot.com/docs/api/webhooks
Generic subscriptions:
https://developers.hubspot.com/beta-docs/guides/apps/public-apps/create-generic-webhook-subscriptions
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from schemas.connectors.base import Parsed
from schemas.connectors.events import UNKNOWN_TYPE, LeftOutError, ShapeError, Statement, text_member
from schemas.connectors.fields import FieldError
from schemas.connectors.hubspot.object_types import CLASSIC, IN_ASSOCIATIONS, Object
from schemas.connectors.hubspot.objects import (
    DISPOSITION,
    FOLLOWING_YIELDS,
    INFERRED_YIELDS,
    NAMES,
    OTHER_PARTY,
    OWNER,
    REMOVAL_YIELDS,
    WINNING,
)
from schemas.instants import format_instant
from schemas.records import FIELDS, MERGED
from schemas.voices import LEFT


@dataclass(frozen=True, slots=True)
class Account:
    """What a connection makes of HubSpot's objects."""

    objects: Mapping[str, Object]
    """Those that are records of it, by type id."""
    looks_up: bool = False
    """Whether its API can be asked for what events do not tell."""
    people: frozenset[str] = frozenset()
    """The ids by which `aliases` know people: of owners, or of the users that those are."""

    def person(self, owner: str, users: Mapping[str, Any]) -> str:
        """The id by which an owner is known. `users`: owner -> user."""
        user = users.get(owner)
        return user if isinstance(user, str) and user in self.people and owner not in self.people else owner


def subject_of(event: Mapping[str, Any], account: Account) -> tuple[Object | None, str]:
    """Find the kind of object an event speaks of, and what happened. None: an association names both ends itself."""
    # HubSpot's test button sends these; no account has such an event and object.
    if event.get("eventId") in (1, 100) and event.get("objectId") == 123:
        raise LeftOutError("test_event")
    name = text_member({"subscriptionType": event.get("eventType"), **event}, "subscriptionType")
    subject, _, action = name.partition(".")
    if action not in STATEMENTS:
        raise LeftOutError(UNKNOWN_TYPE)
    if action == "associationChange":
        if subject not in {"object", *CLASSIC}:
            raise LeftOutError(UNKNOWN_TYPE)
        return None, action
    if subject == "object":
        target = account.objects.get(text_member(event, "objectTypeId"))
    else:
        target = account.objects.get(CLASSIC.get(subject, ""))
    if target is None:
        raise LeftOutError(UNKNOWN_TYPE)
    return target, action


def _object_id(value: Any, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not re.fullmatch(r"[0-9]{1,20}", str(value)):
        raise ShapeError(name, "is missing or not an id")
    return str(value)


def _own_id(event: Mapping[str, Any], target: Object) -> str:
    return target.prefix + _object_id(event.get("objectId"), "objectId")


MERGED_IDS = ("hs_merged_object_ids", "hs_calculated_merged_vids")
_MERGED_ID = re.compile(r"([0-9]{1,20})(?::[0-9]*)?")
_LISTED_YIELDS = 2
_Statements = Callable[[Mapping[str, Any], Any, int, Parsed, Account], Iterator[Statement]]


def _creation(
    event: Mapping[str, Any], target: Object, at: int, parsed: Parsed, account: Account
) -> Iterator[Statement]:
    _want(event.get("objectId"), target, parsed, account)
    fields = {} if target.created is None else {target.created: format_instant(at)}
    yield Statement(target.kind, _own_id(event, target), at, fields, yields=INFERRED_YIELDS)


def _want(id: Any, target: Object, parsed: Parsed, account: Account) -> None:
    """Ask the API for the whole of an object, where there is one to ask."""
    if account.looks_up:
        parsed.want(target.name, _object_id(id, "objectId"))


def _deletion(
    event: Mapping[str, Any], target: Object, at: int, _parsed: Parsed, _account: Account
) -> Iterator[Statement]:
    yield Statement(target.kind, _own_id(event, target), at, deleted=True)


def _restore(
    event: Mapping[str, Any], target: Object, at: int, parsed: Parsed, account: Account
) -> Iterator[Statement]:
    _want(event.get("objectId"), target, parsed, account)
    yield Statement(target.kind, _own_id(event, target), at, deleted=False)


def _property_change(
    event: Mapping[str, Any], target: Object, at: int, parsed: Parsed, account: Account
) -> Iterator[Statement]:
    own_id = _own_id(event, target)
    name = text_member(event, "propertyName")
    reading = target.properties.get(name)
    if reading is None and (
        (target.kind == "call" and name in OTHER_PARTY.values())
        or (target.name == "contacts" and name in NAMES and account.looks_up)
    ):
        # Whose number it is, the direction says; of a name this is a part.
        _want(event.get("objectId"), target, parsed, account)
        return
    if reading is None:
        parsed.ignore_unknown(target.kind, name)
        return
    if event.get("isSensitive") is True or event.get("propertyValue") == "REDACTED":
        raise LeftOutError("redacted")
    if "propertyValue" not in event:
        raise ShapeError("propertyValue", "is missing")
    try:
        facts = reading(_property_text(event["propertyValue"]), at)
    except ValueError as error:
        raise FieldError(field=name, problem=str(error)) from None
    if name == OWNER and account.looks_up and account.people and facts.said["rep"] not in {None, *account.people}:
        # It may be a user that `aliases` name: the API tells.
        _want(event.get("objectId"), target, parsed, account)
        return
    is_named = facts.unmapped and name == DISPOSITION and account.looks_up  # what it is called, the API tells
    if facts.unmapped and facts.said and not is_named:
        parsed.ignore_unmapped(target.kind, next(iter(facts.said)).partition("#")[0], str(event["propertyValue"]))
    elif facts.unmapped and not facts.said:  # of a property that speaks of something else too
        parsed.ignore("unmapped_value")
    is_partly_told = name == "dealstage" and facts.said.get("status") is None and not facts.wins
    if is_named or is_partly_told or name == "hs_email_status":
        _want(event.get("objectId"), target, parsed, account)  # what it means, other properties say
    for fields, yields in (
        (facts.said, 0),
        (facts.wins, -WINNING),
        (facts.inferred, INFERRED_YIELDS),
        ({} if account.looks_up else facts.follows, FOLLOWING_YIELDS),
    ):
        if fields:
            yield Statement(target.kind, own_id, at, fields, yields=yields, source=name)


def _property_text(value: Any) -> str | None:
    """HubSpot sends text; numbers and claims are taken as they would be written. Empty: cleared."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and isfinite(value)):
        return None if value is None else str(value).strip() or None
    raise ValueError("must be text")


def _merge(event: Mapping[str, Any], target: Object, at: int, parsed: Parsed, account: Account) -> Iterator[Statement]:
    """Losers of a merge point to the record that stays.

    A merge may make a new record: then the former primary one is a loser too, merged before the others, for its values
    are those of the new record.
    """
    if MERGED not in FIELDS[target.kind]:
        raise LeftOutError(UNKNOWN_TYPE)
    merged = event.get("mergedObjectIds")
    if not isinstance(merged, list):
        raise ShapeError("mergedObjectIds", "must be an array of ids")
    primary = event.get("primaryObjectId")
    if primary is None:
        primary = event.get("objectId")
    primary_id = _object_id(primary, "primaryObjectId")
    new = event.get("newObjectId")
    stays = primary_id if new is None else _object_id(new, "newObjectId")
    losers = dict.fromkeys([*(_object_id(loser, "mergedObjectIds") for loser in merged), primary_id])
    for loser in losers:
        if loser == stays:
            continue
        is_first = loser == primary_id
        yield Statement(target.kind, target.prefix + loser, at, {MERGED: target.prefix + stays}, yields=int(is_first))
    _want(stays, target, parsed, account)  # what it has taken over, no event tells


def _property(
    event: Mapping[str, Any], target: Object, at: int, parsed: Parsed, account: Account
) -> Iterator[Statement]:
    if event.get("propertyName") not in MERGED_IDS or MERGED not in FIELDS[target.kind]:
        yield from _property_change(event, target, at, parsed, account)
        return
    stays = _own_id(event, target)
    losers = merged_ids(event.get("propertyValue")) - {str(event["objectId"])}
    yield from merged_before(sorted(losers), stays, target, at)


def merged_ids(value: Any) -> set[str]:
    """The ids of what was merged into a record, as a property of it lists them: each may have its instant behind it."""
    parts = value.split(";") if isinstance(value, str) else ()
    return {found[1] for part in parts if (found := _MERGED_ID.fullmatch(part.strip()))}


def merged_before(losers: Iterable[str], stays: str, target: Object, at: int) -> Iterator[Statement]:
    """What the record that stays says of those merged into it. The event of the merge itself knows better."""
    for loser in losers:
        yield Statement(target.kind, target.prefix + loser, at, {MERGED: stays}, yields=_LISTED_YIELDS)


def _association_change(
    event: Mapping[str, Any], _target: None, at: int, parsed: Parsed, account: Account
) -> Iterator[Statement]:
    """Both sides of an association send an event; both say the same of the same record, so one is a repetition."""
    ends = _ends(event, account.objects)
    if ends is None:
        raise LeftOutError(UNKNOWN_TYPE)
    removed = event.get("associationRemoved")
    if removed is not None and not isinstance(removed, bool):
        raise ShapeError("associationRemoved", "must be true or false")
    ids = [
        end.prefix + _object_id(event.get(name), name)
        for end, name in zip(ends, ("fromObjectId", "toObjectId"), strict=True)
    ]
    holds = False
    for holder, other in ((0, 1), (1, 0)):
        kind, pointer = ends[holder].kind, ends[other].kind
        if pointer in FIELDS[kind]:  # `lead` and `deal` are names of fields that point to such a record
            holds = True
            _want(event.get(("fromObjectId", "toObjectId")[holder]), ends[holder], parsed, account)
            # Of several contacts another one may be the record's: only who was taken off is its lead no more.
            said = LEFT[kind][pointer] if removed else pointer
            yield Statement(kind, ids[holder], at, {said: ids[other]}, yields=REMOVAL_YIELDS if removed else 0)
    if not holds:
        raise LeftOutError(UNKNOWN_TYPE)


def _ends(event: Mapping[str, Any], objects: Mapping[str, Object]) -> tuple[Object, Object] | None:
    from_type, to_type = event.get("fromObjectTypeId"), event.get("toObjectTypeId")
    if isinstance(from_type, str) and isinstance(to_type, str):
        return _both(objects.get(from_type), objects.get(to_type))
    from_name, _, to_name = text_member(event, "associationType").upper().partition("_TO_")
    return _both(objects.get(IN_ASSOCIATIONS.get(from_name, "")), objects.get(IN_ASSOCIATIONS.get(to_name, "")))


def _both(one: Object | None, other: Object | None) -> tuple[Object, Object] | None:
    return None if one is None or other is None else (one, other)


STATEMENTS: Mapping[str, _Statements] = {
    "creation": _creation,
    "deletion": _deletion,
    "privacyDeletion": _deletion,
    "restore": _restore,
    "propertyChange": _property,
    "merge": _merge,
    "associationChange": _association_change,
}
