"""Channel `teams`: a Microsoft Teams workflow that takes Adaptive Cards.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

import re
from collections.abc import Sequence

from processor.agents.channels.announcing import paragraphs
from processor.agents.channels.chat import ChatChannel
from schemas.notices import Notice

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9.-]*:(?=//)|www(?=\.)|mailto(?=:)", re.IGNORECASE)
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|<>~])")


class TeamsChannel(ChatChannel):
    """One workflow. Teams throttles above four requests a second."""

    def body(self, notice: Notice) -> dict[str, object]:
        """A card, in the envelope that a workflow takes; with a table, where there is one."""
        title = escape_markdown(notice.title)
        lines = [_text(line) for line in paragraphs(notice.lines)]
        card: dict[str, object] = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "fallbackText": title,
            "body": [
                {"type": "TextBlock", "text": title, "weight": "Bolder", "size": "Medium", "wrap": True},
                *([_table(notice.table)] if notice.table else []),
                *lines,
            ],
        }
        if notice.table or notice.is_right_to_left:
            card |= {"version": "1.5", "rtl": notice.is_right_to_left}
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        return {"type": "message", "attachments": [attachment]}


def _table(table: Sequence[Sequence[str]]) -> dict[str, object]:
    """A table of a card: https://adaptivecards.io/explorer/Table.html ."""
    return {
        "type": "Table",
        "firstRowAsHeader": True,
        "columns": [{"width": 2 if place == 0 else 1} for place in range(len(table[0]))],
        "rows": [{"type": "TableRow", "cells": [_cell(text) for text in row]} for row in table],
    }


def _cell(text: str) -> dict[str, object]:
    return {"type": "TableCell", "items": [_text(text)]}


def _text(text: str) -> dict[str, object]:
    return {"type": "TextBlock", "text": escape_markdown(text), "wrap": True}


def escape_markdown(text: str) -> str:
    """So that an id cannot become a link or a mention: a text block is Markdown.

    https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
    """
    text = _MARKS.sub(r"\\\1", text)
    return _ADDRESS.sub(lambda found: found[0] + "\N{WORD JOINER}", text)
