"""Worked examples of an entry: what a CRM would send, and which number has to come of it.

Owns how they are written. `floorcast check` runs them (deploy/catalogue).
"""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from schemas.documents.errors import wrong
from schemas.documents.values import Model

_DAYS = re.compile(r"^\d{4}-\d{2}-\d{2}/\d{4}-\d{2}-\d{2}$", re.ASCII)
_NUMBER = re.compile(r"-?\d+(\.\d+)?(/\d+)?\Z", re.ASCII)


def _written(value: str) -> str:
    if not _NUMBER.match(value):
        raise wrong("must be a number such as 3, 0.25 or 1/3, or null")
    return value


def _days(value: str) -> str:
    if not _DAYS.match(value):
        msg = "must be the first and the last day, such as 2026-03-01/2026-03-31"
        raise wrong(msg)
    return value


ExampleNumber = Annotated[str, AfterValidator(_written), WithJsonSchema({"type": ["number", "string"]})]


class Benchmark(Model):
    """A value to compare with that is not one's own."""

    value: ExampleNumber
    source: str = Field(min_length=1, max_length=300)


class Given(Model):
    """One event, as it stands in a webhook of kind `generic`."""

    record: str = Field(min_length=1)
    id: str = Field(min_length=1)
    changed_at: str
    deleted: Annotated[str | None, Field(pattern=r"^(true|false)$"), WithJsonSchema({"type": "boolean"})] = None
    fields: dict[str, Any] = Field(default_factory=dict)


class Example(Model):
    """If these are sent, this is the number: of a rep, of a team or of the organisation."""

    given: list[Given] = Field(min_length=1, max_length=200)
    window: Annotated[str, AfterValidator(_days), WithJsonSchema({"type": "string", "pattern": _DAYS.pattern})]
    """The first and the last day, both included."""
    now: str | None = None
    """What the clock says; left out: the end of the window."""
    rep: str | None = Field(default=None, min_length=1)
    team: str | None = Field(default=None, min_length=1)
    is_: ExampleNumber | None = Field(alias="is")

    @model_validator(mode="after")
    def _of_one(self) -> Self:
        if self.rep is not None and self.team is not None:
            raise wrong("is of a rep or of a team, not of both")
        return self
