"""What a configuration says of what counts, as plans take it.

Owns the way from `floorcast.yaml` to the rules of a plan. What they do is for schemas/catalogue to say.
"""

from decimal import Decimal

from schemas.catalogue.rules import EVER, Rules
from schemas.catalogue.versions import day_start
from schemas.config.whole import Config


def rules_of(config: Config) -> Rules:
    """The rules of a configuration."""
    zone = config.organisation.zone.key
    rates = {
        currency: tuple(
            (EVER if held.since is None else day_start(held.since, zone), *_written(held.rate)) for held in said
        )
        for currency, said in config.currency_rates.items()
    }
    rates[config.organisation.currency] = ((EVER, 1, 0),)
    name = config.organisation.calendar
    calendar = None if name is None else config.calendars[name].model_dump_json()
    return Rules(
        rates=tuple(sorted(rates.items())),
        min_talk=config.conversation.min_talk,
        calls=config.conversation.calls,
        mails=config.conversation.mails,
        meetings=config.conversation.meetings,
        credit=config.lead_response.credit,
        start=config.lead_response.start,
        stop=config.lead_response.stop,
        missed_after=config.lead_response.missed_after,
        aliases=tuple(sorted(config.aliases().items())),
        timezone=zone,
        calendar=calendar,
        pipelines=tuple(entry.stages(name, config.stage_names()) for name, entry in config.pipelines.items()),
    )


def _written(rate: Decimal) -> tuple[int, int]:
    """(number, decimal places), one form for equal rates."""
    places = 0
    while rate != rate.to_integral_value():
        rate = rate.scaleb(1)
        places += 1
    return int(rate), places
