"""What a process beside the stream logs: in a process of its own, for it sets up the log of all of it."""

import subprocess
import sys

_ASKS = """
import httpx
from processor.logs import configure_logging
import structlog

configure_logging()
transport = httpx.MockTransport(lambda request: httpx.Response(200))
httpx.Client(transport=transport).get("https://crm.example/search?email=ana@example.com")
structlog.get_logger().info("asked")
"""


def test_an_address_that_is_asked_is_not_logged() -> None:
    run = subprocess.run([sys.executable, "-c", _ASKS], capture_output=True, text=True, check=True)
    (line,) = run.stderr.splitlines()
    assert '"asked"' in line
