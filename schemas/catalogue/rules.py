"""What the configuration says that a plan depends on: part of what a measure means, and so of its name.

Owns the choice; schemas/config/rules.py has it of a configuration. Everything else of `floorcast.yaml` (calendars,
aliases, retention) changes no plan.
"""

from dataclasses import dataclass

from schemas.catalogue.conditions import Rates
from schemas.instants import DAY, MINUTE

EVER = -(2**62)
"""Since when a rate holds that says no date."""


@dataclass(frozen=True, slots=True)
class PipelineStages:
    """A pipeline: the stages of deals, by their ids."""

    name: str
    steps: tuple[str, ...]
    won: tuple[str, ...]
    labels: tuple[tuple[str, str], ...] = ()
    """(id, what people call it)."""

    def stage_of(self, said: str) -> str:
        """The id of a stage that is called by its id or by its label."""
        known = {*self.steps, *self.won}
        return said if said in known else next((id for id, label in self.labels if label == said), said)

    def label_of(self, stage: str) -> str:
        """What people call a stage."""
        words = stage.replace("_", " ")
        return dict(self.labels).get(stage) or words[:1].upper() + words[1:]


@dataclass(frozen=True, slots=True)
class Rules:
    """Of `conversation`, `lead_response`, `pipelines` and money."""

    rates: Rates = (("USD", ((EVER, 1, 0),)),)
    """The organisation's own currency among them, at 1."""
    min_talk: int = MINUTE
    calls: str = "both"
    """The direction of calls that are conversations: `both`, `outbound`, `inbound` or `none`."""
    mails: str = "answers"
    """Whether answers by mail are conversations: `answers` or `none`."""
    meetings: str = "held"
    """Whether held meetings are among conversations: `held` or `none`."""
    credit: str = "sender"
    """For whom an answered lead counts: `sender` or `owner`."""
    start: str = "received"
    """What starts a lead's clock: `received`, `assigned` or `reassigned`;"""
    stop: str = "attempt"
    """and what stops it: `attempt`, `contact` or `qualified`."""
    missed_after: int = 7 * DAY
    """So long without an answer, and a lead is missed."""
    timezone: str = "UTC"
    """Of the organisation, whose days versions begin with."""
    calendar: str | None = None
    """The organisation's, as JSON: durations of `clock: business` go by it. None: all time is business time."""
    pipelines: tuple[PipelineStages, ...] = ()
    """In the order of the file."""
    aliases: tuple[tuple[str, str], ...] = ()
    """(an id that records have for somebody, the one that is served), in order."""

    def ids_of(self, person: str) -> tuple[str, ...]:
        """All ids by which records may call somebody; none of an alias, under which nobody is served."""
        if any(person == alias for alias, _ in self.aliases):
            return ()
        return person, *(alias for alias, served in self.aliases if served == person)
