"""Which way of deals or leads a funnel counts, and how what is counted of it is written into panes.

Owns the value that is the name of a fact of its own: a row for each entry of a step that counts. Which entries these
are is for processor/core/paths.py to say. A cell holds whole numbers, so several things are packed into one.
"""

import json
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Literal

from schemas.catalogue.dimensions import JOINED

Mode = Literal["strict", "visited", "inferred"]
ReEntry = Literal["first", "each"]
Cohort = Literal["entered", "created"]

WON = "won"
"""Behind the last step of deals: what they are to become."""
LEAD_STEPS = {
    "received": "received_at",
    "answered": "answered_at",
    "qualified": "qualified_at",
    "deal": "deal_at",
    WON: "won_at",
}
"""Step of a lead -> the field that holds when it was entered, in their order."""
ADVANCED, LOST, OPEN = range(3)
"""What has become of who entered a step."""
_FAR = 10**17
"""Microseconds: half of them are 1,500 years, and 60 steps of so many are a whole number of 64 bits."""
_OUTCOMES = 4
PASSED, STAYED, RUNNING = range(3)
"""What is counted of an entry."""
_COUNTED = 4
_NAME = ".path "


@dataclass(frozen=True)
class Path:
    """The steps of a way, in their order, and how it is counted."""

    of: Literal["deal", "lead"]
    pipeline: str | None
    """Only deals in this one; None: all."""
    takes_unsaid: bool
    """Whether deals count that name no pipeline."""
    steps: tuple[str, ...]
    won: tuple[str, ...]
    """Stages of deals that are the last step, whatever they are called."""
    mode: Mode
    re_entry: ReEntry
    cohort: Cohort

    @cached_property
    def fact(self) -> str:
        """What its rows are called in a plan: all that it says, so that what means the same is one."""
        return f"{self.of}{_NAME}{json.dumps(astuple(self), separators=(',', ':'))}"

    @cached_property
    def joined(self) -> str:
        """The same, of deals together with their lead."""
        return JOINED + self.fact


def path_named(fact: str) -> Path | None:
    """The path whose rows, alone or with their lead, are called this; None: it is another fact."""
    head, found, text = fact.removeprefix(JOINED).partition(_NAME)
    if not found or head not in {"deal", "lead"}:
        return None
    of, pipeline, takes_unsaid, steps, won, mode, re_entry, cohort = json.loads(text)
    return Path(of, pipeline, takes_unsaid, tuple(steps), tuple(won), mode, re_entry, cohort)


def pack_passed(step: int, outcome: int, *, has_reached: bool) -> int:
    """Who entered a step: which one, what has become of it, and whether the last step was entered."""
    return (step * _OUTCOMES + outcome) * 2 + has_reached


def read_passed(value: int) -> tuple[int, int, bool]:
    """The opposite."""
    step, outcome = divmod(value // 2, _OUTCOMES)
    return step, outcome, value % 2 == 1


def pack_turn(counted: int, value: int, *, begins: bool) -> int:
    """What counts from an instant on, or until it: an entry of a lead whose first touch is still to come."""
    return (value * _COUNTED + counted) * 2 + begins


def read_turn(value: int) -> tuple[int, int, bool]:
    """(what is counted, what it is, whether it begins)."""
    held, counted = divmod(value // 2, _COUNTED)
    return counted, held, value % 2 == 1


def pack_time(step: int, microseconds: int) -> int:
    """How long somebody was in a step, or since when they are: whole seconds stay multiples of seconds."""
    return step * _FAR + max(1 - _FAR // 2, min(microseconds, _FAR // 2 - 1))


def read_time(value: int) -> tuple[int, int]:
    """(step, microseconds)."""
    step, microseconds = divmod(value + _FAR // 2, _FAR)
    return step, microseconds - _FAR // 2
