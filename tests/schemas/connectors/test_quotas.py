"""What vendors say in headers of how much of what may be asked is used."""

import pytest

from schemas.connection_states import Limits
from schemas.connectors.quotas import limits_told

NOW = 1_000_000_000
HUBSPOT = {"x-hubspot-ratelimit-max": "190", "x-hubspot-ratelimit-remaining": "180"}


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (HUBSPOT, Limits(10, 190)),
        (
            HUBSPOT | {"x-hubspot-ratelimit-daily": "250000", "x-hubspot-ratelimit-daily-remaining": "248800"},
            Limits(1200, 250_000),
        ),
        ({"sforce-limit-info": "api-usage=18/5000"}, Limits(18, 5000)),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, Limits(50, 100, NOW + 5_000_000)),
        ({"x-hubspot-ratelimit-max": "190"}, None),
        ({"x-hubspot-ratelimit-max": "many", "x-hubspot-ratelimit-remaining": "none"}, None),
        ({"sforce-limit-info": "per-app-api-usage"}, None),
        ({}, None),
    ],
)
def test_what_headers_say(headers: dict[str, str], told: Limits | None) -> None:
    assert limits_told(headers, NOW) == told
