"""Salesforce's Pub/Sub API over an organisation's change events: a real server of gRPC on loopback.

Written from the documents of the Pub/Sub API: metadata of each call, replay ids that mean nothing and are kept for a
while, at most 100 events under way, an empty answer while nothing happens, errors with `error-code` in the trailer.
https://developer.salesforce.com/docs/platform/pub-sub-api/guide/flow-control.html
https://developer.salesforce.com/docs/platform/pub-sub-api/guide/handle-errors.html
"""

import hashlib
import io
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import fastavro
import grpc

from deploy.streaming import pubsub_api_pb2 as api
from tests.fakes.http import FakeServer, Request, Response

SERVICE = "eventbus.v1.PubSub"
MOST_UNDER_WAY = 100
_CORRUPT = "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted"
_AUTH = "sfdc.platform.eventbus.grpc.service.auth.error"
_TOPIC = "sfdc.platform.eventbus.grpc.topic.not.found"

HEADER_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "ChangeEventHeader",
    "fields": [
        {"name": "entityName", "type": "string"},
        {"name": "recordIds", "type": {"type": "array", "items": "string"}},
        {
            "name": "changeType",
            "type": {
                "type": "enum",
                "name": "ChangeType",
                "symbols": [
                    "CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE",
                    "GAP_UNDELETE", "GAP_OVERFLOW",
                ],
            },
        },
        {"name": "changeOrigin", "type": "string"},
        {"name": "transactionKey", "type": "string"},
        {"name": "sequenceNumber", "type": "int"},
        {"name": "commitTimestamp", "type": "long"},
        {"name": "commitNumber", "type": "long"},
        {"name": "commitUser", "type": "string"},
        {"name": "nulledFields", "type": {"type": "array", "items": "string"}},
        {"name": "diffFields", "type": {"type": "array", "items": "string"}},
        {"name": "changedFields", "type": {"type": "array", "items": "string"}},
    ],
}  # fmt: skip
_TYPES: tuple[tuple[type, Any], ...] = (
    (bool, "boolean"), (int, {"type": "long", "logicalType": "timestamp-millis"}), (float, "double"), (str, "string"),
)  # fmt: skip


