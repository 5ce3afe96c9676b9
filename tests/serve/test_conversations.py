"""The macros about what was said, on hand-written conversations."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.lake import layout
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from pipelines.serve.macros.conversations import BEFORE, MOST_WORDS, PASSAGE
from tests.support.small_lake import SmallLake, at

MONDAY, TUESDAY, FRIDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 9)


def turns(call_id: str, *words: str | None, leg_id: str | None = None) -> list[dict[str, Any]]:
    speakers = ("agent", "customer")
    return [
        {"call_id": call_id, "leg_id": leg_id, "turn_index": n, "speaker": speakers[n % 2], "content": text}
        for n, text in enumerate(words)
    ]


def leg(leg_id: str, call_id: str, **known: Any) -> dict[str, Any]:
    return {"leg_id": leg_id, "call_id": call_id, "transfer_outcome": "success", **known}


def catalog_of(folder: Path, days: dict[date, dict[str, list[dict[str, Any]]]]) -> Path:
    lake = SmallLake(folder / "lake")
    for day, tables in days.items():
        lake.publish(day, tables)
    catalog = DuckDBCatalog(Path(lake.storage.address(layout.CATALOG)), lake.storage)
    catalog.make(lake.manifest)
    return catalog.path


def ask(catalog: Path, sql: str, *values: Any) -> list[tuple]:
    with open_catalog(catalog) as connection:
        return connection.execute(sql, values or None).fetchall()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    """A call whose legs came nested, on the next day and some days later; and calls that have nothing to do with it."""
    late = leg("late", "call", source="child_call", started_at=at("2026-01-09 08:00"), transfer_outcome="pending")
    child = leg("child", "call", source="child_call", started_at=at("2026-01-06 09:00"))
    nested = leg(
        "nested", "call", source="nested", leg_index=1, started_at=at("2026-01-05 10:02"), transfer_type="warm",
        transfer_outcome="failed", customer_number="+1********01", seconds_to_transfer=65.4, duration_seconds=3605.0,
    )  # fmt: skip
    bare = leg("bare", "call", source="nested", leg_index=0)
    monday = {
        "calls": [{"call_id": name, "agent_id": f"agent of {name}"} for name in ("call", "other", "silent")],
        "transfer_legs": [nested, bare, leg("another", "other")],
        "transcript_turns": [
            *turns("call", "Hello", "I want a refund"),
            *turns("call", "A customer wants a refund", None, leg_id="nested"),
            *turns("other", "Something else"),
        ],
    }
    tuesday = {
        "calls": [{"call_id": "child", "parent_call_id": "call"}],
        "transfer_legs": [child],
        "transcript_turns": turns("call", "Good morning", leg_id="child"),
    }
    friday = {
        "transfer_legs": [late, leg("lost", "never landed")],
        "transcript_turns": turns("never landed", "Who is there?", leg_id="lost"),
    }
    return catalog_of(tmp_path_factory.mktemp("lake"), {MONDAY: monday, TUESDAY: tuesday, FRIDAY: friday})


WHOLE = [
    (1, MONDAY, None, "agent", "Hello"),
    (2, MONDAY, None, "customer", "I want a refund"),
    (
        3,
        MONDAY,
        "nested",
        "transfer",
        "transfer (warm) to +1********01 after 1:05 min: failed, 60:05 min long",
    ),
    (4, MONDAY, "nested", "agent", "A customer wants a refund"),
    (5, MONDAY, "nested", "customer", None),
    (6, TUESDAY, "child", "transfer", "transfer: success"),
    (7, TUESDAY, "child", "agent", "Good morning"),
    (8, FRIDAY, "late", "transfer", "transfer: pending"),
    (9, MONDAY, "bare", "transfer", "transfer: success"),
]
LINES = "SELECT position, call_date, leg_id, speaker, content FROM "


def test_a_transcript_has_its_legs_in_the_order_in_which_they_began(catalog):
    assert ask(catalog, f"{LINES} transcript('call')") == WHOLE
    assert {row[0] for row in ask(catalog, "SELECT call_id FROM transcript('call')")} == {"call"}


def test_the_row_where_a_leg_begins_says_how_it_went(catalog):
    marks = "SELECT leg_id, transfer_type, transfer_outcome, seconds_to_transfer, duration_seconds"
    assert ask(catalog, f"{marks} FROM transcript('call') WHERE speaker = 'transfer' ORDER BY position")[:2] == [
        ("nested", "warm", "failed", 65.4, 3605.0),
        ("child", None, "success", None, None),
    ]
    assert ask(catalog, f"{marks} FROM transcript('call') WHERE position = 4") == [("nested", None, None, None, None)]


@pytest.mark.parametrize("leg_id", ["nested", "bare", "child", "late"])
def test_the_id_of_a_leg_gives_the_conversation_it_is_a_part_of(catalog, leg_id):
    assert ask(catalog, f"{LINES} transcript(?)", leg_id) == WHOLE


def test_with_its_day_a_transcript_has_the_legs_up_to_the_next(catalog):
    days = f"{LINES} transcript('call', call_date := {{}})"
    expected = [row[1:] for row in WHOLE if row[1] != FRIDAY]
    assert [row[1:] for row in ask(catalog, days.format("DATE '2026-01-05'"))] == expected
    assert [row[1:] for row in ask(catalog, days.format("'2026-01-05'"))] == expected
    assert ask(catalog, days.format("'2026-03-05'")) == []
    assert ask(catalog, days.format("NULL")) == WHOLE


def test_a_leg_of_a_call_that_never_landed_is_found_by_both_ids(catalog):
    for known in ("lost", "never landed"):
        assert [row[2:] for row in ask(catalog, f"{LINES} transcript(?)", known)] == [
            ("lost", "transfer", "transfer: success"),
            ("lost", "agent", "Who is there?"),
        ]


@pytest.mark.parametrize("call_id", ["silent", "unknown", "", "call' OR true --", None])
def test_nothing_said_is_no_row(catalog, call_id):
    assert ask(catalog, "FROM transcript(?)", call_id) == []


@pytest.mark.slow
def test_of_a_call_on_two_days_the_newer_is_read(tmp_path):
    days = {
        day: {
            "transfer_legs": [leg("leg", "moved", transfer_type=str(day))],
            "transcript_turns": [*turns("moved", *["Hello"] * said), *turns("moved", "Yes", leg_id="leg")],
        }
        for day, said in ((MONDAY, 3), (TUESDAY, 2))
    }
    found = ask(catalog_of(tmp_path, days), f"{LINES} transcript('moved')")
    assert [row[1:4] for row in found] == [
        (TUESDAY, None, "agent"),
        (TUESDAY, None, "customer"),
        (TUESDAY, "leg", "transfer"),
        (TUESDAY, "leg", "agent"),
    ]


SAID = {
    "english": "Please REFUND my card, 100% of it",
    "underscore": "the field is called refund_card",
    "turkish": "İSTANBUL'da I\u015f\u0131k Soka\u011f\u0131",
    "small turkish": "i\u0307stanbul'da \u0131\u015f\u0131k soka\u011f\u0131",
    "german": "Die Straße heißt Fuß, GROẞ geschrieben",
    "swiss": "DIE STRASSE HEISST FUSS, gross geschrieben",
    "russian": "Здравствуйте, ВЕРНИТЕ деньги",
    "arabic": "أريد استرداد المبلغ من فضلك",
    "chinese": "我想要退款到我的信用卡",
    "greek": "ΟΔΟΣ Ερμού",
    "composed": "caf\u00e9 ol\u00e9",
    "decomposed": "CAFE\u0301 OLE\u0301",
    "plain": "cafe ole",
    "wide space": "one\u3000two\u00a0three",
}


@pytest.fixture(scope="module")
def languages(tmp_path_factory) -> Path:
    """A call for each language, with one message."""
    said = [turn for name, text in sorted(SAID.items()) for turn in turns(name, text)]
    return catalog_of(tmp_path_factory.mktemp("said"), {MONDAY: {"transcript_turns": said}})


@pytest.mark.matrix(quick=5)
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("refund card", {"english", "underscore"}),
        ("  Card\tREFUND\n", {"english", "underscore"}),
        ("fun", {"english", "underscore"}),
        ("refund_card", {"underscore"}),
        ("100%", {"english"}),
        ("%", {"english"}),
        ("refund elephant", set()),
        ("istanbul", {"turkish", "small turkish"}),
        ("İstanbul IŞIK", {"turkish", "small turkish"}),
        ("i\u0307stanbul", {"turkish", "small turkish"}),
        ("straße", {"german", "swiss"}),
        ("STRASSE fuß groß", {"german", "swiss"}),
        ("верните ДЕНЬГИ", {"russian"}),
        ("استرداد المبلغ", {"arabic"}),
        ("退款 信用卡", {"chinese"}),
        ("οδός", set()),
        ("οδος", {"greek"}),
        ("ΕΡΜΟΎ", {"greek"}),
        ("CAFÉ", {"composed", "decomposed"}),
        ("cafe\u0301", {"composed", "decomposed"}),
        ("cafe", {"plain"}),
        ("one\u3000three", {"wide space"}),
        ("", set()),
        (" \u3000\n", set()),
        (None, set()),
        ("'; DROP TABLE calls; --", set()),
    ],
)
def test_words_are_found_in_any_language_and_case(languages, words, found):
    assert {row[0] for row in ask(languages, "SELECT call_id FROM search_transcripts(?)", words)} == found


def test_a_find_names_call_agent_leg_and_speaker(catalog):
    found = ask(catalog, "FROM search_transcripts('refund WANT')")
    assert found == [
        ("call", MONDAY, "agent of call", None, 1, "customer", "I want a refund"),
        ("call", MONDAY, "agent of call", "nested", 0, "agent", "A customer wants a refund"),
    ]
    assert ask(catalog, "FROM search_transcripts('good morning')") == [
        ("call", TUESDAY, "agent of call", "child", 0, "agent", "Good morning")
    ]
    assert ask(catalog, "FROM search_transcripts('who')")[0][:3] == ("never landed", FRIDAY, None)
    assert ask(catalog, "FROM search_transcripts('hello refund')") == []  # not in one message


@pytest.mark.slow
def test_the_passage_of_a_long_message_begins_shortly_before_the_first_word(tmp_path):
    before, after = "ß" * 3_000 + " …\u0001\n " * 100, " and then" * 700
    catalog = catalog_of(tmp_path, {MONDAY: {"transcript_turns": turns("long", f"{before}STRASSE, Fuß{after}")}})
    ((passage,),) = ask(catalog, "SELECT passage FROM search_transcripts('fuss straße')")
    assert "STRASSE, Fuß and then" in passage
    assert passage.startswith("…")
    assert passage.endswith("…")
    assert len(passage) <= PASSAGE + 2
    assert 0 < passage.index("STRASSE") <= BEFORE + 1
    assert not {"\n", "\u0001"} & set(passage)


def test_a_word_too_many_is_an_error(catalog):
    words = " ".join(f"w{n}" for n in range(MOST_WORDS))
    assert ask(catalog, "SELECT count(*) FROM search_transcripts(?)", words) == [(0,)]
    assert ask(catalog, "SELECT count(*) FROM search_transcripts(?)", f" {words} ") == [(0,)]
    with pytest.raises(duckdb.Error, match=f"at most {MOST_WORDS} words"):
        ask(catalog, "SELECT count(*) FROM search_transcripts(?)", f"{words} more")


def test_a_search_of_some_days_reads_no_other(catalog):
    plan = ask(catalog, "EXPLAIN ANALYZE FROM search_transcripts('refund') WHERE call_date = DATE '2026-01-05'")[0][1]
    assert "Total Files Read: 1" in plan
