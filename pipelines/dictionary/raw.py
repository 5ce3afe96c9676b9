"""The raw layer: what was received, version by version, from which every table can be made again."""

from __future__ import annotations

from pipelines.dictionary.columns import Column, ColumnType, Personal, Table, instant, text, word

RAW = Table(
    name="raw",
    title="Raw versions",
    description=(
        "What the API sent, as received. raw/calls holds every version of every call, by the date of the call; "
        "raw/rejected holds items that could not be placed, by the date of their arrival. A version is added only "
        "where the call differs from the newest one landed. CHORUS_PII shapes the tables only: raw keeps everything as "
        "received."
    ),
    grain="one row per landed version of a call, or per rejected item",
    key=(),
    order=("call_id", "landed_at"),
    columns=(
        text(
            "call_id",
            "Id of the call; null only in raw/rejected, where an item has no usable id.",
            personal=Personal.LINKABLE,
        ),
        instant("landed_at", "When the version was landed; later than any version landed before it.", nullable=False),
        word("sync_id", "Sync that landed the version.", nullable=False),
        text(
            "payload_hash",
            "Hash of the payload without the addresses of recordings; in a version without a payload `deleted`, or "
            "`moved` where the API lists the call on another day.",
        ),
        Column(
            "deleted",
            ColumnType.FLAG,
            "Whether this version says that the call is gone from the API, or from this day.",
            nullable=False,
            low_cardinality=True,
        ),
        text(
            "payload",
            "The item's JSON exactly as received, but for transfer legs that an erasure took out; with everything "
            "personal that it contains; null for a deletion.",
            personal=Personal.FREE_TEXT,
        ),
    ),
)
"""Schema of raw/calls and raw/rejected; it is no table of the catalog, so it is not among TABLES."""
