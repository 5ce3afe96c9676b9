"""Dagster's pages as a person uses them, in a real browser: extract, see days turn green, view them, build again."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from assets.tables import KEY_FIGURES
from tests.support.processes import PATIENCE, Browser
from tests.support.server import server
from tests.support.simulated import KEY, simulated_api, small_world

WALK = Path(__file__).parent / "walk.js"
DAYS = [date(2026, 2, 25) + timedelta(days=after) for after in range(8)]
AGAIN = DAYS[1:6]
RUNS = "{runsOrError {... on Runs {results {jobName status tags {key value}}}}}"

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """What there was to see, what went wrong, and the runs that it left."""
    folder = tmp_path_factory.mktemp("walk")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    with simulated_api(small_world(calls=200, days=7)) as api:
        settings = {"CHORUS_API_KEY": KEY, "CHORUS_API_URL": api.url, "CHORUS_START_DATE": "2026-02-20"}
        with server(folder / "chorus-calls", settings) as running:
            running.start("code")
            running.start("web")
            running.wait_for_code()
            running.switch_schedules_off()
            running.start("daemon")
            address = f"http://127.0.0.1:{running.port}"
            walk = browser.run(WALK, address, folder, len(DAYS), AGAIN[0], AGAIN[-1], patience=4 * PATIENCE)
            runs = running.ask(RUNS)["runsOrError"]["results"]
            for name in ("web", "daemon", "code"):
                running.stop(name)
            yield {**walk, "runs": [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]}


def test_nothing_goes_wrong_and_nothing_is_fetched_from_elsewhere(walked):
    assert walked["trouble"] == {"said": [], "failed": [], "outside": []}


def test_the_launchpad_offers_an_extraction_that_is_safe(walked):
    said = [line.strip() for line in walked["seen"]["launchpad"]]
    assert {"mode: RECENT", "accept_deletions: false"} <= set(said)


def test_days_turn_green(walked):
    assert walked["seen"]["before"] == 0
    assert walked["seen"]["after"] > 0


def test_a_day_of_a_mart_shows_its_key_figures_in_a_table_and_plots_them_over_the_days(walked):
    metadata = walked["seen"]["metadata"]
    assert int(metadata["dagster/partition_row_count"]) > 0
    assert int(metadata["bytes"]) > 0
    assert metadata["version"]
    assert set(KEY_FIGURES["call_metrics_daily"]) <= metadata.keys()
    assert int(metadata["calls"]) > 0
    assert walked["seen"]["day"] == metadata["calls"]
    plots = walked["seen"]["plots"]
    assert len(plots) >= len(KEY_FIGURES["call_metrics_daily"])
    assert all(plot["drawn"] and plot["width"] > 100 for plot in plots)


def test_each_check_has_succeeded(walked):
    seen = walked["seen"]
    assert seen["checks"] == f"Checks ({seen['succeeded']})"
    assert seen["succeeded"] >= 3


def test_one_run_each_extracts_builds_what_changed_and_builds_the_range(walked):
    assert walked["seen"]["chosen"] == "5 partitions"
    assert walked["seen"]["runs"] == 1
    backfill, build, extract = walked["runs"]
    assert [(run["jobName"], run["status"]) for run in (extract, build, backfill)] == [
        ("extract_calls", "SUCCESS"),
        ("build_days", "SUCCESS"),
        ("build_days", "SUCCESS"),
    ]
    assert build["tags"]["dagster/sensor_name"] == "changed_days"
    assert backfill["tags"]["dagster/backfill"]
    assert backfill["tags"]["dagster/asset_partition_range_start"] == str(AGAIN[0])
    assert backfill["tags"]["dagster/asset_partition_range_end"] == str(AGAIN[-1])
