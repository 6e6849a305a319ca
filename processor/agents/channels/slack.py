"""Channel `slack`: an incoming webhook of Slack.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import re
from collections.abc import Sequence

from processor.agents.channels.announcing import paragraphs
from processor.agents.channels.chat import ChatChannel
from schemas.notices import Notice, table_lines

_SECTION = 3000
"""Characters that a section block may have."""


class SlackChannel(ChatChannel):
    """One Slack channel. Slack takes about a message a second."""

    def body(self, notice: Notice) -> dict[str, object]:
        """Blocks, and a text for where they are not shown; a table as text that keeps its columns, without markup."""
        title = escape_mrkdwn(notice.title)
        blocks = [_section(f"*{title}*")]
        if notice.table:
            text = {"type": "text", "text": "\n".join(table_lines(notice.table))[:_SECTION]}
            blocks.append({"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [text]}]})
        return {
            "text": title,
            "parse": "none",
            "link_names": False,
            "blocks": [*blocks, *_sections(paragraphs(notice.lines))],
        }


def _sections(lines: Sequence[str]) -> list[dict[str, object]]:
    blocks: list[str] = []
    for line in lines:
        text = _cut(escape_mrkdwn(line))
        if blocks and len(blocks[-1]) + 1 + len(text) <= _SECTION:
            blocks[-1] += f"\n{text}"
        else:
            blocks.append(text)
    return [_section(block) for block in blocks]


_CALLS = re.compile(r"@(?=channel|everyone|here|group|subteam)", re.IGNORECASE)


def escape_mrkdwn(text: str) -> str:
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
