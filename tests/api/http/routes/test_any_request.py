"""Any request at all: no answer is a 500, and every one is as the description says."""

from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.reading import Floor
from tests.builders import change

# No folder, no keys: everybody on this machine may ask for everything.
_floor = Floor(Path("there-is-no-such-folder"))
_floor.take(
    change("lead", "l1", rep="r1", received_at="2026-03-18T14:00Z"),
    change("lead", "l2", rep="r1", received_at="2026-03-18T15:20Z"),
    change("call", "c1", rep="r1", direction="outbound", dialed_at="2026-03-18T15:00Z", lead="l2"),
)
schema = (
    schemathesis.openapi.from_asgi("/openapi.json", _floor.app)
    .include(path_regex="^/v1/|^/metrics$|^/board/")
    .exclude(path="/v1/stream")  # it does not end
)


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_description_says(case: Any) -> None:
    case.call_and_validate(
        base_url="http://127.0.0.1:8080",
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
            response_headers_conformance,
        ],
    )
