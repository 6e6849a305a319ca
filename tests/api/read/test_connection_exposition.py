"""The series of connections: what hinders asking a CRM, and whether it tells."""

from api.read.connection_exposition import connection_lines
from schemas.connection_states import ConnectionState, SubscriptionState


def series(**states: ConnectionState) -> list[str]:
    return [line.removeprefix("floorcast_connection_") for line in connection_lines(states, {}) if line[0] != "#"]


def test_what_hinders_asking_is_told_by_its_reason_while_it_is_so() -> None:
    hindered = series(hub=ConnectionState(at=1, problem="credentials"), sf=ConnectionState(at=1))

    assert [line for line in hindered if "problem" in line] == ['api_problem{connection="hub",reason="credentials"} 1']
    assert not any("problem" in line for line in series(hub=ConnectionState(at=1)))


def test_a_stream_that_nobody_reads_is_not_active_and_what_tells_of_none_has_no_series() -> None:
    found = series(
        sf=ConnectionState(at=1, subscription=SubscriptionState("silent")),
        pd=ConnectionState(at=1, subscription=SubscriptionState("active", 60_000_000), is_asked=False),
        hub=ConnectionState(at=1),
    )

    assert [line for line in found if "subscription" in line] == [
        'subscription_active{connection="pd"} 1', 'subscription_active{connection="sf"} 0',
        'subscription_expires_timestamp_seconds{connection="pd"} 60.0',
    ]  # fmt: skip
