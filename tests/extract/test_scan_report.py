"""The report of a scan, as it is shown to people and programs."""

from __future__ import annotations

from datetime import UTC, date, datetime

from pipelines.extract.scan.state import Ending, Order
from pipelines.extract.scan_report import FULL, ScanReport

BEGAN = datetime(2026, 3, 4, 12, tzinfo=UTC)


def report(**facts) -> ScanReport:
    given = {"order": Order.NEWEST, "ending": Ending.END, "pages": 12, "calls_seen": 1_100, "calls_new": 1_000}
    return ScanReport(FULL, BEGAN, **{**given, "calls_changed": 5, "seconds": 1.23456, **facts})


def test_the_facts_are_json_values():
    facts = report(requests=13, total_start=1_100, total_end=1_100, changed_days=[date(2026, 3, 4)]).as_dict()
    assert facts == {
        "mode": "full",
        "order": "newest first",
        "ending": "reached the end of the list",
        "complete": True,
        "resumed": False,
        "pages": 12,
        "requests": 13,
        "calls_seen": 1_100,
        "calls_new": 1_000,
        "calls_changed": 5,
        "calls_unchanged": 95,
        "calls_deleted": 0,
        "calls_moved": 0,
        "items_rejected": 0,
        "total_start": 1_100,
        "total_end": 1_100,
        "changed_days": ["2026-03-04"],
        "seconds": 1.235,
    }


def test_the_sentence_names_what_happened_and_how_long_it_took():
    assert report().sentence() == "full scan complete: 12 pages, 1,100 calls seen, 1,000 new, 5 changed (1.2 s)"


def test_the_sentence_names_deletions_and_the_reason_of_an_incomplete_scan():
    sentence = report(ending=Ending.LIMITED, calls_deleted=1, calls_moved=2, items_rejected=3).sentence()
    assert sentence == (
        "full scan limited to a number of pages: 12 pages, 1,100 calls seen, 1,000 new, 5 changed, 1 deleted, "
        "2 moved to another day, 3 rejected (1.2 s)"
    )