def schema_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that the payload fits: every field but the header may be null."""

    def type_of(name: str, value: Any) -> Any:
        if name == "ChangeEventHeader":
            return HEADER_SCHEMA
        if isinstance(value, Mapping):
            fields = [{"name": inner, "type": type_of(inner, each)} for inner, each in value.items()]
            return ["null", {"type": "record", "name": f"Switchable_{name}", "fields": fields}]
        return ["null", *([found for kind, found in _TYPES if type(value) is kind] or ["string"])]

    entity = payload["ChangeEventHeader"]["entityName"]
    fields = [{"name": name, "type": type_of(name, value)} for name, value in payload.items()]
    return {"type": "record", "name": f"{entity}ChangeEvent", "namespace": "com.sforce.eventbus", "fields": fields}


def encoded(payload: Mapping[str, Any], schema: Mapping[str, Any]) -> bytes:
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(dict(schema)), payload)
    return written.getvalue()


@dataclass(frozen=True)
class Event:
    topic: str
    replay_id: bytes
    schema_id: str
    payload: bytes


class FakeEvents:
    """The bus of one organisation. Not told of an organisation's records: `publish` is what happens to them."""

    def __init__(self, *, organization: str, topics: tuple[str, ...], keepalive: float = 270.0) -> None:
        self.organization = organization
        self.topics = topics
        self.keepalive = keepalive
        self.tokens: set[str] = set()
        self.events: list[Event] = []
        self.schemas: dict[str, str] = {}
        self.subscriptions: list[tuple[str, int, bytes]] = []
        """(topic, preset, replay id) of each that was begun."""
        self.schema_calls: list[str] = []
        self.most_under_way = 0
        self.is_silent = False
        """Streams stay open and say nothing, not even that there is nothing."""
        self._expired = 0
        """Events before this one are not kept any more."""
        self._marks: dict[bytes, int] = {}
        """Replay id -> how many events lie up to it."""
        self._cut = 0
        self._ended = False
        self._news = threading.Condition()

    # What happens

    def publish(
        self,
        topic: str,
        payload: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        avro: bytes | None = None,
    ) -> Event:
        """`schema`: of which the payload is; else one is made for it. `avro`: in place of what the payload comes to."""
        schema = schema_of(payload) if schema is None else schema
        text = json.dumps(schema)
        id = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
        with self._news:
            self.schemas[id] = text
            event = Event(topic, secrets.token_bytes(10), id, encoded(payload, schema) if avro is None else avro)
            self.events.append(event)
            self._marks[event.replay_id] = len(self.events)
            self._news.notify_all()
        return event

    def forget(self) -> None:
        """What has happened so far is kept no longer, and no mark of it is known."""
        with self._news:
            self._expired = len(self.events)
            self._marks = {}

    def cut(self) -> None:
        """End every stream that is open."""
        with self._news:
            self._cut += 1
            self._news.notify_all()

    # What is asked

    def get_schema(self, request: api.SchemaRequest, context: grpc.ServicerContext) -> api.SchemaInfo:
        self._let_in(context)
        self.schema_calls.append(request.schema_id)
        return api.SchemaInfo(schema_json=self.schemas[request.schema_id], schema_id=request.schema_id, rpc_id="r-2")

    def subscribe(
        self, requests: Iterator[api.FetchRequest], context: grpc.ServicerContext
    ) -> Iterator[api.FetchResponse]:
        self._let_in(context)
        first = next(requests)
        if first.topic_name not in self.topics:
            _refuse(context, grpc.StatusCode.NOT_FOUND, _TOPIC)
        wanted = _Wanted(self._news, first.num_requested)
        with self._news:
            self.subscriptions.append((first.topic_name, first.replay_preset, first.replay_id))
            place, cut = self._begin(first, context), self._cut
        context.add_callback(lambda: self._wake(wanted))
        threading.Thread(target=wanted.listen, args=(requests,), daemon=True).start()
        while True:
            with self._news:
                self.most_under_way = max(self.most_under_way, wanted.count)

                def ready(place: int = place) -> bool:
                    there = any(event.topic == first.topic_name for event in self.events[place:])
                    return (
                        wanted.gone
                        or self._ended
                        or self._cut > cut
                        or (not self.is_silent and there and wanted.count > 0)
                    )

                if not self._news.wait_for(ready, self.keepalive) and self.is_silent:
                    continue
                if wanted.gone or self._ended:
                    return
                if self._cut > cut:
                    _refuse(context, grpc.StatusCode.UNAVAILABLE, "sfdc.platform.eventbus.grpc.service.unavailable")
                found: list[Event] = []
                while place < len(self.events) and len(found) < min(wanted.count, 20):
                    if self.events[place].topic == first.topic_name:
                        found.append(self.events[place])
                    place += 1
                latest = secrets.token_bytes(10) if not found else found[-1].replay_id
                self._marks[latest] = place
                wanted.count -= len(found)
                pending = wanted.count
            yield api.FetchResponse(
                events=[
                    api.ConsumerEvent(
                        event=api.ProducerEvent(
                            id=each.replay_id.hex(), schema_id=each.schema_id, payload=each.payload
                        ),
                        replay_id=each.replay_id,
                    )
                    for each in found
                ],
                latest_replay_id=latest,
                rpc_id="r-1",
                pending_num_requested=pending,
            )

    def _begin(self, first: api.FetchRequest, context: grpc.ServicerContext) -> int:
        if first.replay_preset == api.ReplayPreset.EARLIEST:
            return self._expired
        if first.replay_preset == api.ReplayPreset.LATEST:
            return len(self.events)
        if first.replay_id not in self._marks:
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, _CORRUPT)
        return self._marks[first.replay_id]

    def _let_in(self, context: grpc.ServicerContext) -> None:
        shown = dict(context.invocation_metadata())
        if shown.get("accesstoken") not in self.tokens or shown.get("tenantid") != self.organization:
            _refuse(context, grpc.StatusCode.UNAUTHENTICATED, _AUTH)
        if not str(shown.get("instanceurl", "")).startswith("http"):
            _refuse(context, grpc.StatusCode.UNAUTHENTICATED, _AUTH)

    def _wake(self, wanted: "_Wanted") -> None:
        with self._news:
            wanted.gone = True
            self._news.notify_all()

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        """Give HOST:PORT."""
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "GetSchema": grpc.unary_unary_rpc_method_handler(
                self.get_schema, api.SchemaRequest.FromString, api.SchemaInfo.SerializeToString
            ),
            "Subscribe": grpc.stream_stream_rpc_method_handler(
                self.subscribe, api.FetchRequest.FromString, api.FetchResponse.SerializeToString
            ),
        }
        pool = ThreadPoolExecutor(16)
        server = grpc.server(pool)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        self._ended = False
        try:
            yield f"127.0.0.1:{bound}"
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()
            server.stop(0.2).wait()
            pool.shutdown(wait=True)


class _Wanted:
    """How many events a subscriber has asked for and not got."""

    def __init__(self, news: threading.Condition, count: int) -> None:
        self._news = news
        self.count = min(count, MOST_UNDER_WAY)
        self.gone = False

    def listen(self, requests: Iterator[api.FetchRequest]) -> None:
        with suppress(Exception):  # the subscriber has gone away
            for request in requests:
                with self._news:
                    self.count = min(self.count + request.num_requested, MOST_UNDER_WAY)
                    self._news.notify_all()
        with self._news:
            self.gone = True
            self._news.notify_all()


def _refuse(context: grpc.ServicerContext, status: grpc.StatusCode, code: str) -> None:
    context.set_trailing_metadata((("error-code", code), ("rpc-id", "r-1")))
    context.abort(status, code)


class FakeTokens(FakeServer):
    """Where tokens are given, by client credentials."""

    def __init__(self, events: FakeEvents, *, client: tuple[str, str]) -> None:
        super().__init__()
        self._events = events
        self._client = client
        self.given = 0

    def answer(self, request: Request) -> Response:
        if (request.method, request.path) != ("POST", "/services/oauth2/token"):
            return Response(404)
        form = dict(pair.split("=", 1) for pair in request.body.decode().split("&"))
        if (form.get("client_id"), form.get("client_secret")) != self._client:
            return Response(400, {"error": "invalid_client"})
        self.given += 1
        token = f"token-{self.given}"
        self._events.tokens.add(token)
        return Response(200, {"access_token": token, "instance_url": self.url, "token_type": "Bearer"})
