"""Read and write raw: every version of every call, as received."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.dictionary.schemas import raw_schema
from pipelines.lake import layout
from pipelines.lake.state import Landed, LandedDay, LandedFile, Stored
from pipelines.lake.storage import Storage

CALLS = "calls"
REJECTED = "rejected"
ROW_GROUP = 1_000
"""Rows of a row group in a raw file: what a reader of some ids unpacks at a time."""
DELETED, MOVED = "deleted", "moved"
"""Hashes of tombstones, versions without a payload: deleted at the API, or moved to another day."""

_MERGED = b"merged"

_CHUNK_SCHEMA = pa.schema(
    [
        ("call_id", pa.string()),
        ("payload", pa.string()),
        ("first_landed_at", pa.timestamp("us", "UTC")),
        ("landed_at", pa.timestamp("us", "UTC")),
        ("version_count", pa.int64()),
        ("deleted_at", pa.timestamp("us", "UTC")),
    ]
)


def write_versions(
    storage: Storage, kind: str, day: date, versions: pa.Table, name: str, *, merged: Sequence[str] = ()
) -> LandedFile:
    """Write one raw file of a day; `add_file` adds it to the landing log.

    Args:
        storage: The lake's files.
        kind: `calls` or `rejected`.
        day: The day that the versions belong to.
        versions: Rows of the raw schema in any order.
        name: The file's name without extension, unique within the day.
        merged: The names of the landed files that it is merged from; empty for a landed file.
    """
    path = layout.raw_file(kind, day, name)
    schema = raw_schema()
    if merged:
        schema = schema.with_metadata({**(schema.metadata or {}), _MERGED: json.dumps(list(merged))})
    versions = (
        versions.select(schema.names).cast(schema).sort_by([("call_id", "ascending"), ("landed_at", "ascending")])
    )
    with storage.create(path) as stream:
        pq.write_table(
            versions,
            stream,
            compression="zstd",
            compression_level=1,
            row_group_size=ROW_GROUP,
            use_dictionary=["sync_id"],
        )
    return LandedFile(rows=versions.num_rows, bytes=storage.size(path) or 0)


def add_file(day: LandedDay, kind: str, name: str, file: LandedFile) -> None:
    """Add a written file to a day of the landing log, which changes the day's digest."""
    day.digest = hashlib.sha256(f"{day.digest} {kind}/{name}".encode()).hexdigest()[:32]
    files_of(day, kind)[name] = file


def files_of(day: LandedDay, kind: str) -> dict[str, LandedFile]:
    """Return the raw files of one kind that the landing log has of a day, by name."""
    return day.calls if kind == CALLS else day.rejected


def landed_files(landed: Landed) -> Iterator[tuple[date, str, str, LandedFile]]:
    """Yield day, kind, name and record of every raw file in the landing log, sorted."""
    for day, known in sorted(landed.days.items()):
        for kind in (CALLS, REJECTED):
            for name, file in sorted(files_of(known, kind).items()):
                yield day, kind, name, file


def read_file(storage: Storage, kind: str, day: date, name: str) -> pa.Table:
    """Return all versions in one raw file."""
    return pq.read_table(_open(storage, kind, day, name))


def landed_names(schema: pa.Schema, name: str) -> list[str]:
    """Return the names under which the rows of a file have landed: its own, or those it was merged from.

    Counted in this order, they give the day's digest again.
    """
    merged = (schema.metadata or {}).get(_MERGED)
    return [name] if merged is None else json.loads(merged)


def orphan_files(storage: Storage, landed: Stored[Landed]) -> list[str]:
    """Return the raw files that are not in the landing log; none if there is no log.

    Their writer was killed before its commit, or they were merged into another file. While a sync is running, they can
    be files that it is about to add.
    """
    if landed.raw is None:
        return []
    known = {layout.raw_file(kind, day, name) for day, kind, name, _ in landed_files(landed.value)}
    return [file.path for file in storage.list(layout.RAW) if file.path not in known]


