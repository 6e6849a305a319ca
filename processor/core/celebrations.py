"""What was won, for channels: which of them are to be told of it, and what is taken back.

Owns what was told. A channel hears of a cause once, whichever screens name it: a deal that is won a second time is the
same cause, unless a screen says `again`. What is taken back is told in a line of its own, and not told again when it
is won a second time. What no webhook told first is not told. Does no I/O, and reads no clock.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from schemas.alerts import GOAL, SILENT, WIN, Alert
from schemas.config.screens import Celebrate, ScreenConfig
from schemas.deals import DealCard, decode_deal
from schemas.floor import Floor
from schemas.instants import DAY, HOUR
from schemas.naming import NameStyle, strictest
from schemas.win_words import win_notice
from schemas.wins import Win, Wins
from schemas.words import words_of

_LATE = HOUR
"""So long after its instant a win is told, also where that was yesterday, or before the channel was named."""
_KEPT = 3 * DAY
"""So long after its instant a win is known here, and told of when it is taken back."""


class _Telling(NamedTuple):
    """How a channel is told of a win."""

    language: str
    names: NameStyle


class CelebrationBook:
    """State: what was won lately, and what channels were told of it."""

    def __init__(self, floor: Floor) -> None:
        self._told: dict[str, Alert] = {}
        self._about: dict[str, set[str]] = {}
        """Key of what was won (`deal|d-17`) -> ids of what was told of it."""
        self._since: dict[str, int] = {}
        """Channel -> when it was named first."""
        self._milestones: dict[str, Alert] = {}
        self._kept_from = 0
        self.rebase(floor)

    def rebase(self, floor: Floor) -> None:
        """Look at these numbers from now on; deals are read anew."""
        self._floor = floor
        self._deals: dict[str, DealCard] = {}
        self._changed: dict[str, None] = dict.fromkeys([*self._about, *(f"goal|{id}" for id in self._milestones)])
        self._left: set[str] = set()
        """What was not won for a moment since the last look."""
        self._rules: list[tuple[ScreenConfig, Celebrate]] = [
            (screen, rule) for screen in floor.config.screens.values() for rule in screen.celebrate if rule.to
        ]
        self._channels = list(dict.fromkeys(channel for _, rule in self._rules for channel in rule.to))

    @property
    def is_needed(self) -> bool:
        """Whether any channel is to be told of wins."""
        return bool(self._rules)

    def restore(self, alert: Alert) -> None:
        """Put back what was told; and the milestones that were reached."""
        if alert.kind == GOAL:
            self.note_goal(alert)
        elif alert.kind == WIN and alert.notice is None:
            self._since[_channel_of(alert)] = alert.raised_at
        elif alert.kind == WIN:
            self._keep(alert)

    def begin(self, now: int) -> list[Alert]:
        """After all is restored: note the channels that were told of nothing before. To be written."""
        self._kept_from = now - _KEPT
        self._changed |= dict.fromkeys(self._about)
        new = [channel for channel in self._channels if channel not in self._since]
        self._since |= dict.fromkeys(new, now)
        return [Alert(f"{WIN}:{channel}:", WIN, "warn", None, None, None, now, now, now) for channel in new]

    def forget(self, before: int) -> list[str]:
        """Forget what was told before that instant; the ids."""
        ids = [id for id, alert in self._told.items() if alert.raised_at < before]
        for id in ids:
            alert = self._told.pop(id)
            self._about.get(_key_of(alert), set()).discard(id)
        return ids

    def take_deal(self, key: bytes, value: bytes | None) -> None:
        """A deal has changed; None: it is in no list any more."""
        deal = f"deal|{key.decode().partition('|')[2]}"
        card = None if value is None else decode_deal(value)
        before = self._deals.pop(deal, None)
        if card is not None and card.won_at is not None and card.won_at >= self._kept_from:
            self._deals[deal] = card
            self._changed[deal] = None
        elif before is not None:
            self._left.add(deal)
            self._changed[deal] = None

    def note_goal(self, alert: Alert) -> None:
        """A milestone was reached, or is not any more."""
        if alert.kind == GOAL:
            self._milestones[alert.id] = alert
            self._changed[f"goal|{alert.id}"] = None

    def wins(self, now: int) -> list[Win]:
        """What was won lately."""
        wins = Wins(self._floor, now)
        keys = [*self._deals, *(f"goal|{id}" for id in self._milestones)]
        return [win for key in keys if (win := self._win(wins, key)) is not None]

    def look(self, as_of: int, now: int) -> list[tuple[str, Alert]]:
        """What is to be told now, by channel; and kept."""
        wins = Wins(self._floor, as_of)
        changed, self._changed = self._changed, {}
        left, self._left = self._left, set()
        found: list[tuple[str, Alert]] = []
        for key in changed:
            card = self._deals.get(key)
            if card is not None and card.won_at is not None and card.won_at > as_of:
                self._changed[key] = None  # it is won when its instant comes
            else:
                found += self._judge(key, self._win(wins, key), as_of, now, has_left=key in left)
        self._let_go(as_of - _KEPT)
        return found

    def _is_quiet(self, key: str) -> bool:
        """Whether no webhook told of it first."""
        if key in self._deals:
            return self._deals[key].is_quiet
        alert = self._milestones.get(key.removeprefix("goal|"))
        return alert is not None and alert.quiet == SILENT

    def _win(self, wins: Wins, key: str) -> Win | None:
        if key in self._deals:
            return wins.of_deal(self._deals[key])
        alert = self._milestones.get(key.removeprefix("goal|"))
        return None if alert is None else wins.of_goal(alert)

    def _judge(
        self, key: str, win: Win | None, as_of: int, now: int, *, has_left: bool
    ) -> Iterator[tuple[str, Alert]]:  # fmt: skip
        present = {} if win is None else dict(self._tellings(win))
        held = [self._told[id] for id in sorted(self._about.get(key, ())) if self._told[id].is_open]
        for alert in held:
            # Another instant or amount of what is won all the same is a correction, and says nothing new.
            is_gone = win is None or (has_left and alert.id not in present)
            if is_gone and as_of - alert.due_at < _KEPT:
                yield _channel_of(alert), self._keep(_taken_back(alert, now))
        if win is None or self._is_quiet(key):
            return
        knowing = set() if has_left else {_channel_of(alert) for alert in held}
        for id, telling in present.items():
            channel = id.split(":", 2)[1]
            if id not in self._told and channel not in knowing and win.at >= self._told_from(channel, as_of):
                notice = win_notice(win.row, words_of(telling.language), telling.names, self._floor.config)
                row = win.row
                yield (
                    channel,
                    self._keep(
                        Alert(
                            id,
                            WIN,
                            "warn",
                            None,
                            row["rep"],
                            row["team"],
                            win.at,
                            win.at,
                            now,
                            notice=replace(notice, about=key),
                        )
                    ),
                )

    def _tellings(self, win: Win) -> Iterator[tuple[str, _Telling]]:
        """Id of what is told -> how, for each channel."""
        row = win.row
        amount = None if row["amount"] is None else Decimal(row["amount"])
        for channel in self._channels:
            asking = [
                (screen, rule)
                for screen, rule in self._rules
                if channel in rule.to
                and rule.takes(row["cause"], amount)
                and (not screen.teams or row["team"] in screen.teams)
            ]
            if asking:
                is_again = any(rule.again for _, rule in asking)
                said = self._floor.config.alerts.channels[channel].names
                names = strictest(screen.privacy.names for screen, _ in asking) if said is None else said
                cause = f"{row['cause']}:{row['deal']}" if row["deal"] is not None and not is_again else row["win"]
                yield f"{WIN}:{channel}:{cause}", _Telling(asking[0][0].language, names)

    def _told_from(self, channel: str, now: int) -> int:
        calendar = self._floor.calendar
        today = calendar.day_start(calendar.day_of(now))
        return max(min(today, now - _LATE), self._since.get(channel, now) - _LATE)

    def _keep(self, alert: Alert) -> Alert:
        self._told[alert.id] = alert
        self._about.setdefault(_key_of(alert), set()).add(alert.id)
        return alert

    def _let_go(self, before: int) -> None:
        self._kept_from = max(self._kept_from, before)
        for key in [key for key, card in self._deals.items() if (card.won_at or 0) < before]:
            del self._deals[key]
        for id in [id for id, alert in self._milestones.items() if alert.due_at < before]:
            del self._milestones[id]


def _taken_back(alert: Alert, now: int) -> Alert:
    notice = alert.notice
    if notice is None:
        return alert.resolved(now)
    title = words_of(notice.language).say("win.taken_back", win=notice.title)
    data = msgspec.json.encode(msgspec.json.decode(notice.data) | {"withdrawn": True}).decode()
    return replace(alert.resolved(now), notice=replace(notice, title=title, data=data))


def _channel_of(alert: Alert) -> str:
    # Names of channels hold no colon.
    return alert.id.split(":", 2)[1]


def _key_of(alert: Alert) -> str:
    return "" if alert.notice is None else alert.notice.about
