"""How the streams of CRMs' events are, as the topic `stream-positions` says: the subscriptions of their connections.

Owns what counts as alive. Who reads a stream writes down how far it is within seconds, and whenever the vendor says
that nothing has happened: one that has written nothing for longer than a vendor is silent is not there.
"""

from collections.abc import Mapping, Sequence

from processor.transport.fetched import Fetched
from schemas.config import Config
from schemas.connection_states import SubscriptionState
from schemas.connectors.salesforce.connector import SalesforceConnection
from schemas.instants import MINUTE
from schemas.stream_positions import StreamPosition, decode_position, in_position_key
from schemas.topics import FENCE

ACTIVE = "active"
MISSING = "missing"
SILENT = "silent"
SILENT_AFTER = 10 * MINUTE


class Streams:
    """Those of a configuration. `apply` hears of the topic; `subscription` is asked for each connection."""

    def __init__(self, config: Config) -> None:
        self._channels: Mapping[str, Sequence[str]] = {
            name: list(connection.stream.topics)
            for name, connection in config.connections.items()
            if isinstance(connection, SalesforceConnection) and connection.stream is not None
        }
        self._positions: dict[tuple[str, str], StreamPosition] = {}

    def __bool__(self) -> bool:
        return bool(self._channels)

    def apply(self, _partition: int, records: Sequence[Fetched]) -> None:
        """Take what lies in the topic."""
        for record in records:
            if record.key is None or record.key == FENCE:
                continue
            place = in_position_key(record.key)
            if record.value is None:
                self._positions.pop(place, None)
            else:
                self._positions[place] = decode_position(record.value)

    def subscription(self, connection: str, now: int) -> SubscriptionState | None:
        """Of several channels the worst; None: the connection has none. Nothing ends by itself while it is read."""
        channels = self._channels.get(connection)
        if channels is None:
            return None
        states = (self._state(self._positions.get((connection, channel)), now) for channel in channels)
        return SubscriptionState(next((state for state in states if state != ACTIVE), ACTIVE))

    def _state(self, position: StreamPosition | None, now: int) -> str:
        if position is None:
            return MISSING
        return position.problem or (ACTIVE if now - position.at < SILENT_AFTER else SILENT)
