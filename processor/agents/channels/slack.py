"""Channel `slack`: an incoming webhook of Slack.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from processor.agents.channels.http import Poster
from processor.agents.channels.wording import for_people, headline, lines, summary_headline, summary_lines
from schemas.alerts import Alert
from schemas.config import SlackChannel as Settings

_SECTION = 3000
"""Characters that a section block may have."""


class SlackChannel:
    """One Slack channel. Slack takes about a message a second."""

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
        """Post one message for all of them."""
        told = for_people(alerts)
        if told:
            await self._post(headline(told), lines(told, self._zone), now)

    async def summarize(self, alerts: Sequence[Alert], now: int) -> None:
        """Post one message that counts them."""
        await self._post(summary_headline(alerts), summary_lines(alerts, self._zone), now)

    async def _post(self, headline: str, lines: Sequence[str], now: int) -> None:
        title = escape(headline)
        blocks = [_section(f"*{title}*"), *_sections(lines)]
        body = {"text": title, "parse": "none", "link_names": False, "blocks": blocks}
        await self._poster.post(msgspec.json.encode(body), {}, now)

    async def close(self) -> None:
        """Let go of connections."""
        await self._poster.close()


def _sections(lines: Sequence[str]) -> list[dict[str, object]]:
    blocks: list[str] = []
    for line in lines:
        text = _cut(escape(line))
        if blocks and len(blocks[-1]) + 1 + len(text) <= _SECTION:
            blocks[-1] += f"\n{text}"
        else:
            blocks.append(text)
    return [_section(block) for block in blocks]


_CALLS = re.compile(r"@(?=channel|everyone|here|group|subteam)", re.IGNORECASE)


def escape(text: str) -> str:
    """So that an id cannot become a link or mention somebody: Slack's three control characters, and who is called.

    https://docs.slack.dev/messaging/formatting-message-text
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALLS.sub("@\N{WORD JOINER}", text)


def _cut(text: str) -> str:
    """What a section may hold, without half of an escaped character at its end."""
    return text if len(text) <= _SECTION else re.sub(r"&[a-z]{0,3}\Z", "", text[:_SECTION])


def _section(text: str) -> dict[str, object]:
    # verbatim: addresses and names in plain text are left alone.
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text), "verbatim": True}}