def log_is_lost(storage: Storage, landed: Stored[Landed]) -> bool:
    """Return whether the landing log is missing although something has landed."""
    if landed.raw is not None:
        return False
    # Manifest and sync state are first written after a commit of the log. All files of one flush have the same name,
    # so a crash before the first commit leaves a single name.
    names = {file.path.rpartition("/")[2] for file in storage.list(layout.RAW)}
    if storage.size(layout.MANIFEST) is not None:
        return True
    return len(names) > (0 if storage.size(layout.SCAN) is not None else 1)


def known_versions(storage: Storage, day: date, landed: LandedDay | None, kind: str = CALLS) -> pl.DataFrame:
    """Return the newest version of every call of a day: call_id, payload_hash, landed_at, deleted.

    Every rejected item has its own row, since an item without an id has no newer version.
    """
    columns = ["call_id", "payload_hash", "landed_at", "deleted"]
    frames = [
        pl.DataFrame(
            schema={
                "call_id": pl.String,
                "payload_hash": pl.String,
                "landed_at": pl.Datetime("us", "UTC"),
                "deleted": pl.Boolean,
            }
        )
    ]
    frames += [_read(pq.ParquetFile(file), columns) for file in _open_files(storage, day, landed, kind)]
    versions = pl.concat(frames)
    if kind == REJECTED:
        return versions
    return versions.sort("call_id", "landed_at", maintain_order=True).unique(
        "call_id", keep="last", maintain_order=True
    )


def payloads(storage: Storage, day: date, landed: LandedDay, call_ids: Sequence[str]) -> dict[str, str]:
    """Return the newest payload of some calls of a day; calls without one are left out."""
    wanted = pc.field("call_id").isin(pa.array(sorted(set(call_ids)), pa.string()))
    newest: dict[str, tuple[datetime, str]] = {}
    for file in _open_files(storage, day, landed, CALLS):
        for row in pq.read_table(file, columns=["call_id", "landed_at", "payload"], filters=wanted).to_pylist():
            seen = newest.get(row["call_id"])
            if row["payload"] is not None and (seen is None or seen[0] < row["landed_at"]):
                newest[row["call_id"]] = (row["landed_at"], row["payload"])
    return {call_id: payload for call_id, (_, payload) in newest.items()}


def read_day(storage: Storage, day: date, landed: LandedDay | None, chunk: int) -> Iterator[pa.Table]:
    """Read the newest payload of every call of a day in chunks; calls that moved to another day are left out.

    Yields:
        Tables of at most `chunk` rows, sorted by call_id over all of them: call_id, payload, first_landed_at,
        landed_at, version_count and deleted_at (null: not deleted).
    """
    files = [pq.ParquetFile(file) for file in _open_files(storage, day, landed, CALLS)]
    newest = _newest(files)
    for start in range(0, newest.height, chunk):
        part = newest.slice(start, chunk)
        pieces = []
        for (number,), rows in part.group_by("file", maintain_order=True):
            pieces.append(_take(files[int(number)], rows))
        yield pa.concat_tables(pieces).combine_chunks().sort_by("call_id") if len(pieces) > 1 else pieces[0]


def read_rejected(storage: Storage, day: date, landed: LandedDay | None) -> pa.Table:
    """Return the rejected items that arrived on a day: call_id, payload, landed_at."""
    columns = ["call_id", "payload", "landed_at"]
    schema = pa.schema([raw_schema().field(name).remove_metadata() for name in columns])
    tables = [pq.read_table(file, columns=columns).cast(schema) for file in _open_files(storage, day, landed, REJECTED)]
    return pa.concat_tables([schema.empty_table(), *tables]).combine_chunks()


