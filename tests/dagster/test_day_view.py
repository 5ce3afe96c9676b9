"""What a person sees of a mart's day: the numbers of its rows together, and a chart that is small and well formed."""

from __future__ import annotations

import base64
import re
from datetime import date
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from assets.day_view import day_view, view_columns
from assets.instance.in_process_runs import run_job
from pipelines.dictionary import MARTS, TABLES
from pipelines.dictionary.schemas import polars_schema
from tests.support.dagster_runs import newest

MOST_BYTES = 3_000


def rows(table, *given):
    """Make rows of a mart; counts that are not given are 0, measures are null."""
    empty = dict.fromkeys(TABLES[table].names)
    zero = {column.name: 0 for column in TABLES[table].columns if not column.nullable and column.additivity}
    return pl.DataFrame([empty | zero | row for row in given], schema=polars_schema(table))


def numbers(view):
    table = [line.strip("| ").split(" | ") for line in view.splitlines() if line.startswith("| ")]
    return {name: value for name, value, _ in table[1:]}


def drawn(view):
    """Return the words of the chart, once as an image and once as the text for who does not see it."""
    words, _, address = view.rsplit("![", 1)[1].partition("](data:image/svg+xml;base64,")
    return words, ET.fromstring(base64.b64decode(address.rstrip(")")))


def test_ratios_of_a_day_are_of_its_sums():
    view = day_view(
        "call_metrics_daily",
        rows(
            "call_metrics_daily",
            {"calls": 1, "connected_calls": 1, "completed_calls": 1, "terminal_calls": 1, "cost": 0.1}
            | {"cost_rated": 0.1, "seconds_rated": 60.0},
            {"calls": 1_999, "connected_calls": 999, "completed_calls": 499, "terminal_calls": 1_999, "cost": 0.7}
            | {"cost_rated": 0.7, "seconds_rated": 180.0},
        ),
    )
    told = numbers(view)
    assert (told["calls"], told["connect_rate"], told["completion_rate"]) == ("2,000", "0.5000", "0.2500")
    assert (told["cost"], told["cost_per_minute"]) == ("0.8000", "0.2000")
    assert told["average_duration_seconds"] == "-", "there is no duration"


def test_the_chart_shows_what_its_words_say():
    view = day_view("call_metrics_daily", rows("call_metrics_daily", {"completed_calls": 1_200, "busy_calls": 300}))
    words, chart = drawn(view)
    assert words == "completed 1200, failed 0, no answer 0, busy 300, voicemail 0, canceled 0, unknown 0"
    (path,) = chart.iter("{http://www.w3.org/2000/svg}path")
    assert re.findall(r"v-(\d+)", path.get("d")) == ["90", "22"]
    assert [text.text for text in chart.iter("{http://www.w3.org/2000/svg}text")][:2] == ["1,200", "completed"]


def test_hours_are_added_up_over_agents():
    told = [{"hour_utc": hour, "calls": calls} for hour, calls in ((9, 1), (9, 2), (23, 5))]
    words, _ = drawn(day_view("call_volume_hourly", rows("call_volume_hourly", *told)))
    hours = dict(pair.split(" ") for pair in words.split(", "))
    assert len(hours) == 24
    assert {hour for hour, calls in hours.items() if calls != "0"} == {"9", "23"}
    assert hours["9"] == "3"


@pytest.mark.parametrize("table", MARTS)
def test_a_day_without_rows_has_a_view_too(table):
    view = day_view(table, rows(table).select(view_columns(table)))
    words, _ = drawn(view)
    assert " 0" in words
    assert "nan" not in view.lower()


@pytest.mark.slow
def test_every_mart_shows_its_day_small_and_without_a_single_call(land, instance):
    land("2026-03-01")
    run_job("build_days", instance=instance, partition_range=(date(2026, 3, 1), date(2026, 3, 1)))
    for table in MARTS:
        metadata = newest(instance, table, "2026-03-01").metadata
        view = metadata["the day"].value
        assert len(view) < MOST_BYTES
        _, chart = drawn(view)
        said = view + ET.tostring(chart, encoding="unicode")
        assert not any(secret in said for secret in ("agent-1", "org-1", "5550100", "call-2026"))
    assert numbers(newest(instance, "call_metrics_daily", "2026-03-01").metadata["the day"].value)["calls"] == "2"
