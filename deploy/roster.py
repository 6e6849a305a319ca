"""The people that a command needs to know: those of `floorcast.yaml`, and those of the records in Kafka."""

from collections.abc import Collection

from processor.transport.fetched import Fetched
from processor.transport.following import Follower, MissingTopicError
from processor.transport.generations import read_served
from schemas.config import Config
from schemas.kafka import Address
from schemas.people import Person, Roster
from schemas.topics import FENCE, ROSTER
from schemas.windows import Calendar


async def read_people(config: Config, broker: Address, prefix: str) -> Collection[Person]:
    """All of them, as they are served. Raises KafkaError or TimeoutError where Kafka does not answer."""
    organisation = config.organisation
    roster = Roster(config, Calendar(organisation.zone, organisation.first_weekday))

    def apply(_partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key is not None and record.key != FENCE:
                roster.apply(record.key, record.value)

    served = await read_served(broker, prefix, 1)
    try:
        async with Follower(broker, ROSTER.full_name(prefix, served.generation)) as follower:
            await follower.read_to(await follower.ends(), apply)
    except MissingTopicError:  # nobody has made any topic yet
        pass
    return roster.people.values()
