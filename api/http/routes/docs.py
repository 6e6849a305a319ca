"""`/docs`: the API's documentation in the browser, from files of this machine alone.

FastAPI's own page loads its script from elsewhere and carries an inline script, which the content security policy
forbids. Here everything comes from this process.
"""

from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

router = APIRouter(include_in_schema=False)

# Swagger UI sets style attributes and has its icons in data URLs; its scripts are files like all others.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>floorcast API</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
  <script src="/docs/swagger-ui-bundle.js" defer></script>
  <script src="/docs/start.js" defer></script>
</head>
<body><div id="docs"></div></body>
</html>
"""

_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  layout: "BaseLayout",
  validatorUrl: null,
});
"""

_ASSETS = {"start.js": "text/javascript", "swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}


@router.get("/docs")
async def page() -> Response:
    """The page."""
    return Response(_PAGE, media_type="text/html", headers={"content-security-policy": _POLICY})


@router.get("/docs/start.js")
@router.get("/docs/swagger-ui-bundle.js")
@router.get("/docs/swagger-ui.css")
def asset(request: Request) -> Response:
    """What the page loads: Swagger UI itself, its looks, and what starts it."""
    name = request.url.path.rpartition("/")[2]
    content = _START if name == "start.js" else files("fastapi_swagger").joinpath("resources", name).read_bytes()
    return Response(content, media_type=_ASSETS[name], headers={"cache-control": "public, max-age=86400"})
