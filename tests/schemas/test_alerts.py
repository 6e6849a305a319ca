from schemas.alerts import (
    MAX_EVENTS,
    Acknowledgement,
    AlertAction,
    alert_frames,
    channel_partition,
    decode_alert,
    decode_frame,
    encode_alert,
    instants_of,
)
from tests.alert_builders import HOUR, MINUTE, START, make_alert, make_clock


def test_an_alert_survives_its_encoding() -> None:
    alert = make_alert().resolved(START + 3 * HOUR)

    assert decode_alert(encode_alert(alert)) == alert


def test_turns_are_named_by_what_happened() -> None:
    raised = make_alert()
    resolved = raised.resolved(START + 2 * HOUR)
    reopened = resolved.reopened()

    assert [alert.event for alert in (raised, resolved, reopened, reopened.resolved(START))] == [
        "raised", "resolved", "reopened", "resolved",
    ]  # fmt: skip


def test_a_clock_that_waits_has_three_instants() -> None:
    assert instants_of(make_clock()) == (
        ("warn", START + 45 * MINUTE),
        ("breach", START + HOUR),
        ("escalate", START + 2 * HOUR),
    )


def test_a_clock_that_was_answered_or_decided_has_no_instants() -> None:
    assert instants_of(make_clock(answered_at=START)) == ()
    assert instants_of(make_clock(status="disqualified")) == ()


def test_many_alerts_travel_in_several_frames_in_their_order() -> None:
    alerts = [make_alert(f"l{number}") for number in range(MAX_EVENTS * 2 + 1)]

    frames = [decode_frame(frame) for frame in alert_frames("floor", alerts)]

    assert [len(frame.alerts) for frame in frames] == [MAX_EVENTS, MAX_EVENTS, 1]
    assert [alert for frame in frames for alert in frame.alerts] == alerts
    assert {frame.channel for frame in frames} == {"floor"}


def test_a_frame_of_longest_ids_stays_below_a_megabyte() -> None:
    (frame,) = alert_frames("floor", [make_alert("l" * 64 + str(number)) for number in range(MAX_EVENTS)])

    assert len(frame) < 1_000_000


def test_a_channel_lives_in_one_partition() -> None:
    assert channel_partition("floor", 4) in range(4)
    assert channel_partition("floor", 4) == channel_partition("floor", 4)


def test_the_first_acknowledgement_counts_in_any_order() -> None:
    first, second = AlertAction("a", "l1", 100, "k1"), AlertAction("a", "l1", 200, "k2")

    one = Acknowledgement().after(first).after(second)
    other = Acknowledgement().after(second).after(first).after(second)

    assert one == other == Acknowledgement(100, "k1", None)


def test_the_snooze_that_lasts_longest_counts_in_any_order() -> None:
    short, long = AlertAction("a", "l1", 100, None, 500), AlertAction("a", "l1", 200, None, 900)

    assert Acknowledgement().after(short).after(long) == Acknowledgement().after(long).after(short)
    assert Acknowledgement().after(short).after(long).snoozed_until == 900
