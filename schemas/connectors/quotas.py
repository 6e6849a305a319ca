"""How much of what may be asked a vendor says is used: read off the headers of its answers.

Owns the names of those headers. What a plan has in all is told by few; what is not told is not made up.
"""

import re
from collections.abc import Mapping

from schemas.connection_states import Limits
from schemas.instants import SECOND

_SALESFORCE = re.compile(r"api-usage=(\d{1,12})/(\d{1,12})")
_CLOSE = re.compile(r"limit=(\d{1,9}), *remaining=(\d{1,9}), *reset=(\d{1,6}(?:\.\d{1,6})?)")


def limits_told(headers: Mapping[str, str], now: int) -> Limits | None:
    """By the headers of an answer, in lower case; None: they say nothing."""
    # https://developers.hubspot.com/docs/api/usage-details: of the day where the token has one, else of ten seconds.
    for most, left in (
        ("x-hubspot-ratelimit-daily", "x-hubspot-ratelimit-daily-remaining"),
        ("x-hubspot-ratelimit-max", "x-hubspot-ratelimit-remaining"),
    ):
        of, remaining = headers.get(most, ""), headers.get(left, "")
        if of.isdecimal() and remaining.isdecimal():
            return Limits(max(0, int(of) - int(remaining)), int(of))
    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_api_usage.htm: of 24 hours.
    found = _SALESFORCE.search(headers.get("sforce-limit-info", ""))
    if found is not None:
        return Limits(int(found[1]), int(found[2]))
    # https://developer.close.com/topics/rate-limits/
    found = _CLOSE.search(headers.get("ratelimit", ""))
    if found is not None:
        of_close = int(found[1])
        return Limits(max(0, of_close - int(found[2])), of_close, now + round(float(found[3]) * SECOND))
    return None
