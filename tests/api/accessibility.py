"""What axe finds wrong with a page: only that is fetched from the browser, as most of what it looks at is right."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_SCRIPT = Axe().axe_script
# Style sheets are fetched beforehand for a rule alone that is not among its usual ones.
_RUN = """axe.run(document, {resultTypes: ['violations'], preload: {assets: ['media']}})
    .then((found) => found.violations)"""


def violations(page: Page) -> list[dict[str, Any]]:
    """Return the rules that the page breaks as it stands there now, each with the `nodes` that do."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return found
