"""Channel `teams`: a Microsoft Teams workflow that takes Adaptive Cards.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

import re
from collections.abc import Sequence

from processor.agents.channels.chat import ChatChannel

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9.-]*:(?=//)|www(?=\.)|mailto(?=:)", re.IGNORECASE)
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|<>~])")


class TeamsChannel(ChatChannel):
    """One workflow. Teams throttles above four requests a second."""

    def body(self, headline: str, lines: Sequence[str]) -> dict[str, object]:
        """A card, in the envelope that a workflow takes."""
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "fallbackText": headline,
            "body": [
                {"type": "TextBlock", "text": escape(headline), "weight": "Bolder", "size": "Medium", "wrap": True},
                *({"type": "TextBlock", "text": escape(line), "wrap": True} for line in lines),
            ],
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        return {"type": "message", "attachments": [attachment]}


def escape(text: str) -> str:
    """So that an id cannot become a link or a mention: a text block is Markdown.

    https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
    """
    text = _MARKS.sub(r"\\\1", text)
    return _ADDRESS.sub(lambda found: found[0] + "\N{WORD JOINER}", text)
