"""The macros about what was said: the transcript of one call, and a search in all transcripts.

They are SQL that DuckDB 1.2 runs too, so without lambdas, whose syntax has changed. Columns are qualified everywhere,
since a macro's parameter hides a column of the same name.
"""

from __future__ import annotations

from typing import Final

from pipelines.serve.macros.macro import Macro

MOST_WORDS: Final = 16
"""Words that can be searched for at once; each is a condition of the query."""
BEFORE: Final = 60
"""Characters of a passage in front of the first word found."""
PASSAGE: Final = 160
"""Characters of a passage."""
_SPACES: Final = r"[\s\p{Z}]+"

_LEG: Final = """legs.leg_id, legs.call_id, legs.call_date, legs.leg_index, legs.started_at, legs.transfer_type,
        legs.transfer_outcome, legs.customer_number, legs.seconds_to_transfer, legs.duration_seconds"""
_TURN: Final = "turns.call_id, turns.call_date, turns.leg_id, turns.turn_index, turns.speaker, turns.content"


def _near(table: str) -> str:
    """Return the condition on the day: a leg is of the day of its call or later, nearly always of the next."""
    day = "CAST(call_date AS DATE)"
    return f"(call_date IS NULL OR {table}.call_date BETWEEN {day} - 1 AND {day} + 1)"


def _clock(seconds: str) -> str:
    """Write seconds as minutes and seconds, such as 1:05 min."""
    whole = f"CAST(floor({seconds}) AS BIGINT)"
    return f"CAST(floor({whole} / 60) AS BIGINT) || ':' || lpad(CAST({whole} % 60 AS VARCHAR), 2, '0') || ' min'"


_MARK: Final = f"""'transfer' || coalesce(' (' || began.transfer_type || ')', '')
            || coalesce(' to ' || began.customer_number, '')
            || coalesce(' after ' || {_clock("began.seconds_to_transfer")}, '') || ': ' || began.transfer_outcome
            || coalesce(', ' || {_clock("began.duration_seconds")} || ' long', '')"""
"""The content of the line with which a leg begins."""

# Each table is named as rarely as possible, since DuckDB goes through its list of files for each mention. `ids` is
# materialized before the scans begin, so that they skip files by their Bloom filters.
_TRANSCRIPT: Final = f"""
WITH ids AS MATERIALIZED (
    SELECT CAST(call_id AS VARCHAR) AS id
    UNION
    SELECT legs.call_id FROM transfer_legs AS legs WHERE legs.leg_id = call_id AND {_near("legs")}
), began AS MATERIALIZED (
    SELECT {_LEG}
    FROM transfer_legs AS legs
    WHERE legs.call_id IN (SELECT ids.id FROM ids) AND {_near("legs")}
    QUALIFY row_number() OVER (PARTITION BY legs.call_id, legs.leg_id ORDER BY legs.call_date DESC) = 1
), said AS (
    SELECT {_TURN}
    FROM transcript_turns AS turns
    WHERE turns.call_id IN (SELECT ids.id FROM ids) AND {_near("turns")}
    QUALIFY turns.call_date = max(turns.call_date) OVER (PARTITION BY turns.call_id, turns.leg_id)
), lines AS (
    SELECT began.call_id, began.call_date, began.leg_id, -1 AS turn_index, 'transfer' AS speaker,
        {_MARK} AS content,
        began.transfer_type, began.transfer_outcome, began.seconds_to_transfer, began.duration_seconds
    FROM began
    UNION ALL
    SELECT said.call_id, said.call_date, said.leg_id, said.turn_index, said.speaker, said.content,
        NULL, NULL, NULL, NULL
    FROM said
)
SELECT row_number() OVER (
        ORDER BY lines.leg_id IS NOT NULL, began.started_at NULLS LAST, began.leg_index NULLS LAST, lines.leg_id,
            lines.turn_index
    ) AS position,
    lines.call_id, lines.call_date, lines.leg_id, lines.speaker, lines.content,
    lines.transfer_type, lines.transfer_outcome, lines.seconds_to_transfer, lines.duration_seconds
FROM lines
LEFT JOIN began ON began.call_id = lines.call_id AND began.leg_id = lines.leg_id
ORDER BY position
"""  # noqa: S608 - own names


def _as_shown(text: str) -> str:
    """Return a text in NFC, so that an accented letter is one character, with a lower-case Turkish İ as i."""
    return f"replace(nfc_normalize({text}), 'i' || chr(775), 'i')"


