"""Convert whole columns of measures and times, and derive values from them.

Bad values are treated the same in calls, nested legs and items that are legs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipelines.api_values import parse_instant
from pipelines.flatten.decode import INTEGER, MEASURE, TEXT, Call, Leg, is_time
from pipelines.flatten.issues import INCONSISTENT, INVALID, Note
from pipelines.flatten.settings import FlattenSettings

_INSTANT = pa.timestamp("us", "UTC")
# One day inside the limits of the calendar: a time that an offset moves across them is not valid for every reader.
_FIRST: int = pa.scalar(datetime(1, 1, 2, tzinfo=UTC), _INSTANT).value
_LAST: int = pa.scalar(datetime(9999, 12, 30, tzinfo=UTC), _INSTANT).value
_DECIMAL = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def text_fields(kind: type[Struct]) -> tuple[str, ...]:
    """Return the fields of a call, leg or analysis that are plain text: neither its id nor a time."""
    fields = msgspec.structs.fields(kind)
    return tuple(f.name for f in fields if f.type == TEXT and f.name != "id" and not is_time(f))


def values_as_sent(
    kind: type[Call | Leg], records: Sequence[Call | Leg], note: Callable[[str], Note]
) -> dict[str, pa.Array]:
    """Return the columns that are a measure, a whole number or a time as sent.

    Args:
        kind: Whose fields to take.
        records: Calls and legs that have these fields.
        note: Gives each column the function that records its bad values.
    """
    columns: dict[str, pa.Array] = {}
    for field in msgspec.structs.fields(kind):
        name, read = field.name, attrgetter(field.name)
        if field.type == MEASURE:
            columns[name] = measures([read(record) for record in records], note(name))
        elif field.type == INTEGER:
            columns[name] = pa.array([read(record) for record in records], pa.int64())
        elif is_time(field):
            columns[name] = instants([read(record) for record in records], note(name))
    return columns


def silent(position: int, kind: str, message: str) -> None:
    """Record nothing: these values were already checked when their item was decoded as a call."""


def measures(values: Sequence[float | str | None], note: Note) -> pa.DoubleArray:
    """Convert numbers and decimal texts to finite, non-negative numbers; record anything else and return null for it.

    Args:
        values: Numbers, texts and nulls as decoded.
        note: Called for each value that became null.
    """
    try:
        column = pa.array(values, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        column = pa.array([_decimal(value) for value in values], pa.float64())
        for position, (value, number) in enumerate(zip(values, column.to_pylist(), strict=True)):
            if value is not None and number is None:
                note(position, INVALID, "no decimal number; left out")
    bad = pc.or_(pc.less(column, 0.0), pc.invert(pc.is_finite(column)))
    if not pc.any(bad).as_py():
        return column
    for position, is_bad in enumerate(bad.to_pylist()):
        if is_bad:
            note(position, INVALID, "negative or not finite; left out")
    return pc.if_else(pc.fill_null(bad, fill_value=False), pa.scalar(None, pa.float64()), column)


def _decimal(value: float | str | None) -> float | None:
    if isinstance(value, str):
        return float(value) if _DECIMAL.fullmatch(value) else None
    return value


def instants(values: Sequence[str | None], note: Note) -> pa.TimestampArray:
    """Convert ISO 8601 texts to UTC instants with microseconds; record anything else and return null for it.

    Args:
        values: ISO 8601 texts and nulls.
        note: Called for each text that is not a timestamp, or has no time zone and is read as UTC.
    """
    try:
        column = pa.array(values, pa.string()).cast(_INSTANT)
    except pa.ArrowInvalid:
        return _instants_one_by_one(values, note)
    # Arrow accepts years that Python's calendar does not have.
    bounds = pc.min_max(column)
    if not bounds["min"].is_valid or (bounds["min"].value >= _FIRST and bounds["max"].value <= _LAST):
        return column
    return _instants_one_by_one(values, note)


def _instants_one_by_one(values: Sequence[str | None], note: Note) -> pa.TimestampArray:
    moments = []
    for position, value in enumerate(values):
        moment, has_zone = parse_instant(value) if value is not None else (None, True)
        if value is not None and moment is None:
            note(position, INVALID, "no timestamp; left out")
        elif not has_zone:
            note(position, INCONSISTENT, "names no time zone; read as UTC")
        moments.append(moment)
    return pa.array(moments, _INSTANT)


def seconds_between(begin: pa.Array, end: pa.Array) -> pa.Array:
    """Return the seconds from one column of instants to another, as Float64."""
    # Not a safe cast: beyond 285 years a float cannot hold every microsecond, but that must not fail the day.
    return pc.divide(pc.subtract(end, begin).cast(pa.int64()).cast(pa.float64(), safe=False), 1e6)


def cost_per_minute(cost: pa.Array, seconds: pa.Array) -> pa.Array:
    """Return cost / (seconds / 60) of each row, null if either is null or the quotient is not finite."""
    missing = pa.scalar(None, pa.float64())
    quotient = pc.divide(cost, pc.divide(pc.if_else(pc.greater(seconds, 0.0), seconds, missing), 60.0))
    return pc.if_else(pc.is_finite(quotient), quotient, missing)


def personal_columns(numbers: pa.Array, recordings: pa.Array, settings: FlattenSettings) -> dict[str, pa.Array]:
    """Return the columns of a customer's number and of a recording, masked if the settings say so."""
    customers = settings.customers.look_up(numbers.to_pylist())
    has_recording = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(recordings), ""), fill_value=False)
    return {
        "customer_key": pa.array([key for key, _ in customers], pa.string()),
        "customer_number": pa.array([masked for _, masked in customers], pa.string()) if settings.mask else numbers,
        "has_recording": has_recording,
        "recording_url": pa.nulls(len(recordings), pa.string()) if settings.mask else recordings,
    }
