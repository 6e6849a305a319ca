"""The log of a worker and of what runs beside it: one JSON object a line on stderr, ours and the libraries' alike.

Personal data and secrets never get there: events name ids, reasons and counts.
"""

import logging
import sys

import structlog

from schemas.log_rate import LogRate
from schemas.refusals import tell_person


def configure_logging() -> None:
    """Send everything to stderr as JSON lines."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(LogRate())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # A line per fetch, reconnect or request: none tells an operator anything, and an address may name a person.
    for noisy in ("aiokafka", "kafka", "faust", "mode", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def refuse(command: str, code: int, *lines: str) -> int:
    """Say why a process does not run: at a terminal a line each, and always as the last line of the log; the code."""
    for line in lines:
        tell_person(f"floorcast {command}: {line}")
    structlog.get_logger().critical("process.ended", code=int(code), why="; ".join(lines))
    return code