def _folded(text: str) -> str:
    """Return a text without differences of case: to upper case and back, since some letters have two lower-case forms.

    ASCII texts, the most frequent in many lakes, take a third of the time.
    """
    folded = f"replace(lower(upper({_as_shown(text)})), 'ß', 'ss')"
    return f"CASE WHEN strlen({text}) = length({text}) THEN lower({text}) ELSE {folded} END"


_SPLIT: Final = f"string_split_regex({_folded('CAST(words AS VARCHAR)')}, '{_SPACES}')"
_SOUGHT: Final = f"list_sort(list_distinct({_SPLIT}), 'DESC')"
"""Each word once, folded; the last one is empty if there is a space before or after the words."""
_EACH_WORD: Final = tuple(f"nullif({_SOUGHT}[{number}], '')" for number in range(1, MOST_WORDS + 1))
_TOO_MANY: Final = f"{_SOUGHT}[{MOST_WORDS + 1}] <> ''"
_REFUSAL: Final = f"error('search_transcripts looks for at most {MOST_WORDS} words at once.')"
_IN_TURN: Final = " AND ".join(f"({word} IS NULL OR contains(turns.folded, {word}))" for word in _EACH_WORD)
_PLACES: Final = ", ".join(f"instr(turns.folded, {word})" for word in _EACH_WORD)

# A sharp s is two letters in the folded text. A mark after it, removed at the end, keeps the positions equal.
_MARKED: Final = f"regexp_replace({_as_shown('hits.content')}, '([ßẞ])', '\\1' || chr(1), 'g')"
_CUT: Final = f"replace(substring({_MARKED}, hits.place, {PASSAGE}), chr(1), '')"

# The words are constants when the query is planned, so conditions on absent words are optimised away.
_SEARCH: Final = f"""
SELECT hits.call_id, hits.call_date, whole.agent_id, hits.leg_id, hits.turn_index, hits.speaker,
    CASE WHEN hits.place > 1 THEN '…' ELSE '' END || regexp_replace({_CUT}, '{_SPACES}', ' ', 'g')
        || CASE WHEN length(hits.folded) >= hits.place + {PASSAGE} THEN '…' ELSE '' END AS passage
FROM (
    SELECT turns.*, greatest(1, least({_PLACES}) - {BEFORE}) AS place
    FROM (SELECT {_TURN}, {_folded("turns.content")} AS folded FROM transcript_turns AS turns) AS turns
    WHERE {_EACH_WORD[0]} IS NOT NULL AND {_IN_TURN}
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    WHERE {_TOO_MANY} AND CASE WHEN {_TOO_MANY} THEN {_REFUSAL} ELSE false END
) AS hits
LEFT JOIN calls AS whole
    ON whole.call_id = hits.call_id AND whole.call_date BETWEEN hits.call_date - 1 AND hits.call_date
ORDER BY hits.call_date DESC, hits.call_id, hits.leg_id NULLS FIRST, hits.turn_index
"""  # noqa: S608 - own names

CONVERSATION_MACROS: Final = (
    Macro(
        name="transcript",
        parameters=("call_id", "call_date := NULL"),
        body=_TRANSCRIPT,
        description=(
            "A conversation to read, one row per message in the order of position. Messages have no time, so those of "
            "transfer legs follow the call's own, leg after leg in the order in which they began. Each leg begins with "
            "a row whose speaker is transfer, with its result. The id of a leg, or of a call that is a leg of another, "
            "gives the conversation that it belongs to. With call_date, the call's day, it is found faster, but legs "
            "that began later than on the next day are left out."
        ),
        example="SELECT speaker, content FROM transcript((SELECT max(call_id) FROM transfer_legs)) ORDER BY position",
        reads_calls=True,
    ),
    Macro(
        name="search_transcripts",
        parameters=("words",),
        body=_SEARCH,
        description=(
            f"Messages that contain all of the words (at most {MOST_WORDS}), each anywhere, also within a longer word, "
            "in upper or lower case, in any language. Accents matter, however they are encoded; % and _ have no "
            "special meaning. passage is the text around the first word found. A blank search finds nothing. "
            "Days can be selected: WHERE call_date >= …"
        ),
        example="SELECT call_id, speaker, passage FROM search_transcripts('refund card')",
        reads_calls=True,
    ),
)
