"""How much of what may be asked a vendor says is used, and how long to wait: read off the headers of its answers.

Owns the names of those headers. What a plan has in all is told by few; what is not told is not made up: where an answer
only says what is left of a day, the settings may say how much a day has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from schemas.connection_states import LimitsState
from schemas.instants import DAY, SECOND

_SALESFORCE = re.compile(r"api-usage=(\d{1,12})/(\d{1,12})")
_CLOSE = re.compile(r"limit=(\d{1,9}), *remaining=(\d{1,9}), *reset=(\d{1,6}(?:\.\d{1,6})?)")
_COUNT = re.compile(r"[0-9]{1,12}")
# https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting: of the company, until its midnight.
# https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html: of 24 hours, told once half of them is used.
_LEFT_OF_A_DAY = ("x-daily-requests-left", "x-api-credits-remaining")
_LONGEST_RESET = 10
"""Seconds. What names another number as the end of two seconds counts in something else."""


@dataclass(frozen=True, slots=True)
class DailyQuota:
    """What is left of the requests of a day, or of 24 hours."""

    left: int
    of: int | None
    """None: the vendor does not tell."""


def day_told(headers: Mapping[str, str]) -> DailyQuota | None:
    """By the headers of an answer, in lower case; None: they say nothing of a day."""
    # https://developers.hubspot.com/docs/api/usage-details
    of, left = count_in(headers, "x-hubspot-ratelimit-daily"), count_in(headers, "x-hubspot-ratelimit-daily-remaining")
    if of is not None and left is not None:
        return DailyQuota(left, of)
    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_api_usage.htm: of 24 hours.
    found = _SALESFORCE.search(headers.get("sforce-limit-info", ""))
    if found is not None:
        return DailyQuota(max(0, int(found[2]) - int(found[1])), int(found[2]))
    lefts = (count_in(headers, name) for name in _LEFT_OF_A_DAY)
    left = next((left for left in lefts if left is not None), None)
    return None if left is None else DailyQuota(left, None)


def limits_told(headers: Mapping[str, str], now: int, daily: int | None = None) -> LimitsState | None:
    """By the headers of an answer, in lower case; None: they say nothing. The limit of a day before that of a moment.

    `daily`: how much a day has by the settings, where the vendor only says what is left.
    """
    day = day_told(headers)
    of = None if day is None else day.of or daily
    if day is not None and of is not None:
        return LimitsState(max(0, of - day.left), of)
    # HubSpot's ten seconds; https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting: two seconds.
    for vendor in ("x-hubspot-ratelimit-{}", "x-ratelimit-{}"):
        told = _of_a_moment(headers, vendor.format("max"), vendor.format("remaining")) or _of_a_moment(
            headers, vendor.format("limit"), vendor.format("remaining")
        )
        if told is not None:
            reset = count_in(headers, vendor.format("reset"))
            ends = None if reset is None or reset > _LONGEST_RESET else now + reset * SECOND
            return LimitsState(*told, ends)
    # https://developer.aircall.io/api-references/#rate-limiting: of a minute, which ends at an instant (unix seconds).
    told = _of_a_moment(headers, "x-aircallapi-limit", "x-aircallapi-remaining")
    if told is not None:
        reset = count_in(headers, "x-aircallapi-reset")
        return LimitsState(*told, None if reset is None else reset * SECOND)
    # https://developer.close.com/topics/rate-limits/
    found = _CLOSE.search(headers.get("ratelimit", ""))
    if found is not None:
        of_close = int(found[1])
        return LimitsState(max(0, of_close - int(found[2])), of_close, now + round(float(found[3]) * SECOND))
    return None


def wait_told(headers: Mapping[str, str], now: int) -> float | None:
    """How many seconds `Retry-After` says to wait, a day at most; None: it says nothing that can be read.

    It is a number, or an instant by the clock of whoever answers.
    """
    told = headers.get("retry-after", "").strip()
    seconds = float(told) if _COUNT.fullmatch(told) else None
    if seconds is None and (until := instant_of_date(told)) is not None:
        said_at = instant_of_date(headers.get("date", ""))
        seconds = max(0.0, until - (now / SECOND if said_at is None else said_at))
    return None if seconds is None else min(seconds, DAY / SECOND)


def instant_of_date(text: str) -> float | None:
    """Unix seconds of a date as HTTP writes one; None: it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _of_a_moment(headers: Mapping[str, str], most: str, remaining: str) -> tuple[int, int] | None:
    """(Used, of)."""
    of, left = count_in(headers, most), count_in(headers, remaining)
    return None if of is None or left is None else (max(0, of - left), of)


def count_in(headers: Mapping[str, str], name: str) -> int | None:
    """The number that a header is; None: it is none."""
    text = headers.get(name, "").strip()
    return int(text) if _COUNT.fullmatch(text) else None
