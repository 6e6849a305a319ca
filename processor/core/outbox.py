"""What channels have to be told, and what they were told: the outbox of one partition.

Owns the order of turns of an alert, what rests in quiet hours or while a lead is snoozed, and the rows from which all
of it is read back. Sends nothing, and reads no clock.

A turn is told at least once. One that rests and is overtaken by its opposite (raised at night, answered before the
morning) is not told at all. What is quiet gathers until no more of it comes, and is told together in one summary.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from msgspec.structs import replace

from processor.core.panes import Message
from processor.core.routing import quiet_until
from schemas.alerts import (
    DIGEST,
    Alert,
    AlertFrame,
    ChannelAlert,
    Silence,
    WaitingTurn,
    decode_outgoing,
    decode_silence,
    encode_outgoing,
    encode_silence,
)
from schemas.config.alerts import QuietHours
from schemas.instants import DAY, HOUR, MINUTE, SECOND

SUMMARY_AFTER = 5 * SECOND
"""After the last quiet alert: so many come in one go that each would begin a summary of its own."""
SUMMARY_AT_MOST_AFTER = 5 * MINUTE
"""After the first one, if they do not end."""

NOTICES_KEPT = 4 * DAY
"""So long it is known that a day or a win was told: whoever tells may say it again after a restart."""

_SEPARATOR = "\0"  # neither names of channels nor ids hold it
_NOTHING = ChannelAlert()


@dataclass(slots=True)
class _Box:
    """One channel."""

    outgoing: dict[str, ChannelAlert] = field(default_factory=dict)
    """Alert id -> what is to be told and was."""
    silences: dict[str, Silence] = field(default_factory=dict)
    """By lead."""
    ready: deque[str] = field(default_factory=deque)
    """Ids of alerts with a turn to tell. An id is in one of `ready`, `held` and in the sender's hands, or nowhere."""
    held: list[tuple[int, str]] = field(default_factory=list)
    """Heap of (until, id)."""
    resting: set[str] = field(default_factory=set)
    """Of the held ones, those that nobody has tried to tell yet."""
    gathered: dict[str, None] = field(default_factory=dict)
    """Ids of quiet alerts for the next summary; those that a sender holds stand nowhere."""
    first_at: int = 0
    newest_at: int = 0
    """When the first and the newest of them came."""
    summary_from: int = 0
    """Not before then: the receiver was away."""


