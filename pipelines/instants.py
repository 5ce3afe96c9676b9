"""One reading of the API's timestamps, shared by everything that places or shows a call in time."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_instant(text: str) -> tuple[datetime | None, bool]:
    """Read an ISO 8601 timestamp as an instant.

    Args:
        text: A timestamp such as `2019-08-24T14:15:22Z`, `...22.123+05:30` or, without a zone, `2019-08-24T14:15:22`.

    Returns:
        The instant in UTC with microseconds, or None where the text is no timestamp; and whether the text named its
        zone. Text without a zone is read as UTC.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC), False
        return moment.astimezone(UTC), True
    except (ValueError, OverflowError):
        return None, True
