"""Why an item of the API could not be placed: said from the item alone, so that a rebuild says the same."""

from __future__ import annotations

from pipelines.flatten.source import members, value_of
from pipelines.instants import parse_instant
from pipelines.json_source import decode


def why_rejected(payload: str) -> str:
    """Return the reason in words, without anything of the item's content."""
    try:
        value = decode(payload.encode("utf-8", "replace"))
    except ValueError:
        return "no JSON; kept in raw/rejected"
    if not isinstance(value, dict):
        return "no object; kept in raw/rejected"
    fields = members(payload)
    if not _is_usable_id(fields.get("id")):
        return "no usable id; kept in raw/rejected"
    moments = (value.get(name) for name in ("createdAt", "startedAt"))
    if not any(isinstance(moment, str) and parse_instant(moment)[0] for moment in moments):
        return "no usable createdAt or startedAt; kept in raw/rejected"
    return "a date before CHORUS_START_DATE or after tomorrow; kept in raw/rejected"


def _is_usable_id(source: str | None) -> bool:
    if source is None:
        return False
    if source.startswith('"'):
        return bool(str(value_of(source)).strip())
    return source in {"true", "false"} or source.removeprefix("-")[:1].isdigit()
