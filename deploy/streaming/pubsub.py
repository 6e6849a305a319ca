"""Salesforce's Pub/Sub API: one channel of gRPC, its subscriptions and schemas.

Owns the calls, the token (renewed once for all subscriptions) and what a refusal means. Does not know what is in an
event, nor where a subscription is to begin.
https://developer.salesforce.com/docs/platform/pub-sub-api/guide/pub-sub-features.html
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self, TypeAlias

import grpc
import structlog

from deploy.streaming import pubsub_api_pb2 as api
from deploy.streaming.events import Received
from schemas.connectors.salesforce.token import AccessToken

log = structlog.get_logger("stream")

AT_ONCE = 100
"""Events that may be under way: the vendor cuts more to this."""
ASK_BELOW = 50
"""More are asked for once fewer than these are still to come."""
SILENCE_SECONDS = 300.0
"""The vendor says something within 270 s, if only that there is nothing: after more than that the stream is dead."""
CALL_SECONDS = 30.0
MOST_BYTES = 8 << 20
"""Of one answer. The vendor's limit is 4 MiB."""
_SERVICE = "/eventbus.v1.PubSub/"
_OPTIONS = [
    ("grpc.max_receive_message_length", MOST_BYTES),
    # A way through firewalls that forget quiet connections.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
]

LogIn = Callable[[], Awaitable[AccessToken]]
"""Asks for a new token. Raises PubSubError."""
_Metadata: TypeAlias = tuple[tuple[str, str], ...]


class PubSubError(Exception):
    """The stream cannot go on. `reason`: `unreachable`, `credentials`, `forbidden`, `limit`, `refused`, `position`.

    `position`: the vendor does not know the place any more that the subscription was to begin at.
    """

    def __init__(self, *, reason: str, problem: str) -> None:
        self.reason = reason
        super().__init__(problem)


class PubSub:
    """One organisation. Use as an async context manager."""

    def __init__(
        self, endpoint: str, *, tls: bool, organization: str, log_in: LogIn, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        """`organization`: its id in 18 characters."""
        self._organization = organization
        self._log_in = log_in
        self._silence = silence_seconds
        self._access: AccessToken | None = None
        self._logging_in = asyncio.Lock()
        self._channel = (
            grpc.aio.secure_channel(endpoint, grpc.ssl_channel_credentials(), options=_OPTIONS)
            if tls
            else grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
        )
        self._schema = self._channel.unary_unary(
            _SERVICE + "GetSchema",
            request_serializer=api.SchemaRequest.SerializeToString,
            response_deserializer=api.SchemaInfo.FromString,
        )
        self._subscribe = self._channel.stream_stream(
            _SERVICE + "Subscribe",
            request_serializer=api.FetchRequest.SerializeToString,
            response_deserializer=api.FetchResponse.FromString,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._channel.close()

    async def schema(self, id: str) -> str:
        """The schema of that id, as JSON. Raises PubSubError."""
        access = await self._access_now()
        try:
            answer = await self._schema(
                api.SchemaRequest(schema_id=id), metadata=self._metadata(access), timeout=CALL_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise await self._meant(error, access) from None
        return str(answer.schema_json)

    async def subscribe(self, channel: str, after: bytes) -> "ChannelSubscription":
        """All that comes on a channel after that place; empty: all that the vendor still has. Raises PubSubError."""
        access = await self._access_now()
        call = self._subscribe(metadata=self._metadata(access))
        first = api.FetchRequest(
            topic_name=channel,
            replay_preset=api.ReplayPreset.CUSTOM if after else api.ReplayPreset.EARLIEST,
            replay_id=after,
            num_requested=AT_ONCE,
        )
        subscription = ChannelSubscription(self, call, access, self._silence)
        try:
            await subscription.ask(first)
        except BaseException:
            subscription.cancel()
            raise
        return subscription

    async def _access_now(self) -> AccessToken:
        async with self._logging_in:
            if self._access is None:
                self._access = await self._log_in()
            return self._access

    def _metadata(self, access: AccessToken) -> _Metadata:
        return (
            ("accesstoken", access.token), ("instanceurl", access.instance_url), ("tenantid", self._organization),
        )  # fmt: skip

    async def _meant(self, error: grpc.aio.AioRpcError, access: AccessToken) -> PubSubError:
        """What a refusal means. A token that is not taken is forgotten: the next call asks for another one."""
        code, word = error.code(), _in_trailer(error, "error-code")
        log.info("stream.refused", status=code.name, code=word, rpc=_in_trailer(error, "rpc-id"))
        if code is grpc.StatusCode.UNAUTHENTICATED or ".auth" in word:
            if self._access is access:
                self._access = None
            return PubSubError(reason="credentials", problem="the token is not taken")
        if "replayid" in word:
            return PubSubError(reason="position", problem="the place to go on from is not known any more")
        return PubSubError(reason=_REASONS.get(code, "refused"), problem=f"{code.name}{f' ({word})' if word else ''}")


class ChannelSubscription:
    """One channel, read in order."""

    def __init__(self, pubsub: PubSub, call: grpc.aio.StreamStreamCall, access: AccessToken, silence: float) -> None:  # type: ignore[type-arg]
        self._pubsub = pubsub
        self._call = call
        self._access = access
        self._silence = silence

    async def ask(self, request: api.FetchRequest) -> None:
        """Send a request. Raises PubSubError."""
        try:
            await asyncio.wait_for(self._call.write(request), CALL_SECONDS)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError) as error:
            raise await self._failed(error) from None

    async def read(self) -> tuple[list[Received], bytes, int]:
        """The next events, how far they go, and how many are still to come of those asked for. Raises PubSubError.

        No events: nothing has happened up to there.
        """
        try:
            answer = await asyncio.wait_for(self._call.read(), self._silence)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError) as error:
            raise await self._failed(error) from None
        if not isinstance(answer, api.FetchResponse):  # the end of the stream
            raise await self._failed(None)
        events = [Received(each.replay_id, each.event.schema_id, each.event.payload) for each in answer.events]
        return events, answer.latest_replay_id, answer.pending_num_requested

    async def ask_for(self, count: int) -> None:
        """Let so many more events come. Raises PubSubError."""
        await self.ask(api.FetchRequest(num_requested=count))

    def cancel(self) -> None:
        """End it."""
        self._call.cancel()

    async def _failed(self, error: BaseException | None) -> PubSubError:
        if isinstance(error, TimeoutError):
            self._call.cancel()
            return PubSubError(reason="unreachable", problem="says nothing any more")
        if isinstance(error, grpc.aio.AioRpcError):
            return await self._pubsub._meant(error, self._access)
        code = await self._call.code()
        if code is grpc.StatusCode.OK:
            return PubSubError(reason="unreachable", problem="has ended the stream")
        told = grpc.aio.AioRpcError(
            code, await self._call.initial_metadata(), await self._call.trailing_metadata(), details=None
        )
        return await self._pubsub._meant(told, self._access)


_REASONS = {
    grpc.StatusCode.UNAVAILABLE: "unreachable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "unreachable",
    grpc.StatusCode.CANCELLED: "unreachable",
    grpc.StatusCode.INTERNAL: "unreachable",
    grpc.StatusCode.UNKNOWN: "unreachable",
    grpc.StatusCode.PERMISSION_DENIED: "forbidden",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "limit",
}


def _in_trailer(error: grpc.aio.AioRpcError, name: str) -> str:
    for key, value in error.trailing_metadata() or ():
        if key == name:
            text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
            return text[:200] if text.isprintable() else ""
    return ""
