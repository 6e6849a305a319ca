"""The CRM's own words, as the configuration says what they mean here: stages, outcomes, statuses, types.

Owns the settings that every kind of CRM has for them, and how a word is looked up. What a vendor's words mean by
default stands in its connector; what is said here wins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from schemas.connectors.apis import Lookups, Reconcile
from schemas.connectors.connection import Connection
from schemas.connectors.file_mapping import FileMapping
from schemas.documents.values import Model

Word = Annotated[str, Field(min_length=1, max_length=256)]
Outcome = Literal[
    "connected", "no_answer", "voicemail", "busy", "wrong_number", "failed", "scheduled", "held", "no_show", "cancelled"
]
LeadStatus = Literal["new", "qualified", "disqualified", "converted", "customer"]
DealStatus = Literal["open", "won", "lost"]


class Stage(Model):
    """What a stage of the CRM is."""

    name: str | None = Field(default=None, min_length=1, max_length=256)
    """Shown in place of the CRM's id or label."""
    status: DealStatus | None = None
    """What a deal in it is; without it, what the CRM says."""


class CrmConnection(Connection, FileMapping):
    """A connection to a CRM, whose words are its own; with how its exports are read."""

    stages: dict[Word, Stage] = Field(default_factory=dict, max_length=1000)
    """Stages of deals, by the id (or label, where the CRM has no id) that the CRM sends."""
    outcomes: dict[Word, Outcome] = Field(default_factory=dict, max_length=1000)
    """What became of calls and meetings: the CRM's id or word -> ours."""
    statuses: dict[Word, LeadStatus] = Field(default_factory=dict, max_length=1000)
    """Statuses of leads: the CRM's id or word -> ours."""
    types: dict[Word, Annotated[str, Field(min_length=1, max_length=64)]] = Field(default_factory=dict, max_length=1000)
    """Types of activities, meetings and deals: the CRM's id or word -> ours."""
    reconcile: Reconcile = Reconcile()
    """How often what its API says is compared with what is known, where there is an `api`."""
    lookups: Lookups = Lookups()
    """How records are asked for that a webhook only names, where there is an `api`."""

    def stage_names(self) -> dict[str, str]:
        return {stage: entry.name for stage, entry in self.stages.items() if entry.name is not None}


@dataclass(frozen=True, slots=True)
class Meanings:
    """What words mean: as they are written first, then without regard to case and outer blanks."""

    exact: Mapping[str, str] = field(default_factory=dict)
    folded: Mapping[str, str] = field(default_factory=dict)

    def get(self, word: str) -> str | None:
        """The meaning of a word; None: it has none."""
        found = self.exact.get(word)
        return self.folded.get(word.strip().casefold()) if found is None else found


def meanings(*layers: Mapping[str, str]) -> Meanings:
    """Of several layers of words the last wins."""
    exact: dict[str, str] = {}
    folded: dict[str, str] = {}
    for layer in layers:
        said = {word.strip().casefold(): meaning for word, meaning in layer.items()}
        # Written in another case, it is the same word all the same.
        exact = {word: meaning for word, meaning in exact.items() if word.strip().casefold() not in said} | {**layer}
        folded |= said
    return Meanings(exact, folded)


@dataclass(frozen=True, slots=True)
class ConnectionWords:
    """What the words of one connection mean."""

    stages: Mapping[str, DealStatus] = field(default_factory=dict)
    """Stage -> what a deal in it is. Case counts: a stage is an id."""
    calls: Meanings = Meanings()
    meetings: Meanings = Meanings()
    statuses: Meanings = Meanings()
    types: Meanings = Meanings()


def connection_words(
    connection: CrmConnection,
    *,
    calls: Mapping[str, str] | None = None,
    statuses: Mapping[str, str] | None = None,
    types: Mapping[str, str] | None = None,
) -> ConnectionWords:
    """The words of a connection; the other arguments are what the vendor's mean by default."""
    said = connection.outcomes
    return ConnectionWords(
        stages={stage: entry.status for stage, entry in connection.stages.items() if entry.status is not None},
        calls=meanings(calls or {}, _of(said, _CALL_OUTCOMES)),
        meetings=meanings({}, _of(said, _MEETING_OUTCOMES)),
        statuses=meanings(statuses or {}, connection.statuses),
        types=meanings(types or {}, connection.types),
    )


def _of(said: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    return {word: meaning for word, meaning in said.items() if meaning in known}


_CALL_OUTCOMES = frozenset({"connected", "no_answer", "voicemail", "busy", "wrong_number", "failed"})
_MEETING_OUTCOMES = frozenset({"scheduled", "held", "no_show", "cancelled"})
