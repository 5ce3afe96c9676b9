"""The demo's company: its clock, and when `make dev` shows it."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
import requests
from click.testing import CliRunner

from assets import dev
from assets.demo.company import WORLD, Company, create_company, is_shown_by_default, single_demo
from pipelines.errors import ChorusCallsError
from pipelines.simulator import Order
from tests.support.small_lake import SmallLake


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty folder to work in; what is changed in the environment is changed back."""
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):
        for variable in [name for name in os.environ if name.startswith(("CHORUS_", "DAGSTER_"))]:
            del os.environ[variable]
        yield tmp_path


def newest(company) -> list[bytes]:
    return list(company.page(Order.NEWEST, 0, 100, draw=1)[0])


def test_the_clock_is_behind_and_never_goes_beyond_ours(tmp_path):
    company = create_company(tmp_path, calls=20, days=2)
    assert timedelta(days=1) <= datetime.now(UTC) - company.now <= timedelta(days=5)
    assert company.now.isoweekday() <= 5
    begins = company.now
    assert company.advance(timedelta(hours=6)) == timedelta(hours=6)
    assert company.now - begins >= timedelta(hours=6)
    rest = company.advance(timedelta(days=30))
    assert rest < timedelta(days=5)
    assert company.advance(timedelta(hours=6)) == timedelta()
    assert abs(datetime.now(UTC) - company.now) < timedelta(minutes=1)


def test_every_process_that_serves_the_company_shows_the_same_moment(tmp_path):
    one = create_company(tmp_path, calls=60, days=1)
    other = Company(tmp_path)
    size = one.size
    assert other.size == size
    one.advance(timedelta(hours=20))
    assert other.size == one.size > size
    assert other.now - one.now < timedelta(minutes=1)
    assert newest(other) == newest(one)


def test_no_call_is_older_than_the_first_day(tmp_path):
    company = create_company(tmp_path, calls=40, days=3)
    items, total = company.page(Order.OLDEST, 0, 100, draw=1)
    assert total >= 40
    assert f'"createdAt":"{company.first_day}'.encode() in items[0]


def test_there_is_one_demo_at_a_time(tmp_path):
    with single_demo(tmp_path), pytest.raises(ChorusCallsError, match="Another demo"), single_demo(tmp_path):
        pass


def test_a_company_that_was_not_founded_is_not_opened(tmp_path):
    with pytest.raises(ChorusCallsError, match="make demo"):
        Company(tmp_path)


def test_the_demo_is_shown_only_where_there_is_nothing_else_to_show(checkout):
    assert not is_shown_by_default()
    create_company(WORLD, calls=5, days=1)
    assert is_shown_by_default()
    (checkout / ".env").write_text("CHORUS_API_KEY=sk_live_1\n", encoding="utf-8")
    assert not is_shown_by_default()
    (checkout / ".env").unlink()
    SmallLake(Path("data/lake")).land(date(2026, 1, 5))
    assert not is_shown_by_default()


@pytest.mark.parametrize(("options", "served"), [([], True), (["--no-demo"], False)])
def test_the_development_server_serves_the_demo_while_it_runs(checkout, monkeypatch, options, served):
    create_company(WORLD, calls=5, days=1)
    seen = {}

    def dagster_runs(*_args, **_kwargs):
        seen.update(os.environ)
        if served:
            headers = {"Authorization": f"Bearer {seen['CHORUS_API_KEY']}"}
            answer = requests.get(f"{seen['CHORUS_API_URL']}/calls", headers=headers, timeout=10)
            seen["total"] = answer.json()["pagination"]["total"]

    monkeypatch.setattr(dev.runpy, "run_module", dagster_runs)
    monkeypatch.setattr(dev.sys, "argv", ["dev"])
    result = CliRunner().invoke(dev.main, options)
    assert result.exit_code == 0, result.output
    home = Path(seen["DAGSTER_HOME"]).relative_to(checkout)
    if served:
        assert seen["total"] >= 5
        assert home == Path("data/demo/dagster_home")
        assert "This is the demo" in result.output
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{seen['CHORUS_API_URL']}/calls", timeout=10)
    else:
        assert "CHORUS_API_URL" not in seen
        assert home == Path("data/dagster_home")


@pytest.mark.usefixtures("checkout")
def test_a_demo_that_is_asked_for_must_be_there():
    result = CliRunner().invoke(dev.main, ["--demo"])
    assert result.exit_code == 1
    assert "make demo" in result.output