class Outbox:
    """State: per channel and alert what is to be told."""

    def __init__(self, quiet: Mapping[str, QuietHours | None]) -> None:
        """`quiet`: the channels there are, with their quiet hours."""
        self._quiet = dict(quiet)
        self._boxes = {channel: _Box() for channel in quiet}
        self._expired_at = 0

    @property
    def channels(self) -> list[str]:
        """All of them."""
        return list(self._boxes)

    def waiting(self, channel: str) -> int:
        """How many alerts it has still to be told of."""
        return sum(1 for outgoing in self._boxes[channel].outgoing.values() if outgoing.waiting)

    def restore(self, key: bytes, row: bytes) -> bool:
        """Put a row back that an earlier owner published. False: there is no such channel any more."""
        channel, _, rest = key.decode().partition(_SEPARATOR)
        box = self._boxes.get(channel)
        if box is None:
            return False
        if rest.startswith(_SEPARATOR):
            silence = decode_silence(row)
            box.silences[silence.lead] = silence
        else:
            outgoing = box.outgoing[rest] = decode_outgoing(row)
            if outgoing.waiting and outgoing.waiting[0].alert.quiet:
                _gather(box, rest, outgoing.waiting[0].since)
            elif outgoing.waiting:
                box.ready.append(rest)
        return True

    def take(self, frame: AlertFrame, now: int) -> list[Message]:
        """Take in what a channel is to be told; the rows that change."""
        box = self._boxes.get(frame.channel)
        if box is None:
            return []
        changed: dict[str, None] = {}
        for alert in frame.alerts:
            if self._take(box, alert, now):
                changed[alert.id] = None
        messages = [self._row(frame.channel, id) for id in changed]
        for silence in frame.silences:
            held = box.silences.get(silence.lead)
            if held is None or not held.is_acknowledged:
                box.silences[silence.lead] = silence
                messages.append((_silence_key(frame.channel, silence.lead), encode_silence(silence)))
        return messages

    def _take(self, box: _Box, alert: Alert, now: int) -> bool:
        outgoing = box.outgoing.get(alert.id, _NOTHING)
        if alert.turn <= outgoing.known:
            return False  # a repetition
        if not alert.is_open and outgoing is _NOTHING:
            return False  # nobody there was told that it waits
        if alert.quiet:
            return self._take_quiet(box, outgoing, alert, now)
        told = outgoing.waiting[-1].alert if outgoing.waiting else outgoing.told
        if not alert.is_open and told is not None:
            # It goes where it was told, whoever's it has become: a receiver knows it by that.
            alert = replace(alert, rep=told.rep, team=told.team)
        if alert.id in box.resting:
            # Both cancel: the channel knows already what is so now.
            box.resting.discard(alert.id)
            box.held = [entry for entry in box.held if entry[1] != alert.id]
            outgoing = replace(outgoing, known=alert.turn, waiting=outgoing.waiting[:-1])
        else:
            if not outgoing.waiting:
                box.ready.append(alert.id)
            outgoing = replace(outgoing, known=alert.turn, waiting=(*outgoing.waiting, WaitingTurn(alert, now)))
        _keep(box, alert.id, outgoing)
        return True

    def _take_quiet(self, box: _Box, outgoing: ChannelAlert, alert: Alert, now: int) -> bool:
        if not alert.is_open:
            box.gathered.pop(alert.id, None)
            box.outgoing.pop(alert.id, None)
        elif outgoing.is_summed:
            box.outgoing[alert.id] = replace(outgoing, known=alert.turn)
        else:
            box.outgoing[alert.id] = replace(outgoing, known=alert.turn, waiting=(WaitingTurn(alert, now),))
            _gather(box, alert.id, now)
        return True

    def next_summary(self, channel: str, now: int) -> tuple[list[WaitingTurn], list[Message]]:
        """The quiet alerts that are to be told together now, all of them; in the caller's hands as with `next`."""
        box = self._boxes[channel]
        is_over = now - box.newest_at >= SUMMARY_AFTER or now - box.first_at >= SUMMARY_AT_MOST_AFTER
        if not box.gathered or now < box.summary_from or not is_over:
            return [], []
        messages: list[Message] = []
        found: dict[str, WaitingTurn] = {}
        for id in list(box.gathered):
            turn = box.outgoing[id].waiting[0]
            silence = self._silence(box, turn.alert, now)
            if silence is None:
                found[id] = turn
            elif silence.is_acknowledged:
                del box.gathered[id]
                messages += self.summed(channel, [turn])
        rests = [quiet_until(self._quiet[channel], level, now) for level in {t.alert.level for t in found.values()}]
        if not found or None not in rests:
            return [], messages
        for id in found:
            del box.gathered[id]
        return list(found.values()), messages

    def summed(self, channel: str, turns: Iterable[WaitingTurn]) -> list[Message]:
        """These are told, or given up: no turn of them is told any more. The rows that change."""
        box = self._boxes[channel]
        changed: dict[str, None] = {}
        for turn in turns:
            id = turn.alert.id
            outgoing = box.outgoing.get(id)
            if outgoing is not None:
                box.outgoing[id] = replace(outgoing, waiting=(), is_summed=True)
                changed[id] = None
        return [self._row(channel, id) for id in changed]

    def put_back_summary(self, channel: str, turns: Iterable[WaitingTurn], until: int) -> None:
        """These could not be told; they are tried again then, with what has come meanwhile."""
        box = self._boxes[channel]
        box.summary_from = until
        for turn in turns:
            if turn.alert.id in box.outgoing:
                _gather(box, turn.alert.id, turn.since)

    def next(self, channel: str, now: int, most: int) -> tuple[list[WaitingTurn], list[Message]]:
        """What is to be told now, at most so much; it is in the caller's hands until `told` or `put_back`.

        The rows belong to what is not to be told any more, because somebody has acknowledged it.
        """
        box = self._boxes[channel]
        while box.held and box.held[0][0] <= now:
            _, id = heappop(box.held)
            box.resting.discard(id)
            box.ready.append(id)
        found: list[WaitingTurn] = []
        messages: list[Message] = []
        while box.ready and len(found) < most:
            id = box.ready.popleft()
            turn = box.outgoing[id].waiting[0]
            silence = self._silence(box, turn.alert, now)
            if silence is not None and silence.is_acknowledged:
                messages += self._done(channel, id, is_told=False)
                continue
            until = self._rests_until(channel, turn.alert, now)
            if silence is not None:
                until = max(until or 0, silence.until)
            if until is None and found and _kind_of(turn.alert) != _kind_of(found[0].alert):
                box.ready.appendleft(id)  # it is a message of its own
                break
            if until is None:
                found.append(turn)
            else:
                heappush(box.held, (until, id))
                # Later turns wait behind this one; only a single turn can be cancelled by the next.
                if len(box.outgoing[id].waiting) == 1:
                    box.resting.add(id)
        return found, messages

    def _rests_until(self, channel: str, alert: Alert, now: int) -> int | None:
        # The hour of the day's message was chosen for it.
        return None if alert.kind == DIGEST else quiet_until(self._quiet[channel], alert.level, now)

    def _silence(self, box: _Box, alert: Alert, now: int) -> Silence | None:
        # That a lead waits no longer is told to everybody who believes that it does.
        if not alert.is_open:
            return None
        found = [box.silences.get(alert.cared_for), box.silences.get(alert.subject)]
        return next((silence for silence in found if silence is not None and now < silence.until), None)

    def told(self, channel: str, turns: Iterable[WaitingTurn]) -> list[Message]:
        """These were told; the rows that change."""
        return [message for turn in turns for message in self._done(channel, turn.alert.id, is_told=True)]

    def give_up(self, channel: str, turns: Iterable[WaitingTurn]) -> list[Message]:
        """These are not told any more; the rows that change."""
        return [message for turn in turns for message in self._done(channel, turn.alert.id, is_told=False)]

    def _done(self, channel: str, id: str, *, is_told: bool) -> list[Message]:
        box = self._boxes[channel]
        outgoing = box.outgoing[id]
        alert = outgoing.waiting[0].alert
        told = outgoing.told if not is_told else alert if alert.is_open else None
        rest = outgoing.waiting[1:]
        if not is_told and told is None and rest and not rest[0].alert.is_open:
            rest = rest[1:]  # they never heard that it waits, so not that it waits no longer either
        if rest:
            box.ready.append(id)
        _keep(box, id, replace(outgoing, told=told, waiting=rest))
        return [self._row(channel, id)]

    def put_back(self, channel: str, turns: Iterable[WaitingTurn], until: int) -> None:
        """These could not be told; they are tried again then."""
        box = self._boxes[channel]
        for turn in turns:
            heappush(box.held, (until, turn.alert.id))

    def told_open(self, channel: str) -> list[Alert]:
        """The alerts that the channel believes to be open."""
        told = (outgoing.told for outgoing in self._boxes[channel].outgoing.values())
        return [alert for alert in told if alert is not None and alert.notice is None]

    def expire(self, now: int) -> list[Message]:
        """Forget silences that are over, and days and wins that were told long ago; their rows."""
        messages: list[Message] = []
        if now - self._expired_at >= HOUR:
            self._expired_at = now
            messages += self._expire_notices(now - NOTICES_KEPT)
        for channel, box in self._boxes.items():
            for lead in [lead for lead, silence in box.silences.items() if silence.until <= now]:
                del box.silences[lead]
                messages.append((_silence_key(channel, lead), None))
        return messages

    def _expire_notices(self, before: int) -> list[Message]:
        messages: list[Message] = []
        for channel, box in self._boxes.items():
            for id, outgoing in list(box.outgoing.items()):
                told = outgoing.told
                if told is not None and told.notice is not None and not outgoing.waiting and told.raised_at < before:
                    del box.outgoing[id]
                    messages.append(self._row(channel, id))
        return messages

    def _row(self, channel: str, id: str) -> Message:
        outgoing = self._boxes[channel].outgoing.get(id)
        key = f"{channel}{_SEPARATOR}{id}".encode()
        return key, None if outgoing is None else encode_outgoing(outgoing)


def _gather(box: _Box, id: str, since: int) -> None:
    box.first_at = min(box.first_at, since) if box.gathered else since
    box.newest_at = max(box.newest_at, since)
    box.gathered[id] = None


def _keep(box: _Box, id: str, outgoing: ChannelAlert) -> None:
    if outgoing.waiting or outgoing.told is not None or outgoing.is_summed:
        box.outgoing[id] = outgoing
    else:
        box.outgoing.pop(id, None)


def _kind_of(alert: Alert) -> str:
    """What goes into one message: alerts of whatever kind, or what is told only."""
    return alert.kind if alert.notice is not None else ""


def channel_of(key: bytes) -> str:
    """The channel of a row."""
    return key.decode().partition(_SEPARATOR)[0]


def _silence_key(channel: str, lead: str) -> bytes:
    return f"{channel}{_SEPARATOR}{_SEPARATOR}{lead}".encode()
