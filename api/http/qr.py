"""A QR code as a page draws it. The page has it among its settings: no picture has to be asked for."""

from typing import Any

import segno


def qr_code(address: str) -> dict[str, Any]:
    """The address, how many squares the code has at each side, and its dark ones as lines of an SVG path."""
    rows = segno.make_qr(address, error="m").matrix
    squares = (f"M{x} {y}.5h1" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    return {"address": address, "size": len(rows), "path": "".join(squares)}
