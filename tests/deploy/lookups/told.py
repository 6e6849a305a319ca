"""Of which changes in a CRM webhooks told, record by record: what reconciliations must say that they missed.

A record is missed by a round if it is another one than webhooks and earlier rounds have told of. What was undone before
anybody asked is no change.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from deploy.lookups.rounds import PATIENCE
from schemas.records import HISTORIES, Record, RecordChange

State = dict[str, Any]
"""Field -> value; of what has a past, a tuple of the values that it had."""


class Told:
    """Of one account. Called as things happen, in their order."""

    def __init__(self, *, has_instants: bool = True) -> None:
        """`has_instants`: whether the CRM says when a record was modified last; else what is new waits for a round."""
        self.missed = 0
        """How often a round found a record of which no webhook had told all."""
        self._has_instants = has_instants
        self._known: dict[str, State] = {}
        self._is: dict[str, State] = {}
        self._was: dict[str, State] = {}
        """How it was before what happened last, of which several webhooks may tell."""
        self._happened_at: dict[str, int] = {}
        self._at: dict[str, int] = {}
        """Record -> when it changed last, of those that no round has found since."""
        self._suspected: set[str] = set()
        self._first_at: dict[str, int] = {}

    @property
    def changed(self) -> set[str]:
        """What has changed and no round has found."""
        return set(self._at)

    def is_known(self, record: str) -> bool:
        """Whether all of it is known, as it is now."""
        return record in self._is and self._known[record] == self._is[record]

    def happened(self, record: str, state: State, at: int, *, is_told: bool, is_whole: bool) -> None:
        """It is so now: a webhook tells of it, or none. `is_whole`: it tells all of the record, not what changed."""
        if self._happened_at.get(record) != at:
            self._was[record] = self._is.get(record, {})
        was, known = self._was[record], self._known.setdefault(record, {})
        if is_told and is_whole:
            self._known[record] = dict(state)
        elif is_told:
            for name, value in state.items():
                if value != was.get(name):
                    is_longer = isinstance(value, tuple) and len(value) > 1
                    known[name] = _joined(known.get(name), value[-1]) if is_longer else value
            for name in was.keys() - state.keys():
                known.pop(name, None)
        self._happened_at[record] = at
        self._is[record] = state
        self._first_at.setdefault(record, at)
        self._at[record] = at

    def compared(self, begun: int) -> None:
        """A round that began then has asked for all that has changed, but for what webhooks may yet tell."""
        for record, at in list(self._at.items()):
            known, state = self._known[record], self._is[record]
            # What else is said of a deleted record does not matter.
            is_missed = known.get("deleted") is False if state["deleted"] else known != state and "kind" in state
            if self._has_instants:
                is_due = at <= begun - PATIENCE
            else:
                is_due = not is_missed or record in self._suspected
                if self._first_at[record] <= begun - PATIENCE:
                    self._suspected.add(record)
            if is_due:
                del self._at[record]
                self._suspected.discard(record)
                self._known[record] = dict(self._is[record])
                self.missed += is_missed


def _joined(values: tuple[Any, ...] | None, value: Any) -> tuple[Any, ...]:
    return (value,) if not values else values if values[-1] == value else (*values, value)


def state_of(changes: Iterable[RecordChange]) -> State:
    """What all that is said of a record comes to."""
    record: Record | None = None
    for change in changes:
        record = record or Record(change.kind)
        record.fold(change)
    if record is None:
        return {"deleted": False}
    found: State = {name: value for name, value in record.values().items() if value is not None}
    found |= {"kind": record.kind, "deleted": record.is_deleted}
    for name in HISTORIES.get(record.kind, ()):
        if "#" not in name:
            found[name] = tuple(value for value, _ in groupby(record.history(name), key=lambda entry: entry[2]))
    if record.kind == "deal":
        found["stage"] = tuple((at, value) for at, *_, value in record.entries("stage"))
    return found
