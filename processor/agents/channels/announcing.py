"""What is told beside alerts, made ready for a channel: several wins as one message, names from outside as plain lines.

Owns what is left of a burst. The markup of each channel is its own.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from processor.agents.channels.wording import plain_name
from schemas.alerts import Alert
from schemas.notices import Notice
from schemas.words import words_of

NAMED = 5
"""Wins that one message names; of more it says how many."""


def notices_of(told: Sequence[Alert]) -> list[Notice]:
    """The messages of these, as plain lines."""
    return [_plain(alert.notice) for alert in told if alert.notice is not None]


def joined_message(told: Sequence[Alert]) -> Notice:
    """One message for all of them."""
    first, *others = notices = notices_of(told)
    if not others:
        return first
    words = words_of(first.language)
    lines = [notice.title for notice in notices[:NAMED]]
    if len(notices) > NAMED:
        lines.append(words.say("digest.more", len(notices) - NAMED))
    won = sum(alert.is_open for alert in told)
    title, *rest = (words.say("win.many", won), *lines) if won else lines
    return replace(first, title=title, lines=tuple(rest))


def paragraphs(lines: Sequence[str]) -> list[str]:
    """Without the empty lines that part them in plain text."""
    return [line for line in lines if line]


def _plain(notice: Notice) -> Notice:
    return replace(
        notice,
        title=plain_name(notice.title),
        table=tuple(tuple(map(plain_name, row)) for row in notice.table),
        lines=tuple(map(plain_name, notice.lines)),
    )
