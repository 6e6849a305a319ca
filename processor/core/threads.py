"""A thread with its mails: answers that count as conversations, and who wrote and was answered.

Owns the rules: an inbound mail by a human counts for the rep of the last outbound mail by a human before it, once per
rep, thread and day of the organisation. Who wrote in a thread has a reply once an inbound mail by a human came after
their first one.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from processor.core.deals import FactRow
from processor.core.definitions import Definitions
from processor.core.facts import CurrentValues
from processor.core.plan import Contribution
from schemas.windows import Day


def thread_contributions(
    thread: str, mails: Mapping[str, CurrentValues], definitions: Definitions
) -> list[Contribution]:
    """The conversations of a thread, each at the first answer of its day; and who wrote in it."""
    counting = definitions.counting
    is_asked = "thread.writers" in counting.plan.programs
    if len(mails) < 2 and not is_asked:
        return []  # most have one mail, and that answers nothing
    sent = sent_in(thread, mails, definitions)
    found = [each for row in answers(thread, sent, definitions) for each in counting.of_row("thread.answers", row.get)]
    if is_asked:
        found += [each for row in writers(thread, sent) for each in counting.of_row("thread.writers", row.get)]
    return found


class Mail(NamedTuple):
    """A mail by a human. At one instant an inbound one stands before an outbound one, which is not "before" it."""

    at: int
    is_outbound: bool
    key: str
    rep: str | None


def sent_in(thread: str, mails: Mapping[str, CurrentValues], definitions: Definitions) -> list[Mail]:
    """The mails by humans of a thread, in the order in which they count."""
    found = [
        Mail(at, mail.get("direction") == "outbound", key, definitions.person(mail.get("rep")))
        for key, mail in mails.items()
        if (at := mail.get("sent_at")) is not None
        and mail.get("direction") in {"inbound", "outbound"}
        and not mail.is_deleted
        and mail.get("automated") is not True
        and mail.get("thread") == thread
    ]
    return sorted(found, key=lambda mail: mail[:3])


def answers(thread: str, sent: Sequence[Mail], definitions: Definitions) -> Iterator[FactRow]:
    """A row for each first answer of a day to somebody."""
    first_of_day: dict[tuple[str | None, Day], int] = {}
    writer: tuple[str | None] | None = None
    for mail in sent:
        if mail.is_outbound:
            writer = (mail.rep,)
        elif writer is not None:
            first_of_day.setdefault((writer[0], definitions.calendar.day_of(mail.at)), mail.at)
    for (rep, _), at in first_of_day.items():
        yield {"thread": thread, "rep": rep, "at": at}


def writers(thread: str, sent: Sequence[Mail]) -> Iterator[FactRow]:
    """A row for each person who wrote; mails without a rep are of one more."""
    first: dict[str | None, int] = {}
    for mail in sent:
        if mail.is_outbound:
            first.setdefault(mail.rep, mail.at)
    last_answer = max((mail.at for mail in sent if not mail.is_outbound), default=None)
    for rep, at in first.items():
        yield {"thread": thread, "rep": rep, "at": at, "replied": last_answer is not None and last_answer > at}
