"""Is this process alive, and does it do what it is there for? For supervisors, load balancers and `floorcast up`."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api.http.description import problems
from api.http.errors import InvalidParameterError, UnavailableError
from api.readiness import Readiness
from api.settings import Role

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Whether the process answers at all")
async def livez() -> dict[str, str]:
    """200 as long as the event loop turns."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    summary="Whether webhooks are taken and the numbers are up to date",
    responses=problems(InvalidParameterError, UnavailableError),
)
async def readyz(request: Request, role: Role | None = None) -> Response:
    """200 when ready; 503 with what is missing. `role=ingest` asks for the webhooks alone."""
    own: Role = request.app.state.settings.role
    asked = own if role is None else role
    if own not in ("all", asked):
        raise UnavailableError(detail=f"this process has the role {own}")
    readiness: Readiness = request.app.state.readiness
    missing = readiness.problems(asked)
    if missing:
        raise UnavailableError("; ".join(missing), retry_after=1)
    return JSONResponse({"status": "ready"}, headers={"cache-control": "no-store"})
