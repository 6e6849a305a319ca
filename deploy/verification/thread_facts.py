"""Facts that take all mails of a thread: `thread.answers` and `thread.writers`."""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from deploy.verification.bounds import pointing
from deploy.verification.conditions import Fact
from deploy.verification.records import Record, RecordsByKind, countable
from deploy.verification.terms import Terms

ANSWERS, WRITERS = "thread.answers", "thread.writers"


def threads(records: RecordsByKind, *, only: Collection[str] | None = None) -> Iterator[tuple[str, list[Record]]]:
    """All threads, or only those, each with the mails of people in it: by their instants, inbound before outbound.

    Only what was written strictly before a mail can be answered by it. Among outbound mails of one instant the greatest
    id is the last.
    """
    kept = (
        email
        for email in countable(records).get("email", [])
        if email.get("automated") is not True and email.get("sent_at") is not None
    )
    for thread, mails in pointing("thread", "email", records, kept, only):
        yield thread, sorted(mails, key=lambda mail: (mail.get("sent_at"), mail.get("direction") != "inbound", mail.id))


def answers(thread: str, mails: list[Record], terms: Terms) -> Iterator[Fact]:
    """Of each day, the first answer to each rep."""
    if terms.config.conversation.mails == "none":
        return
    first: set[tuple[str | None, date]] = set()
    written: Record | None = None
    for mail in mails:
        if mail.get("direction") == "outbound":
            written = mail
        elif mail.get("direction") == "inbound" and written is not None:
            rep, at = terms.people.rep(written.get("rep")), mail.get("sent_at")
            if (rep, terms.people.day_of(at)) not in first:
                first.add((rep, terms.people.day_of(at)))
                yield {"thread": thread, "rep": rep, "at": at}


def writers(thread: str, mails: list[Record], terms: Terms) -> Iterator[Fact]:
    """Each rep who wrote; mails without a rep are one writer."""
    begun: dict[str | None, int] = {}
    last_heard: Any = None
    for mail in mails:
        if mail.get("direction") == "outbound":
            begun.setdefault(terms.people.rep(mail.get("rep")), mail.get("sent_at"))
        elif mail.get("direction") == "inbound":
            last_heard = mail.get("sent_at")
    for rep, at in begun.items():
        yield {"thread": thread, "rep": rep, "at": at, "replied": last_heard is not None and last_heard > at}
