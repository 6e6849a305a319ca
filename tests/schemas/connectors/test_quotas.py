"""What vendors say in headers of how much of what may be asked is used."""

import pytest

from schemas.connection_states import LimitsState
from schemas.connectors.quotas import DailyQuota, day_told, limits_told

NOW = 1_000_000_000
HUBSPOT = {"x-hubspot-ratelimit-max": "190", "x-hubspot-ratelimit-remaining": "180"}
AIRCALL = {"x-aircallapi-limit": "60", "x-aircallapi-remaining": "59"}
PIPEDRIVE = {
    "x-ratelimit-limit": "80",
    "x-ratelimit-remaining": "65",
    "x-ratelimit-reset": "2",
    "x-daily-requests-left": "29000",
}


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (HUBSPOT, LimitsState(10, 190)),
        (
            HUBSPOT | {"x-hubspot-ratelimit-daily": "250000", "x-hubspot-ratelimit-daily-remaining": "248800"},
            LimitsState(1200, 250_000),
        ),
        ({"sforce-limit-info": "api-usage=18/5000"}, LimitsState(18, 5000)),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, LimitsState(50, 100, NOW + 5_000_000)),
        ({"x-hubspot-ratelimit-max": "190"}, None),
        ({"x-hubspot-ratelimit-max": "many", "x-hubspot-ratelimit-remaining": "none"}, None),
        ({"sforce-limit-info": "per-app-api-usage"}, None),
        ({}, None),
        (AIRCALL, LimitsState(1, 60)),
        (AIRCALL | {"x-aircallapi-reset": "1700000000"}, LimitsState(1, 60, 1_700_000_000_000_000)),
        (PIPEDRIVE, LimitsState(15, 80, NOW + 2_000_000)),
        (PIPEDRIVE | {"x-ratelimit-reset": "1700000000"}, LimitsState(15, 80)),
        ({"x-daily-requests-left": "29000"}, None),
        ({"x-api-credits-remaining": "40000"}, None),
    ],
)
def test_what_headers_say(headers: dict[str, str], told: LimitsState | None) -> None:
    assert limits_told(headers, NOW) == told


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (PIPEDRIVE, LimitsState(1000, 30_000)),
        ({"x-api-credits-remaining": "12000"}, LimitsState(18_000, 30_000)),
        ({"x-api-credits-remaining": "31000"}, LimitsState(0, 30_000)),
        ({"sforce-limit-info": "api-usage=18/5000"}, LimitsState(18, 5000)),
        ({}, None),
    ],
)
def test_where_only_the_rest_of_a_day_is_told_the_settings_say_how_much_it_has(
    headers: dict[str, str], told: LimitsState | None
) -> None:
    assert limits_told(headers, NOW, 30_000) == told


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-hubspot-ratelimit-daily": "250000", "x-hubspot-ratelimit-daily-remaining": "7"}, DailyQuota(7, 250_000)),
        ({"sforce-limit-info": "api-usage=5001/5000"}, DailyQuota(0, 5000)),
        (PIPEDRIVE, DailyQuota(29_000, None)),
        ({"x-api-credits-remaining": "12000"}, DailyQuota(12_000, None)),
        (HUBSPOT, None),
        (AIRCALL, None),
    ],
)
def test_what_is_left_of_a_day(headers: dict[str, str], told: DailyQuota | None) -> None:
    assert day_told(headers) == told
