"""What JSON calls an object, as it is before it is written: members by name, of any kind."""

from typing import Any

Json = dict[str, Any]
