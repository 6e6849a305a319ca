"""The people that a command needs to know: those of `floorcast.yaml`, and those of the records in Kafka."""

from collections.abc import Collection
from contextlib import suppress

from processor.transport.following import MissingTopicError, newest_of
from processor.transport.generations import read_served
from schemas.config import Config
from schemas.kafka import Address
from schemas.people import Person, Roster
from schemas.topics import ROSTER
from schemas.windows import Calendar


async def read_people(config: Config, broker: Address, prefix: str) -> Collection[Person]:
    """All of them, as they are served. Raises KafkaError or TimeoutError where Kafka does not answer."""
    organisation = config.organisation
    roster = Roster(config, Calendar(organisation.zone, organisation.first_weekday))
    served = await read_served(broker, prefix, 1)
    with suppress(MissingTopicError):  # nobody has made any topic yet
        for key, value in (await newest_of(broker, ROSTER.full_name(prefix, served.generation))).items():
            roster.apply(key, value)
    return roster.people.values()
