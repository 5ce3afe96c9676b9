"""Build the table calls: one row per call, with columns derived from its values, its messages and its legs."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import msgspec
import polars as pl
import pyarrow as pa

from pipelines.dictionary.schemas import arrow_schema
from pipelines.flatten.columns import (
    cost_per_minute,
    personal_columns,
    seconds_between,
    text_fields,
    values_as_sent,
)
from pipelines.flatten.decode import OBJECT_PATHS, Analysis, Call, Chunk
from pipelines.flatten.issues import INVALID, MISSING, UNKNOWN, Note, Problem
from pipelines.flatten.settings import FlattenSettings
from pipelines.flatten.source import source_at

_TEXTS, _ANALYSIS_TEXTS = text_fields(Call), text_fields(Analysis)
_SENT = {field.name: field.encode_name for field in msgspec.structs.fields(Call)}
_NOT_REACHED = ("no_answer", "busy", "canceled", "voicemail")
_NOT_TERMINAL = ("in_progress", "unknown")
_ABSENT = (b"", b"null")


def calls_table(chunk: Chunk, counts: pl.DataFrame, legs: pa.Table, settings: FlattenSettings) -> pa.Table:
    """Return the rows of calls for a chunk.

    Args:
        chunk: The calls.
        counts: message_count and the counts of messages and words, one row per call.
        legs: The legs listed for these calls on their own day.
        settings: The settings that shape the table.
    """
    calls = chunk.calls
    columns = _texts(calls)
    columns["call_id"] = pa.array([call.id for call in calls], pa.string())
    columns |= values_as_sent(Call, calls, lambda name: _note(chunk, name))
    if columns["created_at"].null_count:
        _note_missing_created_at(chunk)
    _note_wrong_objects(chunk)
    columns |= {
        name: pa.array([getattr(call.analysis, name, None) for call in calls], pa.string()) for name in _ANALYSIS_TEXTS
    }
    columns |= {name: pa.array(sources, pa.binary()).cast(pa.string()) for name, sources in chunk.objects.items()}
    columns["outcome"] = _outcomes(chunk, settings)
    columns["cost_per_minute"] = cost_per_minute(columns["cost"], columns["duration_seconds"])
    columns |= personal_columns(columns["customer_number"], columns["recording_url"], settings)
    columns |= {name: chunk.landed[name].combine_chunks() for name in chunk.landed.column_names if name != "call_id"}
    columns |= _arrow(counts)
    columns |= _arrow(_derived(columns, legs, settings.timezone))
    schema = arrow_schema("calls")
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema)


def _texts(calls: Sequence[Call]) -> dict[str, pa.Array]:
    """Return the text columns as sent. Reading all fields of a call at once takes a third less time than one by one."""
    rows = map(attrgetter(*_TEXTS), calls)
    values = zip(*rows, strict=True) if calls else [()] * len(_TEXTS)
    return {name: pa.array(texts, pa.string()) for name, texts in zip(_TEXTS, values, strict=True)}


def _note(chunk: Chunk, column: str) -> Note:
    return chunk.note("calls", column, lambda row: (row, (_SENT[column],)))


def _arrow(frame: pl.DataFrame) -> dict[str, pa.Array]:
    return {name: frame[name].to_arrow() for name in frame.columns}


def _derived(columns: dict[str, pa.Array], legs: pa.Table, timezone: str) -> pl.DataFrame:
    """Return the columns that are calculated from others."""
    names = ("call_id", "outcome", "duration_seconds", "parent_call_id", "transfer_type", "started_at")
    frame = pl.DataFrame({name: columns[name] for name in names})
    by_call = (
        pl.DataFrame(legs.select(["call_id", "started_at"]))
        .group_by("call_id")
        .agg(transfer_leg_count=pl.len().cast(pl.Int64), first_leg=pl.col("started_at").min())
    )
    frame = frame.join(by_call, on="call_id", how="left", maintain_order="left")
    to_first_leg = seconds_between(columns["started_at"], frame["first_leg"].to_arrow())
    terminal = ~pl.col("outcome").is_in(_NOT_TERMINAL)
    talked = (pl.col("duration_seconds") > 0).fill_null(value=False) & ~pl.col("outcome").is_in(_NOT_REACHED)
    return (
        frame.with_columns(
            pl.col("transfer_leg_count").fill_null(0),
            is_root=pl.col("parent_call_id").is_null(),
            is_terminal=terminal,
            seconds_to_transfer=pl.Series(to_first_leg),
            started_at_local=pl.col("started_at").dt.convert_time_zone(timezone).dt.replace_time_zone(None),
        )
        .with_columns(
            is_transferred=(pl.col("transfer_leg_count") > 0) | pl.col("transfer_type").is_not_null(),
            seconds_to_transfer=pl.when(pl.col("seconds_to_transfer") >= 0).then("seconds_to_transfer"),
        )
        .with_columns(is_connected=pl.col("is_transferred") | talked)
        .select(
            "is_root",
            "is_terminal",
            "is_transferred",
            "is_connected",
            "transfer_leg_count",
            "seconds_to_transfer",
            "started_at_local",
            is_contained=pl.col("is_connected") & pl.col("is_terminal") & ~pl.col("is_transferred"),
        )
    )


def _outcomes(chunk: Chunk, settings: FlattenSettings) -> pa.Array:
    """Return the outcome of each call, and record status words that are in no map."""
    known: dict[tuple[str | None, str | None], tuple[str, bool]] = {}
    outcomes = []
    for row, call in enumerate(chunk.calls):
        words = (call.status, call.ended_reason)
        if words not in known:
            is_unknown = call.status is not None and not settings.outcomes.knows_status(call.status)
            known[words] = (settings.outcomes.outcome(*words), is_unknown)
        outcome, is_unknown = known[words]
        outcomes.append(outcome)
        if is_unknown:
            message = "a word that is in no map"
            chunk.issues.add(chunk.origin(row), Problem("calls", "status", ("status",), UNKNOWN, message))
    return pa.array(outcomes, pa.string())


def _note_wrong_objects(chunk: Chunk) -> None:
    """Record values of free-form fields that are not objects: strict decoding accepts any value there."""
    for column, steps in OBJECT_PATHS.items():
        for row, source in enumerate(chunk.sources[column]):
            if source not in _ABSENT and not source.startswith(b"{"):
                chunk.issues.add(chunk.origin(row), Problem("calls", column, steps, INVALID, "no object; left out"))


def _note_missing_created_at(chunk: Chunk) -> None:
    for row, call in enumerate(chunk.calls):
        if call.created_at is None and source_at(chunk.payloads[row], ("createdAt",)) in (None, "null"):
            message = "missing; the call is placed by startedAt"
            chunk.issues.add(chunk.origin(row), Problem("calls", "created_at", ("createdAt",), MISSING, message))