def _newest(files: Sequence[pq.ParquetFile]) -> pl.DataFrame:
    """Return for each call the file and row of its newest payload, and a summary of its versions."""
    columns = ["call_id", "landed_at", "deleted", "payload_hash"]
    frames = [
        _read(file, columns).with_columns(file=pl.lit(number, pl.Int64)).with_row_index("row")
        for number, file in enumerate(files)
    ]
    if not frames:
        return pl.DataFrame(schema={"call_id": pl.String, "file": pl.Int64, "row": pl.UInt32})
    versions = pl.concat(frames).sort("call_id", "landed_at", maintain_order=True)
    alive = versions.filter(~pl.col("deleted"))
    gone = versions.group_by("call_id").last().filter("deleted")
    gone = gone.select("call_id", deleted_at="landed_at", moved=pl.col("payload_hash").eq_missing(MOVED))
    newest = alive.group_by("call_id", maintain_order=True).agg(
        pl.col("file").last(),
        pl.col("row").last(),
        first_landed_at=pl.col("landed_at").first(),
        landed_at=pl.col("landed_at").last(),
        version_count=pl.len().cast(pl.Int64),
    )
    newest = newest.join(gone, on="call_id", how="left", maintain_order="left")
    return newest.filter(pl.col("moved").ne_missing(True)).drop("moved")


def _take(file: pq.ParquetFile, rows: pl.DataFrame) -> pa.Table:
    """Read some rows of a file, unpacking only the row groups that hold them."""
    rows = rows.sort("row")
    numbers = rows["row"].to_numpy()
    pieces: list[pa.Array] = []
    offset = 0
    # Group by group: a single growing array would be reallocated many times.
    for group in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        inside = numbers[(numbers >= offset) & (numbers < offset + size)] - offset
        if len(inside):
            payload = file.read_row_group(group, ["payload"], use_threads=False)["payload"]
            pieces += (payload if len(inside) == size else payload.take(pa.array(inside, pa.int64()))).chunks
        offset += size
    payload = pa.chunked_array(pieces, pa.string())
    columns = {"payload": payload, **{name: rows[name].to_arrow() for name in _CHUNK_SCHEMA.names if name != "payload"}}
    return pa.table({name: columns[name] for name in _CHUNK_SCHEMA.names}).cast(_CHUNK_SCHEMA)


def _open_files(storage: Storage, day: date, landed: LandedDay | None, kind: str) -> list[pa.NativeFile]:
    """Open the raw files that the landing log has of a day."""
    return [_open(storage, kind, day, name) for name in sorted(files_of(landed, kind))] if landed else []


def _open(storage: Storage, kind: str, day: date, name: str) -> pa.NativeFile:
    return storage.open_input(layout.raw_file(kind, day, name))


def _read(file: pq.ParquetFile, columns: Sequence[str]) -> pl.DataFrame:
    """Read small columns in this thread alone: more threads take longer, and keep 25 MB for themselves."""
    frame = pl.from_arrow(file.read(columns, use_threads=False))
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(frame)
    return frame


def landed_items(storage: Storage, day: date, landed: LandedDay | None) -> Mapping[str, int]:
    """Count what has landed of a day, without reading any payload.

    Returns:
        By core table how many items it has rows for: `calls` the calls that still belong to the day, including deleted
        ones; `data_issues` the rejected items.
    """
    versions = known_versions(storage, day, landed)
    moved = pl.col("deleted") & (pl.col("payload_hash") == MOVED)
    return {
        "calls": versions.filter(~moved).height,
        "data_issues": sum(file.rows for file in landed.rejected.values()) if landed else 0,
    }


def replace_files(day: LandedDay, files: Mapping[tuple[str, str], tuple[LandedFile, Collection[str]]]) -> None:
    """Replace the files of a day in the landing log, and recompute its digest from the names under which they landed.

    Names sort by landing time, so a day of which nothing was lost gets the digest it had.

    Args:
        day: The day.
        files: By name and kind the record of a file, and the names under which its rows have landed.
    """
    day.digest, day.calls, day.rejected = "", {}, {}
    landed = {(name, kind): known for (_, kind), (known, names) in files.items() for name in names}
    for (name, kind), known in sorted(landed.items(), key=lambda one: one[0]):  # `calls` first, as a flush adds them
        add_file(day, kind, name, known)
    day.calls, day.rejected = (
        {name: known for (name, of), (known, _) in sorted(files.items(), key=lambda one: one[0]) if of == kind}
        for kind in (CALLS, REJECTED)
    )
