"""The answer that says what the digest would say now."""

from pydantic import Field

from api.http.models.common import Answer, InstantText


class DigestAnswer(Answer):
    """The day so far, in words."""

    title: str = Field(examples=["The day at Acme: Wednesday, March 18, 2026"])
    language: str = Field(examples=["en"])
    table: list[list[str]] = Field(
        description="Rows of cells, the first of headings.", examples=[[["Metric", "Today"], ["Calls made", "37"]]]
    )
    lines: list[str] = Field(description="What stands below the table.", examples=[["As of 17:30"]])
    text: str = Field(description="All of it as lines.", examples=["The day at Acme: Wednesday, March 18, 2026"])
    as_of: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])
