"""The tables of what does not fit in columns: a call's free attributes, and what was wrong with its data."""

from __future__ import annotations

from pipelines.dictionary.kinds import instant, text, word
from pipelines.dictionary.model import Column, ColumnType, Personal, Table

CALL_ATTRIBUTES = Table(
    name="call_attributes",
    title="Call attributes",
    description=(
        "The fields of extractions, context variables and metadata as rows, so that they can be filtered and counted "
        "without JSON functions."
    ),
    grain="one row per call, source and top-level key",
    key=("call_id", "source", "key"),
    columns=(
        word("call_id", "Call the attribute belongs to.", nullable=False, personal=Personal.LINKABLE),
        word(
            "source",
            "Where the attribute comes from: extraction (the API's analysis), context (variables handed to the agent) "
            "or metadata.",
            nullable=False,
        ),
        word("key", "Name of the attribute.", nullable=False),
        text(
            "value",
            "Value as text; JSON text for objects and lists, null for a null.",
            personal=Personal.FREE_TEXT,
        ),
        word(
            "value_type",
            "Type of the value in the API's JSON: string, number, boolean, null, array or object.",
            nullable=False,
        ),
        Column(
            "value_number",
            ColumnType.NUMBER,
            "The value where it is a number, else null. Whether it may be summed depends on the attribute.",
            personal=Personal.FREE_TEXT,
        ),
    ),
)

DATA_ISSUES = Table(
    name="data_issues",
    title="Data issues",
    description=(
        "What was wrong with the data as sent. A bad value costs its field, never its call: the field is null, and a "
        "row here says what and where. Items that could not be placed at all lie on the day they arrived."
    ),
    grain="one row per problem",
    key=(),
    order=("call_id", "table_name", "path", "kind"),
    columns=(
        word(
            "call_id",
            "Item that carries the value; null where a rejected item has no usable id.",
            personal=Personal.LINKABLE,
        ),
        word("table_name", "Table whose column suffers; calls for a rejected item.", nullable=False),
        word("path", "Where the value stands in the item's JSON, such as $.transferCalls[0].cost.", nullable=False),
        word(
            "kind",
            "Kind of problem: invalid_value, missing_value, inconsistent (kept, but odd), unknown_value (a word that "
            "is in no map) or rejected_item.",
            nullable=False,
        ),
        word("message", "What was wrong, in words.", nullable=False),
        text(
            "raw_value",
            "The value as sent, at most 1,000 characters. Under CHORUS_PII=mask it is null for personal columns and "
            "rejected items.",
            personal=Personal.FREE_TEXT,
        ),
        instant("landed_at", "When the version that carries the value was landed in this lake.", nullable=False),
    ),
)
