"""What every model of an answer is made of."""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

Row = TypeVar("Row")
InstantText = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""In UTC, with milliseconds."""


class Answer(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(populate_by_name=True, defer_build=True)


class ListAnswer(Answer, Generic[Row]):
    """A list, as of when it was made."""

    rows: list[Row]
    as_of: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])


class PageAnswer(ListAnswer[Row]):
    """A part of a list."""

    next: str | None = Field(description="`cursor` of the next page.", examples=[None])


class ProblemAnswer(Answer):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:floorcast:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="One line for people.", examples=["there is no rep 'r-18'"])
    field: str | None = Field(default=None, description="The parameter or header to look at.", examples=["rep"])
