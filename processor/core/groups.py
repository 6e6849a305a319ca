"""The groups of one partition: leads and threads with the records that engage them; clocks and panes derived.

Two more groups are in every partition alike. One holds all `rep` records: who is in which team decides on SLA rules and
calendars, so the leads of a rep are derived again when that rep moves. The other says where leads were merged to: the
group of a merged lead hands what it holds to the group of its root.

Owns the fold of engagements, what is handed on, how many records a group takes, when it expires, and the rebuilding
after recovery. Does no I/O.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from heapq import heappop, heappush
from typing import Final

from processor.core import bounds
from processor.core.bounds import SEPARATOR
from processor.core.customers import customer_contributions
from processor.core.definitions import Definitions
from processor.core.facts import GroupFacts, is_copy, is_shown
from processor.core.joining import is_news
from processor.core.matches import Repeats
from processor.core.merges import Merges, Move
from processor.core.outputs import GroupsOutput, joined
from processor.core.panes import Message, Panes, compiled_table, differing, plain_table
from processor.core.plan import Contribution
from processor.core.responses import lead_result
from processor.core.retention import Expiry, RetentionCutoff, is_spared, last_instant, marked, newest_version
from processor.core.team_dependents import TeamDependents
from processor.core.threads import thread_contributions
from processor.native import COMPILED
from schemas.damage import DamagedError, check_row
from schemas.frames import MERGES_GROUP, ROSTER_GROUP, Engagement
from schemas.leads import ENDED, decode_clock, encode_clock
from schemas.records import NUMBER, Record, decode_record, is_elsewhere
from schemas.roster import Teams

SLICE = 200
"""Groups looked at in one batch, to see whether they are still kept."""

PART = 1_000
"""Groups that are derived until what they have changed is handed out: a tenth of a second or so."""

ANY_NUMBER = 2**62
"""Of groups in one part: each part closes the panes that it has opened, and the next one opens most of them again."""

_NO_KEY: Final = "a key is not UTF-8"
_SEPARATOR: Final = SEPARATOR.encode()  # no id holds it: ids are printable


_Work = Callable[[GroupsOutput], None]
"""Something to do for a group."""


class Groups:
    """State: group -> record key -> the record's row. Results are derived and kept to know what changes.

    What a merged lead has handed on stands under its id, a separator, and the record's key.
    """

    def __init__(
        self,
        origin: str,
        definitions: Definitions,
        *,
        check: Callable[[bytes], None] = check_row,
        compiled: bool = COMPILED,
    ) -> None:
        """`check`: refuses rows that are none. `compiled`: whose table of panes, which does the same."""
        self._definitions = definitions
        self._check = check
        self._rows: dict[str, dict[str, bytes]] = {}
        self._counted: dict[str, list[Contribution]] = {}
        self._clocks: dict[str, bytes] = {}
        self._teams = Teams(definitions.file_teams, definitions.aliases, definitions.calendar)
        self._merges = Merges()
        self._full: dict[str, bounds.Full] = {}
        """Of groups that hold as many as they take: their own records, and those handed on."""
        self._dependents = TeamDependents()
        self.cutoff = RetentionCutoff(definitions.calendar, definitions.records_kept)
        self._repeats = Repeats(definitions)
        self._restored_merges: dict[str, bytes] = {}
        self._expiry: Expiry[str] = Expiry()
        self._is_merges_due = False
        """Whether pointers of merged leads may be too old, since the cutoff has moved."""
        self._log_at = 0
        self._coming: list[tuple[int, str]] = []
        """Heap of (instant, group): touches that lie after the newest receipt, to be counted plainly by then."""
        self._filed: dict[str, int] = {}
        """Group -> the instant under which it stands in the heap: a lead that is edited often stands there once."""
        make = compiled_table if compiled else plain_table
        self.panes: Panes = make(origin, definitions, self.cutoff)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def __contains__(self, group: str) -> bool:
        return group in self._rows

    def rep_name(self, rep: str) -> str | None:
        """What the roster calls somebody; None: nothing."""
        return self._teams.name_of(rep)

    def lead_name(self, lead: str) -> str | None:
        """What the CRM calls a lead, by person or company; None: nothing."""
        row = self._clocks.get(lead)
        return None if row is None else decode_clock(row).name

    @property
    def repeated(self) -> Mapping[str, int]:
        """Connection -> how many of its calls another one tells of too."""
        return self._repeats.total

    @property
    def backlog(self) -> int:
        """How many groups may be too old and were not looked at yet."""
        return len(self._expiry.due) + bool(self._has_come)

    def fold(self, engagements: Iterable[Engagement], log_at: int) -> GroupsOutput:
        """Take a batch in, as `fold_parts` does, and give all that it has changed at once, in one part."""
        return joined(self.fold_parts(engagements, log_at, most=ANY_NUMBER))

    def fold_parts(self, engagements: Iterable[Engagement], log_at: int, *, most: int = PART) -> Iterator[GroupsOutput]:
        """Take a batch in; what it has changed, by so many groups at most. `log_at` is the newest receipt seen (µs).

        Somebody who changes the team may have very many leads: whoever writes one part before asking for the next lets
        others have their turn in between.
        """
        output, last = GroupsOutput(), GroupsOutput()
        self._advance(log_at)
        self._sweep(output, SLICE)
        self._settle_coming(output, SLICE)
        changed = self._gather(engagements, output)
        # The roster goes first: what is derived after it sees the new teams.
        moved = self._settle_roster(changed.pop(ROSTER_GROUP, {}), last)
        # And before all groups, where leads end: what is handed on goes to the new roots.
        moves = self._settle_merges(changed.pop(MERGES_GROUP, {}), last)
        for number, work in enumerate(self._works(changed, moves, moved), 1):
            work(output)
            if not number % most:
                output.panes = self.panes.take_changes()
                yield output
                output = GroupsOutput()
        # Their rows make a repetition of the batch one in which nobody moves, so all that follows is told before them.
        output.rows += last.rows
        output.panes = self.panes.take_changes()
        yield output

    def _works(
        self, changed: Mapping[str, Mapping[str, bytes]], moves: Mapping[str, Move], moved: set[str]
    ) -> Iterator[_Work]:
        """Take in what a batch tells of groups; then derive those again of merges that it has changed, and of moves."""
        for group, news in changed.items():
            yield partial(self._settle, group, news, moves)
        touched: dict[str, None] = {}
        for lead, (before, now) in moves.items():
            group = f"lead:{lead}"
            if group not in changed:
                yield partial(self._follow_merge, group, now)
            touched |= dict.fromkeys((group, f"lead:{before}", f"lead:{now}"))
        yield from (partial(self._derive_again, group) for group in touched if group not in changed)
        for group in sorted(group for rep in moved for group in self._dependents.groups_of(rep)):
            if group not in changed and self._is_affected(group):
                yield partial(self._derive_again, group)

    def _gather(self, engagements: Iterable[Engagement], output: GroupsOutput) -> dict[str, dict[str, bytes]]:
        """What a batch makes of its records, by group and key.

        The same state is the same bytes, so rows are only read where two of one record differ.
        """
        changed: dict[str, dict[str, bytes]] = {}
        due, looked_at, rows_of, kept_from = self._expiry.due, set[str](), self._rows, self.cutoff.starts_at
        for engagement in engagements:
            group, key, row = engagement.group, engagement.record, engagement.row
            if engagement.via:
                key = engagement.via + SEPARATOR + key
            if due and group not in looked_at:
                looked_at.add(group)
                self._look_at(group, output)
            news = changed.get(group)
            held = None if news is None else news.get(key)
            if held is None and (rows := rows_of.get(group)) is not None:
                held = rows.get(key)
            elif held is None and group == MERGES_GROUP:
                held = self._merges.rows.get(key)
            if held is not None and (held == row or not is_news(held, row, kept_from)):
                output.duplicates += 1
                continue
            if news is None:
                news = changed[group] = {}
            news[key] = row
        return changed

    def _settle(self, group: str, news: Mapping[str, bytes], moves: Mapping[str, Move], output: GroupsOutput) -> None:
        """Take in what has become of records of one group."""
        is_new = group not in self._rows
        rows = self._rows.setdefault(group, {})
        before = group.encode() + _SEPARATOR
        taken = self._taken(group, rows, news, output)
        for key in taken:
            rows[key] = news[key]
        facts, kept_from = self._facts(group), self.cutoff.starts_at
        is_doubtful = facts.first_set_at < kept_from
        if is_doubtful:
            rows |= {key: marked(decode_record(rows[key]), kept_from) for key in taken}
        output.rows += [(before + key.encode(), rows[key]) for key in taken]
        # What was newest in it may be gone with what has left it.
        has_left = any(is_elsewhere(rows[key]) for key in taken)
        if is_doubtful or facts.is_any_empty:
            if is_new or has_left:
                self._expiry.spared.add(group)  # it is looked at below
        elif is_new or has_left:
            self._expiry.file(group, facts.first_set_at)
        if facts.root not in {None, group[5:]}:
            # A new root must hear everything; afterwards it needs only what is new.
            self._hand_on(group, facts.root or "", rows if group[5:] in moves else taken, output)
        self._update(group, facts, output)

    def _taken(self, group: str, rows: dict[str, bytes], news: Mapping[str, bytes], output: GroupsOutput) -> list[str]:
        """The keys of what the group takes of it. Lets go what has no place any more."""
        if len(rows) + len(news) <= bounds.GROUP_LIMIT:
            return sorted(news)
        own = f"lead|{group[5:]}"
        full = self._full.setdefault(group, {})
        taken, gone, refused = bounds.take_members(rows, news, full, lambda key: key == own or is_copy(group, key))
        output.refused += refused
        for key in gone:
            del rows[key]
            output.rows.append((group.encode() + _SEPARATOR + key.encode(), None))
        return taken

    def _hand_on(self, group: str, root: str, keys: Iterable[str], output: GroupsOutput) -> None:
        """Tell the root of a merged lead what its group itself has heard, and what it was shown."""
        rows, lead = self._rows[group], group[5:]
        for place in sorted(keys):
            via, _, key = place.rpartition(SEPARATOR)
            if not via or is_shown(via):
                output.engagements.append(Engagement(f"lead:{root}", key, rows[place], via or lead))

    def _facts(self, group: str) -> GroupFacts:
        rows = self._rows.get(group, {})
        if group.startswith("lead:"):
            return GroupFacts(rows, lead=group[5:], root_of=self._merges.root_of)
        return GroupFacts(rows)

    def _derive_again(self, group: str, output: GroupsOutput) -> None:
        """What is around a group has changed, of which nothing was heard."""
        if self._expiry.due:
            self._look_at(group, output)  # what goes today goes by what was so yesterday
        if group in self._rows:
            self._update(group, self._facts(group), output)

    def _update(self, group: str, facts: GroupFacts, output: GroupsOutput) -> None:
        contributions, clock = self._derive(group, facts, output)
        before = self._counted.get(group, [])
        if contributions != before:
            self.panes.replace(*differing(before, contributions))
            self._count(group, contributions)
        if group.startswith("lead:"):
            self._publish_clock(group[5:], clock, output.clocks)
        kept_from, was_spared = self.cutoff.starts_at, group in self._expiry.spared
        if not was_spared and facts.first_set_at >= kept_from:
            return
        records = self._decoded(group)
        if self._is_expired(group, records):
            # Nothing goes on in it any more, since today.
            key = min(records)
            row = self._rows[group][key] = marked(records[key], kept_from)
            output.rows.append((group.encode() + _SEPARATOR + key.encode(), row))
            was_spared = True
        if was_spared or _newest_version(records) < kept_from:
            self._file(group, records)

    def _is_expired(self, group: str, records: dict[str, Record]) -> bool:
        """Whether all of it is too old and nothing of it goes on. Notes what is spared although it is old."""
        if _last_instant(records) >= self.cutoff.starts_at:
            return False
        # Without what is part of a level that lasts, that would fall by itself.
        stands = any(at is None for _, at, _ in self._counted.get(group, ()))
        if stands or self._is_running(group, records):
            self._expiry.spared.add(group)
            return False
        self._expiry.spared.discard(group)
        return True

    def _is_running(self, group: str, records: dict[str, Record]) -> bool:
        """Whether a lead has not ended, or a customer still has something."""
        if group.startswith("customer:"):
            return any(
                record.kind == "subscription" and is_spared(record) for record in records.values() if record.fields
            )
        row = self._clocks.get(group[5:]) if group.startswith("lead:") else None
        clock = None if row is None else decode_clock(row)
        return clock is not None and (clock.is_unanswered or (clock.merged_into is None and clock.status not in ENDED))

    def _file(self, group: str, records: dict[str, Record]) -> None:
        """Note when to look at it again, which is kept."""
        expiry, said_at, kept_from = self._expiry, _newest_version(records), self.cutoff.starts_at
        is_any_empty = any(record.is_empty for record in records.values())
        if said_at >= kept_from and not is_any_empty:
            expiry.spared.discard(group)
            expiry.file(group, said_at)
            return
        expiry.spared.add(group)  # what happens later than it was said may be called off
        if not is_any_empty and (last := _last_instant(records)) >= kept_from:
            expiry.file(group, last)

    def _drop(self, group: str, output: GroupsOutput) -> None:
        """Let a group go, with all its rows: what it counted for has gone with its days."""
        for key in self._rows.pop(group):
            output.rows.append((group.encode() + _SEPARATOR + key.encode(), None))
        self._counted.pop(group, None)
        self._full.pop(group, None)
        self._dependents.note(group, ())
        self._repeats.forget(group)
        if group.startswith("lead:"):
            self._publish_clock(group[5:], None, output.clocks)
            output.expired.append(group[5:])

    @property
    def _has_come(self) -> bool:
        return bool(self._coming) and self._coming[0][0] <= self._log_at

    def _settle_coming(self, output: GroupsOutput, most: int) -> None:
        """Derive the leads again whose first touch was still to come, and is not any more by the instant of the log."""
        while self._has_come and most > 0:
            most -= 1
            at, group = heappop(self._coming)
            if self._filed.get(group) == at:
                del self._filed[group]
            self._derive_again(group, output)

    def _advance(self, log_at: int) -> None:
        self._log_at = max(self._log_at, log_at)
        if self.cutoff.advance(log_at):
            self._expiry.advance(self.cutoff.starts_at)
            self._is_merges_due = True
        self.panes.advance(log_at)

    def sweep(self, most: int) -> GroupsOutput:
        """Look at so many of the groups that may be too old."""
        output = GroupsOutput()
        self._sweep(output, most)
        self._settle_coming(output, most)
        output.panes = self.panes.take_changes()
        return output

    def _sweep(self, output: GroupsOutput, most: int) -> None:
        if self._is_merges_due:
            self._is_merges_due = False
            self._sweep_merges(output)
        for group in self._expiry.take(most):
            records = self._look_at(group, output)
            if records:
                self._file(group, records)

    def _sweep_merges(self, output: GroupsOutput) -> None:
        """Let pointers of merged leads go of which no group has need, before anything of the day is heard."""
        due = set(self._expiry.due)

        def is_here(lead: str) -> bool:
            group = f"lead:{lead}"
            if group in due:
                due.remove(group)
                self._look_at(group, output)
            return group in self._rows

        gone = self._merges.expire(self.cutoff.starts_at, is_here)
        self._merges.apply(dict.fromkeys(gone))
        output.rows += [(MERGES_GROUP.encode() + _SEPARATOR + key.encode(), None) for key in gone]

    def _look_at(self, group: str, output: GroupsOutput) -> dict[str, Record]:
        """Let a group go if it is too old. Else its records."""
        records = self._decoded(group)
        if records and self._is_expired(group, records):
            self._drop(group, output)
            return {}
        return records

    def _decoded(self, group: str) -> dict[str, Record]:
        return {key: decode_record(row) for key, row in self._rows.get(group, {}).items()}

    def _settle_roster(self, news: Mapping[str, bytes], output: GroupsOutput) -> set[str]:
        """Keep the rows of reps; those whose teams have changed."""
        moved = set()
        for key in sorted(news):
            row = self._rows.setdefault(ROSTER_GROUP, {})[key] = news[key]
            output.rows.append((ROSTER_GROUP.encode() + _SEPARATOR + key.encode(), row))
            moved.add(self._teams.apply(key, row))
        return {rep for rep in moved if rep is not None}

    def _settle_merges(self, news: Mapping[str, bytes], output: GroupsOutput) -> dict[str, Move]:
        """Keep the pointers of merged leads; the leads whose root is another one now."""
        kept_from = self.cutoff.starts_at
        rows = {key: marked(decode_record(news[key]), kept_from) for key in sorted(news)}
        output.rows += [(MERGES_GROUP.encode() + _SEPARATOR + key.encode(), row) for key, row in rows.items()]
        return self._merges.apply(rows)

    def _follow_merge(self, group: str, root: str, output: GroupsOutput) -> None:
        """Hand on what a lead holds whose root is another one now."""
        if self._expiry.due:
            self._look_at(group, output)
        if root != group[5:] and group in self._rows:
            self._hand_on(group, root, self._rows[group], output)

    def _is_affected(self, group: str) -> bool:
        """Whether another roster can make another result: without deriving it, for a rep may have very many leads."""
        if self._definitions.lead_response.responder == "team" or self._dependents.is_moved(group, self._teams.team_on):
            return True
        row = self._clocks.get(group[5:])
        clock = None if row is None else decode_clock(row)
        if clock is None or clock.started_at is None:
            return False
        return clock.team != self._teams.team_on(clock.rep, self._definitions.calendar.day_of(clock.started_at))

    def _match(self, group: str, facts: GroupFacts, output: GroupsOutput) -> list[Contribution]:
        """What the duplicates among the calls of a number take out; their leads are told."""
        rows = self._rows[group]
        contributions, shown = self._repeats.derive(group, rows, facts.others)
        for place, row in shown.items():
            rows[place] = row
            output.rows.append((group.encode() + _SEPARATOR + place.encode(), row))
            lead, _, key = place.rpartition(SEPARATOR)
            output.engagements.append(Engagement(f"lead:{lead}", key, row, group))
        return contributions

    def _derive(self, group: str, facts: GroupFacts, output: GroupsOutput) -> tuple[list[Contribution], bytes | None]:
        kind, _, id = group.partition(":")
        if kind == "thread":
            return thread_contributions(id, facts.others, self._definitions), None
        if kind == "customer":
            return customer_contributions(id, facts.others, self._definitions), None
        if kind == NUMBER:
            return self._match(group, facts, output), None
        if kind != "lead":
            return [], None
        result = lead_result(id, facts, self._definitions, self._teams.team_on, self._log_at)
        if result.settles_at is not None and self._filed.get(group) != result.settles_at:
            self._filed[group] = result.settles_at
            heappush(self._coming, (result.settles_at, group))
        self._dependents.note(group, tuple(sorted(result.reps)), result.teams)
        return result.contributions, None if result.clock is None else encode_clock(result.clock)

    def _count(self, group: str, contributions: list[Contribution]) -> None:
        if contributions:
            self._counted[group] = contributions
        else:
            self._counted.pop(group, None)

    def _publish_clock(self, lead: str, clock: bytes | None, messages: list[Message]) -> None:
        if clock == self._clocks.get(lead):
            return
        if clock is None:
            del self._clocks[lead]
        else:
            self._clocks[lead] = clock
        messages.append((lead.encode(), clock))

    def restore(self, key: bytes, row: bytes) -> None:
        """Put a row back that an earlier owner published; `rebuild` comes after the last one.

        Raises msgspec.MsgspecError if it is none: then nothing of it is kept.
        """
        try:
            group, _, record = key.decode().partition(SEPARATOR)
        except UnicodeDecodeError:
            raise DamagedError(_NO_KEY) from None
        self._check(row)
        if group == MERGES_GROUP:
            self._restored_merges[record] = row
        else:
            self._rows.setdefault(group, {})[record] = row

    def rebuild(
        self, published_panes: dict[bytes, bytes], published_clocks: dict[bytes, bytes], log_at: int
    ) -> GroupsOutput:
        """Derive everything from the rows; what differs from what was published comes out as messages."""
        output = GroupsOutput()
        self._advance(log_at)
        for key, row in self._rows.get(ROSTER_GROUP, {}).items():
            self._teams.apply(key, row)
        self._merges.apply(self._restored_merges)
        self._restored_merges = {}
        for group in list(self._rows):
            facts = self._facts(group)
            contributions, clock = self._derive(group, facts, output)
            lead = group[5:]
            if clock is not None:
                self._clocks[lead] = clock
            self._count(group, contributions)
            if self._restored_is_expired(group, facts):
                self._clocks.pop(lead, None)  # published: it is among those that are left over
                self._drop(group, output)
                continue
            self.panes.replace((), contributions)
            if clock is not None and published_clocks.pop(lead.encode(), None) != clock:
                output.clocks.append((lead.encode(), clock))
        output.clocks += [(key, None) for key in published_clocks]
        published_clocks.clear()
        output.panes = self.panes.repair(published_panes)
        return output

    def _restored_is_expired(self, group: str, facts: GroupFacts) -> bool:
        """Whether it is too old to be kept; if not, it is filed."""
        if group == ROSTER_GROUP:
            return False
        if facts.first_set_at >= self.cutoff.starts_at and not facts.is_any_empty:
            self._expiry.file(group, facts.first_set_at)
            return False
        records = self._decoded(group)
        if self._is_expired(group, records):
            return True
        self._file(group, records)
        return False


def _last_instant(records: Mapping[str, Record]) -> int:
    return max(map(last_instant, records.values()))


def _newest_version(records: Mapping[str, Record]) -> int:
    return max(map(newest_version, records.values()))
