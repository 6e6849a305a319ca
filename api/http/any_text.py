"""A part of an address that is any text: ids and names are as their senders write them, with slashes and line breaks.

Owns the convertor `text` of routes. Starlette's `path` ends at a line break, so a team of such a name had no address.
"""

from starlette.convertors import StringConvertor, register_url_convertor

NAME = "text"


class AnyText(StringConvertor):
    """Whatever stands there."""

    regex = r"[\s\S]*"


def register() -> None:
    """Make the convertor known; before the first route that has it."""
    register_url_convertor(NAME, AnyText())
