"""Channel `teams`: a Microsoft Teams workflow that takes Adaptive Cards.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from processor.agents.channels.http import Poster
from processor.agents.channels.wording import for_people, headline, lines, summary_headline, summary_lines
from schemas.alerts import Alert
from schemas.config import TeamsChannel as Settings

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9.-]*:(?=//)|www(?=\.)|mailto(?=:)", re.IGNORECASE)
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|<>~])")


class TeamsChannel:
    """One workflow. Teams throttles above four requests a second."""

    at_once = 500
    parallel = 1
    spacing_seconds = 2.0
    repeat_seconds = None

    def __init__(self, name: str, settings: Settings, zone: ZoneInfo) -> None:
        self._zone = zone
        self._poster = Poster(
            settings.url.get_secret_value(), f"alerts.channels.{name}.url",
            allow_private=settings.allow_private, parallel=self.parallel,
        )  # fmt: skip

    async def send(self, alerts: Sequence[Alert], now: int) -> None:
        """Post one card for all of them."""
        told = for_people(alerts)
        if told:
            await self._post(headline(told), lines(told, self._zone), now)

    async def summarize(self, alerts: Sequence[Alert], now: int) -> None:
        """Post one card that counts them."""
        await self._post(summary_headline(alerts), summary_lines(alerts, self._zone), now)

    async def _post(self, title: str, lines: Sequence[str], now: int) -> None:
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "fallbackText": title,
            "body": [
                {"type": "TextBlock", "text": escape(title), "weight": "Bolder", "size": "Medium", "wrap": True},
                *({"type": "TextBlock", "text": escape(line), "wrap": True} for line in lines),
            ],
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        await self._poster.post(msgspec.json.encode({"type": "message", "attachments": [attachment]}), {}, now)

    async def close(self) -> None:
        """Let go of connections."""
        await self._poster.close()


def escape(text: str) -> str:
    """So that an id cannot become a link or a mention: a text block is Markdown.

    https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
    """
    text = _MARKS.sub(r"\\\1", text)
    return _ADDRESS.sub(lambda found: found[0] + "\N{WORD JOINER}", text)
