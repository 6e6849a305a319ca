"""Brings single settings of topics in line with the catalogue, and says what each of that does.

Owns which settings may be altered, the words for it, and the request. Does not look for differences and does not decide
whether they are altered (administration.py).

aiokafka 0.14.0 offers AlterConfigs alone, which replaces all settings of a topic: what an operator has set beside ours
would be gone. So the request that alters only what it names is spelled out here. Private names used:
`aiokafka.protocol`, `AIOKafkaAdminClient._send_request`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

from processor.transport.rights import raise_missing_right

NEVER_ALTERED = frozenset({"cleanup.policy"})
"""A wrong one may have deleted what is not there to be read again, or kept what had to go: somebody has to look."""

_SET = 0
_NO_LIMIT = "-1"
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, order=True)
class SettingDifference:
    """A setting of a topic that is not the catalogue's."""

    topic: str
    setting: str
    held: str | None
    wanted: str

    @property
    def can_be_altered(self) -> bool:
        return self.setting not in NEVER_ALTERED

    def __str__(self) -> str:
        """As a problem."""
        return f"topic {self.topic}: {self.setting} is {self.held}, wanted {self.wanted}"

    def altered(self) -> str:
        """As what was done about it, with what that does to the messages there are."""
        return f"topic {self.topic}: {self.setting} is now {self.wanted}, was {self.held}{self._effect()}"

    def _effect(self) -> str:
        match self.setting, self.held:
            case "retention.ms", str(held):
                kept = f"{int(self.wanted) / _DAY_MS:g} days"
                if held == _NO_LIMIT or int(held) > int(self.wanted):
                    return f" - Kafka deletes what is older than {kept}"
                return f" - Kafka keeps {kept} from now on; what it has deleted does not come back"
            case "retention.bytes", _:
                return " - Kafka deletes nothing for its size any more; what it has deleted does not come back"
            case _:
                return ""


async def alter(
    admin: AIOKafkaAdminClient, differences: Iterable[SettingDifference]
) -> tuple[list[SettingDifference], list[str]]:
    """Set what is wanted and leave everything else as it is: what was altered, and a problem for each topic left.

    All settings of a topic are altered or none. Raises KafkaError, TopicRightError where we may not.
    """
    by_topic = {name: list(found) for name, found in groupby(sorted(differences), lambda each: each.topic)}
    answer = await admin._send_request(_AlterRequest(by_topic))
    for code, _message, _type, name in answer.resources:
        raise_missing_right(name, code, "AlterConfigs")
    problems = [
        f"topic {name}: cannot be altered: {message or for_code(code).__name__}"
        for code, message, _type, name in answer.resources
        if code
    ]
    refused = {name for code, _message, _type, name in answer.resources if code}
    return [each for name in by_topic if name not in refused for each in by_topic[name]], problems


class _AlterResponseV0(Response):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "resources",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _AlterRequestV0(RequestStruct):  # type: ignore[misc]  # aiokafka is untyped
    """IncrementalAlterConfigs: https://kafka.apache.org/42/design/protocol/#The_Messages_IncrementalAlterConfigs."""

    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponseV0
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("config_operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterRequest(Request[_AlterRequestV0]):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 44

    def __init__(self, by_topic: Mapping[str, Sequence[SettingDifference]]) -> None:
        self._resources = [
            (ConfigResourceType.TOPIC, name, [(each.setting, _SET, each.wanted) for each in differences])
            for name, differences in by_topic.items()
        ]

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(self._resources, False)  # not only to see whether it could be done
