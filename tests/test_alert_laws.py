"""What is open, for any list of changes: a function of the records and the clock, equal to the batch recount."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.alerts import AlertBook
from schemas.alerts import Alert, encode_alert
from schemas.config import Config
from schemas.instants import HOUR
from schemas.leads import decode_clock
from schemas.records import RecordChange
from schemas.topics import LEAD_CLOCKS
from tests.oracle import recount
from tests.pipeline import Pipeline
from tests.strategies import NOW, logs
from tests.test_laws import CONFIGS, SLOW, batches, shuffled

Open = tuple[str | None, str, int, int, str | None, str | None]
"""Lead, level, start, instant, owner, team."""


class Alarmed(Pipeline):
    """The pipeline with an alert book beside each partition's clocks, which is told of every change of one."""

    def __init__(self, config: Config) -> None:
        self.books = [AlertBook() for _ in range(3)]
        self.rows_of_alerts: dict[str, Alert] = {}
        self.raised: list[str] = []
        self.now = NOW - HOUR
        super().__init__(config, partitions=3)

    def _publish(self, topic: str, p: int, messages: Iterable[tuple[bytes, bytes | None]]) -> None:
        messages = list(messages)
        super()._publish(topic, p, messages)
        if topic == LEAD_CLOCKS.name:
            for key, row in messages:
                clock = None if row is None else decode_clock(row)
                self._note(self.books[p].hear(key.decode(), clock, self.now).alerts)

    def tick(self) -> None:
        for book in self.books:
            alerts = book.pass_time(self.now, self.now).alerts
            self.raised += [alert.id for alert in alerts if alert.event == "raised"]
            self._note(alerts)

    def forget_alerts(self) -> None:
        """As after kill -9: what was published is read back."""
        self.books = [AlertBook() for _ in range(3)]
        clocks = self.topics[LEAD_CLOCKS.name]
        for p, book in enumerate(self.books):
            mine = {key.decode(): decode_clock(row) for (held_by, key), row in clocks.items() if held_by == p}
            for alert in self.rows_of_alerts.values():
                if alert.lead in mine:
                    book.restore(encode_alert(alert))
            self._note(book.begin(mine.values(), self.now).alerts)

    def _note(self, alerts: Iterable[Alert]) -> None:
        self.rows_of_alerts |= {alert.id: alert for alert in alerts}

    def open(self) -> set[Open]:
        return {
            (alert.lead, alert.level, alert.started_at, alert.due_at, alert.rep, alert.team)
            for alert in self.rows_of_alerts.values()
            if alert.is_open
        }


def expected(log: list[RecordChange], config: Config, now: int) -> set[Open]:
    found: set[Open] = set()
    for lead, clock in recount(log, config).lead_clocks(now).items():
        instants = (("warn", clock["warn_at"]), ("breach", clock["due_at"]), ("escalate", clock["escalate_at"]))
        for level, at in instants:
            if clock["waiting"] and at <= now and (clock["until"] is None or at < clock["until"]):
                found.add((lead, level, clock["started_at"], at, clock["rep"], clock["team"]))
    return found


@pytest.mark.parametrize("name", ["kuala lumpur", "offices", "contact", "owner"])
@SLOW
@given(log=logs(("lead", "call", "email", "meeting", "rep"), most=40), seed=st.integers(0, 2**16))
def test_what_is_open_is_what_the_recount_says_whatever_the_order(
    name: str, log: list[RecordChange], seed: int
) -> None:
    config = CONFIGS[name]
    floor = Alarmed(config)
    for number, batch in enumerate(batches(shuffled(log, seed), seed)):
        floor.take(batch)
        floor.tick()
        if (seed + number) % 5 == 0:
            floor.forget_alerts()
    floor.now = NOW
    floor.tick()

    assert floor.open() == expected(log, config, NOW)
    floor.now = NOW + 30 * HOUR
    floor.tick()
    assert floor.open() == expected(log, config, NOW + 30 * HOUR)
    assert len(floor.raised) == len(set(floor.raised))
