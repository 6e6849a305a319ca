"""The log of the process: JSON lines on stderr, of ours and of the libraries."""

import logging
import sys

import structlog

from api.http.request_log import add_request
from schemas.log_rate import LogRate


def configure_logs() -> None:
    """JSON lines on stderr, of ours and of the libraries."""
    shared: list[structlog.typing.Processor] = [
        add_request,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rate = LogRate()
    structlog.configure(
        processors=[rate, *shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(rate)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # uvicorn warns of each malformed request, aiokafka of each try to reach a broker that is away.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
