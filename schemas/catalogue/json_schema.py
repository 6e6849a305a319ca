"""The JSON Schema of `metrics.yaml`, for editors: made from the models that read it.

Owns what the models do not say: that entries stand under names, and how a `where` is written.
"""

from typing import Any

from schemas.catalogue import TYPES
from schemas.catalogue.defined import QUIET_AFTER
from schemas.catalogue.reading import NAME, MetricsFile
from schemas.catalogue.versions import WITHOUT
from schemas.instants import DAY

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_WHERE: dict[str, Any] = {
    "type": "object",
    "description": "field: value, field: [values], field: {at_least: n}, {below: n}, {is_set: true}; all must hold.",
    "properties": {
        "not": {"$ref": "#/$defs/where"},
        "any": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/where"}},
    },
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "boolean", "number"]},
            {"type": "array", "minItems": 1, "items": {"type": ["string", "boolean", "number"]}},
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {
                    "at_least": {"type": ["string", "number"]},
                    "below": {"type": ["string", "number"]},
                    "is_set": {"type": "boolean"},
                },
            },
        ]
    },
}


def json_schema() -> dict[str, Any]:
    """The schema of a whole file."""
    definitions: dict[str, Any] = {"where": _WHERE}
    whole = _without_titles(MetricsFile.model_json_schema(by_alias=True))
    whole["properties"]["quiet_after"]["default"] = f"{QUIET_AFTER // DAY}d"
    definitions |= whole.pop("$defs", {})
    entries = []
    for name, kind in TYPES.items():
        made = _without_titles(kind.model_json_schema(by_alias=True))
        definitions |= made.pop("$defs", {})
        made["required"] = [field for field in made.get("required", ()) if field not in {"label", "description"}]
        definitions[name] = made if name in WITHOUT else _with_versions(made)
        entries.append({"$ref": f"#/$defs/{name}"})
    whole["properties"]["metrics"] |= {
        "additionalProperties": {"anyOf": [{"const": False}, *entries]},
        "propertyNames": {"pattern": f"^{NAME.pattern.removesuffix('Z').removesuffix(chr(92))}$"},
    }
    whole["properties"]["dimensions"]["propertyNames"] = whole["properties"]["metrics"]["propertyNames"]
    return {"$schema": _DIALECT, "title": "metrics.yaml of floorcast", **whole, "$defs": _with_where(definitions)}


def _with_versions(made: dict[str, Any]) -> dict[str, Any]:
    """An entry, or one of which each version has what it does not have in common with the others."""
    own = {"since": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}, "note": {"type": "string"}}
    version = {"type": "object", "additionalProperties": False, "properties": {**own, **made["properties"]}}
    versions = {"type": "array", "minItems": 1, "items": version}
    whole = {**made, "properties": {**made["properties"], "versions": versions}}
    return {**whole, "anyOf": [{"required": whole.pop("required")}, {"required": ["versions"]}]}


def _without_titles(part: Any) -> Any:
    """Pydantic names each field a second time."""
    if isinstance(part, dict):
        return {
            name: _without_titles(inner)
            for name, inner in part.items()
            if not (name == "title" and isinstance(inner, str))
        }
    return [_without_titles(inner) for inner in part] if isinstance(part, list) else part


def _with_where(part: Any) -> Any:
    """The same with what is said of conditions, wherever one may stand."""
    if isinstance(part, list):
        return [_with_where(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    found = {name: _with_where(inner) for name, inner in part.items()}
    for name in found.get("properties", {}).keys() & {"where", "to", "failed"}:
        found["properties"][name] = {"$ref": "#/$defs/where"}
    return found
