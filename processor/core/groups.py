"""The groups of one partition: leads and threads with the records that engage them; clocks and panes derived.

One more group holds all `rep` records, in every partition alike: who is in which team decides on SLA rules and
calendars, so the leads of a rep are derived again when that rep moves.

Owns the fold of engagements, what is handed on along merges, when a group expires, and the rebuilding after recovery.
Does no I/O.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from processor.core.contributions import Contribution
from processor.core.definitions import Definitions
from processor.core.panes import Message, PaneTable
from processor.core.responses import lead_result
from processor.core.retention import Expiry, Horizon, first_version, last_instant, newest_version
from processor.core.threads import thread_contributions
from schemas.frames import ROSTER_GROUP, Engagement
from schemas.leads import decode_clock, encode_clock
from schemas.records import Record, decode_record
from schemas.roster import Teams

SLICE = 200
"""Groups looked at in one batch, to see whether they are still kept."""

_SEPARATOR = b"\0"  # no id holds it: ids are printable


@dataclass(slots=True)
class GroupsOutput:
    """What a batch has changed."""

    rows: list[Message] = field(default_factory=list)
    panes: list[Message] = field(default_factory=list)
    clocks: list[Message] = field(default_factory=list)
    engagements: list[Engagement] = field(default_factory=list)
    """For the groups that leads of ours were ever merged into."""
    expired: list[str] = field(default_factory=list)
    """Leads whose groups are gone: nothing is kept of them any more."""
    duplicates: int = 0


class Groups:
    """State: group -> record key -> the record's row. Results are derived and kept to know what changes."""

    def __init__(self, origin: str, definitions: Definitions) -> None:
        self._definitions = definitions
        self._rows: dict[str, dict[str, bytes]] = {}
        self._counted: dict[str, list[Contribution]] = {}
        self._clocks: dict[str, bytes] = {}
        self._teams = Teams(definitions.file_teams, definitions.aliases, definitions.calendar)
        self._groups_of: dict[str, set[str]] = {}
        """Rep -> groups in whose result their team had a say at any time. To have too many here does no harm."""
        self.horizon = Horizon(definitions.calendar, definitions.records_kept)
        self._expiry: Expiry[str] = Expiry()
        self.panes = PaneTable(origin, definitions.calendar, definitions.minutes_kept, self.horizon)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def __contains__(self, group: str) -> bool:
        return group in self._rows

    @property
    def backlog(self) -> int:
        """How many groups may be too old and were not looked at yet."""
        return len(self._expiry.due)

    def fold(self, engagements: Iterable[Engagement], log_at: int) -> GroupsOutput:
        """Take a batch in. `log_at` is the newest receipt seen (microseconds)."""
        output = GroupsOutput()
        self._advance(log_at)
        self._sweep(output, SLICE)
        kept_from, due = self.horizon.starts_at, self._expiry.due
        opened: dict[str, dict[str, Record]] = {}
        changed: dict[str, set[str]] = {}
        heard: dict[tuple[str, str], bytes | None] = {}
        """Of what changed the row, where it is the one that was heard: the same state is the same bytes."""
        doubtful: set[str] = set()
        for engagement in engagements:
            group, key = engagement.group, engagement.record
            facts = opened.get(group)
            if facts is None:
                if due:
                    self._look_at(group, output)
                facts = opened[group] = self._decoded(group)
            news = decode_record(engagement.row)
            if first_version(news) < kept_from:
                doubtful.add(group)
            held = facts.get(key)
            if held is None:
                facts[key] = news
                heard[group, key] = engagement.row
            elif held.merge(news):
                heard[group, key] = None
            else:
                output.duplicates += 1
                continue
            changed.setdefault(group, set()).add(key)
        # The roster goes first: what is derived after it sees the new teams.
        moved = self._settle_roster(changed.pop(ROSTER_GROUP, set()), opened.get(ROSTER_GROUP, {}), output)
        for group, keys in changed.items():
            self._settle(group, keys, opened[group], heard, output, is_doubtful=group in doubtful)
        self._follow(moved, changed.keys(), output)
        output.panes = self.panes.take_changes()
        return output

    def _settle(
        self,
        group: str,
        keys: set[str],
        facts: dict[str, Record],
        heard: Mapping[tuple[str, str], bytes | None],
        output: GroupsOutput,
        *,
        is_doubtful: bool,
    ) -> None:
        if group not in self._rows:
            if is_doubtful or not all(record.fields for record in facts.values()):
                self._expiry.spared.add(group)  # it is looked at below
            else:
                self._expiry.file(group, min(first_version(record) for record in facts.values()))
        rows = self._rows.setdefault(group, {})
        targets = merge_targets(group, facts)
        # A new target must hear everything; afterwards it needs only what is new.
        known = (
            set()
            if not rows or not targets
            else merge_targets(group, {key: decode_record(row) for key, row in rows.items()})
        )
        for key in sorted(keys):
            row = rows[key] = heard[group, key] or facts[key].encode()
            output.rows.append((group.encode() + _SEPARATOR + key.encode(), row))
        for target in sorted(targets):
            told = keys if target in known else set(rows)
            output.engagements += [Engagement(f"lead:{target}", key, rows[key]) for key in sorted(told)]
        self._update(group, facts, output, is_doubtful=is_doubtful)

    def _update(self, group: str, facts: dict[str, Record], output: GroupsOutput, *, is_doubtful: bool = False) -> None:
        contributions, clock = self._derive(group, facts)
        before = self._counted.get(group, [])
        if contributions != before:
            self.panes.replace(before, contributions)
            self._count(group, contributions)
        if group.startswith("lead:"):
            self._publish_clock(group[5:], clock, output.clocks)
        was_spared = group in self._expiry.spared
        if is_doubtful or was_spared:
            if self._is_expired(group, facts):
                self._drop(group, output)
            elif was_spared:
                self._file(group, facts)

    def _is_expired(self, group: str, facts: dict[str, Record]) -> bool:
        """Whether all of it is too old and nobody waits. Notes what is spared although it is old."""
        self._expiry.spared.discard(group)
        if _last_instant(facts) >= self.horizon.starts_at:
            return False
        clock = self._clocks.get(group[5:]) if group.startswith("lead:") else None
        if clock is not None and decode_clock(clock).is_waiting:
            self._expiry.spared.add(group)
            return False
        return True

    def _file(self, group: str, facts: dict[str, Record]) -> None:
        """Note when to look at it again, which is kept."""
        expiry, said_at = self._expiry, max(map(newest_version, facts.values()))
        if group in expiry.spared:
            return
        if said_at >= self.horizon.starts_at and all(record.fields for record in facts.values()):
            expiry.file(group, said_at)
            return
        expiry.spared.add(group)  # what happens later than it was said may be called off
        if all(record.fields for record in facts.values()):
            expiry.file(group, _last_instant(facts))

    def _drop(self, group: str, output: GroupsOutput) -> None:
        """Let a group go, with all its rows: what it counted for has gone with its days."""
        for key in self._rows.pop(group):
            output.rows.append((group.encode() + _SEPARATOR + key.encode(), None))
        self._counted.pop(group, None)
        for groups in self._groups_of.values():
            groups.discard(group)
        if group.startswith("lead:"):
            self._publish_clock(group[5:], None, output.clocks)
            output.expired.append(group[5:])

    def _advance(self, log_at: int) -> None:
        if self.horizon.advance(log_at):
            self._expiry.advance(self.horizon.starts_at)
        self.panes.advance(log_at)

    def sweep(self, most: int) -> GroupsOutput:
        """Look at so many of the groups that may be too old."""
        output = GroupsOutput()
        self._sweep(output, most)
        return output

    def _sweep(self, output: GroupsOutput, most: int) -> None:
        for group in self._expiry.take(most):
            facts = self._look_at(group, output)
            if facts:
                self._file(group, facts)

    def _look_at(self, group: str, output: GroupsOutput) -> dict[str, Record]:
        """Let a group go if it is too old. Else its records."""
        facts = self._decoded(group)
        if facts and self._is_expired(group, facts):
            self._drop(group, output)
            return {}
        return facts

    def _decoded(self, group: str) -> dict[str, Record]:
        return {key: decode_record(row) for key, row in self._rows.get(group, {}).items()}

    def _settle_roster(self, keys: set[str], facts: dict[str, Record], output: GroupsOutput) -> set[str]:
        """Keep the rows of reps; those whose teams have changed."""
        moved = set()
        for key in sorted(keys):
            row = self._rows.setdefault(ROSTER_GROUP, {})[key] = facts[key].encode()
            output.rows.append((ROSTER_GROUP.encode() + _SEPARATOR + key.encode(), row))
            moved.add(self._teams.apply(key, row))
        return {rep for rep in moved if rep is not None}

    def _follow(self, moved: set[str], done: Collection[str], output: GroupsOutput) -> None:
        """Derive the leads again on which these reps' teams have a say, but for the groups that are done."""
        for group in sorted(group for rep in moved for group in self._groups_of.get(rep, ()) if group not in done):
            if self._is_affected(group):
                self._update(group, self._decoded(group), output)

    def _is_affected(self, group: str) -> bool:
        """Whether another roster can make another result: without deriving it, for a rep may have very many leads."""
        if self._definitions.lead_response.responder == "team":
            return True
        row = self._clocks.get(group[5:])
        clock = None if row is None else decode_clock(row)
        if clock is None or clock.started_at is None:
            return False
        return clock.team != self._teams.team_on(clock.rep, self._definitions.calendar.day_of(clock.started_at))

    def _derive(self, group: str, facts: dict[str, Record]) -> tuple[list[Contribution], bytes | None]:
        kind, _, id = group.partition(":")
        if kind == "thread":
            return thread_contributions(id, facts, self._definitions), None
        if kind != "lead":
            return [], None
        result = lead_result(id, facts, self._definitions, self._teams.team_on)
        for rep in result.reps:
            self._groups_of.setdefault(rep, set()).add(group)
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
        """Put a row back that an earlier owner published; `rebuild` comes after the last one."""
        group, _, record = key.partition(_SEPARATOR)
        self._rows.setdefault(group.decode(), {})[record.decode()] = row

    def rebuild(
        self, published_panes: dict[bytes, bytes], published_clocks: dict[bytes, bytes], log_at: int
    ) -> GroupsOutput:
        """Derive everything from the rows; what differs from what was published comes out as messages."""
        output = GroupsOutput()
        self._advance(log_at)
        for key, row in self._rows.get(ROSTER_GROUP, {}).items():
            self._teams.apply(key, row)
        for group in list(self._rows):
            facts = self._decoded(group)
            contributions, clock = self._derive(group, facts)
            lead = group[5:]
            if clock is not None:
                self._clocks[lead] = clock
            if self._restored_is_expired(group, facts):
                self._clocks.pop(lead, None)  # published: it is among those that are left over
                self._drop(group, output)
                continue
            self._count(group, contributions)
            self.panes.replace((), contributions)
            if clock is not None and published_clocks.pop(lead.encode(), None) != clock:
                output.clocks.append((lead.encode(), clock))
        output.clocks += [(key, None) for key in published_clocks]
        published_clocks.clear()
        output.panes = self.panes.repair(published_panes)
        return output

    def _restored_is_expired(self, group: str, facts: dict[str, Record]) -> bool:
        """Whether it is too old to be kept; if not, it is filed."""
        if group == ROSTER_GROUP:
            return False
        at = min(first_version(record) for record in facts.values())
        if at >= self.horizon.starts_at and all(record.fields for record in facts.values()):
            self._expiry.file(group, at)
            return False
        if self._is_expired(group, facts):
            return True
        self._file(group, facts)
        return False


def _last_instant(facts: dict[str, Record]) -> int:
    return max(last_instant(record) for record in facts.values())


def merge_targets(group: str, facts: dict[str, Record]) -> set[str]:
    """The leads that this group's own lead was ever merged into: they must hear all that the group knows.

    Everything a group knows goes along every pointer ever set, transitively, and only when it is news; so it ends, in
    cycles too, and a pointer that moves on is heard of where it pointed before.
    """
    kind, _, id = group.partition(":")
    own = facts.get(f"lead|{id}") if kind == "lead" else None
    return set() if own is None else own.named.get("merged_into", set()) - {id}
