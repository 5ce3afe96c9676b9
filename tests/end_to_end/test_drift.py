"""What the program asks for while a list changes, after a change and after a kill; `make drift` shows more of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.program_account import Drift, account, change_young_calls

pytestmark = pytest.mark.slow


def test_a_list_that_changes_all_the_time_costs_no_call_and_few_requests(tmp_path):
    with account(tmp_path, calls=3_000, days=30) as one:
        pages, drift = one.pages, Drift(one.world)
        one.api.faults.append(drift)
        assert one.sync("--no-build")["scan"]["complete"]
        landed = one.raw()["call_id"]
        assert drift.stayed <= set(landed)
        assert len(landed) == landed.n_unique()
        assert len(one.api.requests) <= 1.2 * pages + 10
        one.assert_the_token_is_nowhere()


def test_a_few_changes_cost_a_few_requests_and_their_days(tmp_path):
    with account(tmp_path, calls=600, days=20) as one:
        one.sync()
        before = one.written()
        days = change_young_calls(one.world, 10, 40)
        report = one.sync()
        assert report["scan"]["calls_changed"] > 3
        assert len(one.api.requests) <= 4
        touched = {part for path, _ in one.written() - before for part in path.split("/") if "=" in part}
        assert touched <= {f"call_date={day + timedelta(days=after)}" for day in days for after in (0, 1)}
        one.assert_the_token_is_nowhere()


def test_a_killed_scan_is_resumed_and_ends_with_the_tables_of_an_undisturbed_one(tmp_path):
    with account(tmp_path, calls=3_000, days=3) as one:
        one.sync(lake="undisturbed")
        whole = len(one.api.requests)
        one.sync("--no-build", kill_at=round(whole * 0.6))
        assert one.sync()["scan"]["resumed"]
        assert len(one.api.requests) < 0.8 * whole
        other = one.tables("undisturbed")
        assert {name: frame.equals(other[name]) for name, frame in one.tables().items()} == dict.fromkeys(other, True)
        one.assert_the_token_is_nowhere()
