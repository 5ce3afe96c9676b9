"""One server for the tests of `deploy/`: code server and web server run, the daemon does not yet."""

from __future__ import annotations

import pytest

from tests.support.server import server as running_server
from tests.support.simulated import KEY, simulated_api


@pytest.fixture(scope="module")
def api():
    with simulated_api() as serving:
        yield serving


@pytest.fixture(scope="module")
def server(tmp_path_factory, api):
    folder = tmp_path_factory.mktemp("srv") / "chorus-calls"
    settings = {
        "CHORUS_API_KEY": KEY,
        "CHORUS_API_URL": api.url,
        "CHORUS_START_DATE": "2026-03-01",
    }
    with running_server(folder, settings) as started:
        started.start("code")
        started.start("web")
        started.wait_for_code()
        yield started
