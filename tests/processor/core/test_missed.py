"""When a connection's webhooks bring too little of what its CRM changes, an alert says so, once."""

from processor.core.missed import MissedBook
from schemas.alerts import Alert, crossing_fields, decode_alert, encode_alert
from schemas.connection_states import ConnectionState
from schemas.instants import DAY, HOUR, parse_instant

NOW = parse_instant("2026-03-18T09:00:00Z")


def state(missed: int, changed: int, at: int = NOW) -> ConnectionState:
    return ConnectionState(at=at, missed_day={"deal": missed}, changed_day=changed)


def test_more_than_one_percent_of_at_least_a_hundred_is_a_breach() -> None:
    book = MissedBook()

    assert book.hear("hub", state(9, 99), NOW) == []
    assert book.hear("hub", state(1, 100), NOW) == []
    (alert,) = book.hear("hub", state(3, 200), NOW + 5)

    assert (alert.kind, alert.level, alert.event, alert.raised_at) == ("connection", "breach", "raised", NOW + 5)
    assert (alert.lead, alert.rep, alert.team) == (None, None, None)
    assert crossing_fields(alert) == {"connection": "hub", "missed_share": 0.015}


def test_it_is_told_once_and_resolved_when_it_is_so_no_more() -> None:
    book = MissedBook()
    (alert,) = book.hear("hub", state(3, 200), NOW)

    assert book.hear("hub", state(5, 200, NOW + HOUR), NOW + HOUR) == []
    assert book.hear("crm", state(0, 200, NOW + HOUR), NOW + HOUR) == []
    (resolved,) = book.hear("hub", state(1, 200, NOW + DAY), NOW + DAY)
    (again,) = book.hear("hub", state(9, 200, NOW + 2 * DAY), NOW + 2 * DAY)

    assert (resolved.id, resolved.event, resolved.resolved_at) == (alert.id, "resolved", NOW + DAY)
    assert crossing_fields(resolved)["missed_share"] == 0.005
    assert again.id != alert.id


def test_so_few_changes_that_nothing_can_be_said_resolve_it() -> None:
    book = MissedBook()
    book.hear("hub", state(3, 200), NOW)

    (resolved,) = book.hear("hub", state(3, 50, NOW + DAY), NOW + DAY)

    assert (resolved.event, crossing_fields(resolved)["missed_share"]) == ("resolved", None)


def restarted(*alerts: Alert) -> MissedBook:
    book = MissedBook()
    for alert in alerts:
        book.restore(decode_alert(encode_alert(alert)))
    return book


def test_a_restart_raises_nothing_again_and_resolves_what_there_is_no_more() -> None:
    raised = MissedBook().hear("hub", state(3, 200), NOW)

    book = restarted(*raised)

    assert book.hear("hub", state(3, 200), NOW + HOUR) == []
    assert book.keep_only({"hub"}, NOW) == []
    (resolved,) = book.keep_only({"crm"}, NOW + HOUR)
    assert (resolved.id, resolved.event) == (raised[0].id, "resolved")
    assert book.forget(NOW + DAY) == [resolved.id]
