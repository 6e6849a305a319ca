"""Endpoints that do nothing: what uvicorn, and FastAPI on it, can answer at most on this machine.

`POST /` reads the body and answers as long as a delivery's receipt is; plain ASGI, nothing of a framework before it.
`GET /framework` is the same of FastAPI, through its routing.
"""

from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

RECEIPT = b'{"delivery":"0-1000000"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(RECEIPT)).encode())]

_framework = FastAPI(docs_url=None, redoc_url=None)


@_framework.get("/framework")
async def empty() -> Response:
    """Answer."""
    return Response(RECEIPT, media_type="application/json")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] != "http" or scope["method"] != "POST":
        await _framework(scope, receive, send)
        return
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": RECEIPT})
