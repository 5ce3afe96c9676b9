"""What calls and legs derive alike from their values, and the settings that shape it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.flatten.numbers import Customers
from pipelines.flatten.outcomes import OutcomeMaps


@dataclass(frozen=True)
class Shape:
    """The settings that shape the tables.

    Attributes:
        timezone: IANA zone of local times.
        mask: Whether numbers are masked and recordings dropped.
        outcomes: What the API's words mean.
        customers: The pseudonyms of numbers.
    """

    timezone: str
    mask: bool
    outcomes: OutcomeMaps
    customers: Customers


def seconds_between(begin: pa.Array, end: pa.Array) -> pa.Array:
    """Return the seconds from one column of instants to another, as Float64."""
    # Not safe: beyond 285 years a float does not hold every microsecond, which is no reason to fail.
    return pc.divide(pc.subtract(end, begin).cast(pa.int64()).cast(pa.float64(), safe=False), 1e6)


def cost_per_minute(cost: pa.Array, seconds: pa.Array) -> pa.Array:
    """Return cost / (seconds / 60) of each row, null where either is null, or there is no finite quotient."""
    missing = pa.scalar(None, pa.float64())
    quotient = pc.divide(cost, pc.divide(pc.if_else(pc.greater(seconds, 0.0), seconds, missing), 60.0))
    return pc.if_else(pc.is_finite(quotient), quotient, missing)


def personal_columns(numbers: pa.Array, recordings: pa.Array, shape: Shape) -> dict[str, pa.Array]:
    """Return the columns of a customer's number and of a recording, masked where the settings say so."""
    customers = shape.customers.look_up(numbers.to_pylist())
    has_recording = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(recordings), ""), fill_value=False)
    return {
        "customer_key": pa.array([key for key, _ in customers], pa.string()),
        "customer_number": pa.array([masked for _, masked in customers], pa.string()) if shape.mask else numbers,
        "has_recording": has_recording,
        "recording_url": pa.nulls(len(recordings), pa.string()) if shape.mask else recordings,
    }
