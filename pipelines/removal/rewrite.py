"""Writing raw files anew without what is erased. The new files count from one commit on; then the old ones are removed.

A file that others were merged into names them, so that its day's digest can be told from it. A file written here does
not name what it stands for: the day's digest has to be another, for its tables are to be built anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.extract.item import payload_hash
from pipelines.lake import layout, raw, state
from pipelines.lake.recount import recount
from pipelines.lake.state import Kept, Landed, LandedFile
from pipelines.lake.storage import Storage
from pipelines.removal.look import RawFile, Sieve

_Counted = dict[tuple[str, str], tuple[LandedFile, Collection[str]]]


def rewrite(storage: Storage, landed: Kept[Landed], files: Collection[RawFile], sieve: Sieve) -> None:
    """Write raw files anew, without what a sieve does not let through, and let them count in place of the old ones.

    A day of which nothing is left is no longer one that has landed.

    Args:
        storage: The lake's files; the caller holds the locks `sync` and `lake` for itself.
        landed: What has landed, as it is kept now.
        files: The files to write anew.
        sieve: What stays of each row.
    """
    for day in sorted({day for day, _, _ in files}):
        known = landed.value.days[day]
        after: _Counted = {}
        for kind in (raw.CALLS, raw.REJECTED):
            for name, file in raw.counted(known, kind).items():
                if (day, kind, name) not in files:
                    after[name, kind] = (file, _landed_names(storage, kind, day, name))
                elif (rewritten := _rewritten(storage, kind, day, name, sieve)) is not None:
                    name_after, file_after = rewritten
                    after[name_after, kind] = (file_after, [name_after])
        recount(known, after)
        if not after:
            del landed.value.days[day]
    state.commit(storage, landed)


def _rewritten(storage: Storage, kind: str, day: date, name: str, sieve: Sieve) -> tuple[str, LandedFile] | None:
    """Write one file anew; returns its name and what is known of it, None where nothing stays."""
    staying = _staying(raw.read_file(storage, kind, day, name), kind, sieve)
    if not staying.num_rows:
        return None
    new = f"{name.partition('-')[0]}-rewritten-{secrets.token_hex(4)}"
    return new, raw.write_versions(storage, kind, day, staying, new)


def _staying(rows: pa.Table, kind: str, sieve: Sieve) -> pa.Table:
    """Return the rows of a file that stay, each with what stays of it."""
    before = rows["payload"].to_pylist()
    after = [sieve.row(kind, *row) for row in zip(rows["call_id"].to_pylist(), before, strict=True)]
    payloads = [stays.payload if stays else None for stays in after]
    hashes = [
        known if new == old or new is None else payload_hash(new.encode())
        for known, old, new in zip(rows["payload_hash"].to_pylist(), before, payloads, strict=True)
    ]
    for name, values in (("payload", payloads), ("payload_hash", hashes)):
        position = rows.schema.get_field_index(name)
        rows = rows.set_column(position, rows.schema.field(name), pa.array(values, pa.string()))
    return rows.filter(pa.array([stays is not None for stays in after], pa.bool_()))


def _landed_names(storage: Storage, kind: str, day: date, name: str) -> list[str]:
    with storage.open_input(layout.raw_file(kind, day, name)) as source:
        return raw.landed_names(pq.read_schema(source), name)
