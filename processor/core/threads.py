"""A thread with its mails: answers that count as conversations.

Owns the rule: an inbound mail by a human counts for the rep of the last outbound mail by a human before it, once per
rep, thread and day of the organisation.
"""

from collections.abc import Mapping

from processor.core.definitions import Definitions
from processor.core.facts import Known
from processor.core.plan import Contribution
from schemas.windows import Day


def thread_contributions(thread: str, mails: Mapping[str, Known], definitions: Definitions) -> list[Contribution]:
    """The conversations of a thread, each at the first answer of its day."""
    if len(mails) < 2:
        return []  # most have one mail, and that answers nothing
    sent: list[tuple[int, bool, str, str | None]] = []
    for key, mail in mails.items():
        at, direction = mail.get("sent_at"), mail.get("direction")
        if at is None or mail.is_deleted or mail.get("automated") is True or mail.get("thread") != thread:
            continue
        if direction in {"inbound", "outbound"}:
            # False sorts first: at one instant an inbound mail stands before an outbound one, which is not "before" it.
            sent.append((at, direction == "outbound", key, mail.get("rep")))
    sent.sort(key=lambda mail: mail[:3])
    first_of_day: dict[tuple[str | None, Day], int] = {}
    writer: tuple[str | None] | None = None
    for at, is_outbound, _, rep in sent:
        if is_outbound:
            writer = (definitions.person(rep),)
        elif writer is not None:
            first_of_day.setdefault((writer[0], definitions.calendar.day_of(at)), at)
    counting = definitions.counting
    return [
        contribution
        for (rep, _), at in first_of_day.items()
        for contribution in counting.of_row("thread.answers", {"thread": thread, "rep": rep, "at": at}.get)
    ]
