"""What every model of an answer is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

InstantText = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""In UTC, with milliseconds."""


class Answer(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(populate_by_name=True, defer_build=True)


class ProblemAnswer(Answer):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:floorcast:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="One line for people.", examples=["there is no rep 'r-18'"])
    field: str | None = Field(default=None, description="The parameter or header to look at.", examples=["rep"])
