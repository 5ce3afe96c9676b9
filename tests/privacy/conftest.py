"""A lake with a customer who is to be forgotten, made once by the real program and put down for each test."""

from __future__ import annotations

import os
import shutil

import pytest

from pipelines.cli.main import main
from pipelines.materialize import processes
from pipelines.simulator import SimulatedApi
from tests.support.erasure_account import encoded, everything
from tests.support.program import PII_KEY, program, serve
from tests.support.simulated import KEY

__all__ = ["program", "serve"]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder of a lake with versions of days that are not published any more."""
    folder = tmp_path_factory.mktemp("made")
    items = everything()
    early = [
        {**one, "status": "in_progress"} if one.get("id") in ("stays", "mentions", "after") else one for one in items
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(processes, "_processors", lambda: 1)
        patch.setenv("CHORUS_API_KEY", KEY)
        patch.setenv("CHORUS_LAKE", str(folder / "lake"))
        patch.setenv("CHORUS_PII_KEY", PII_KEY)
        for shown in (early[:8], early, items):
            with SimulatedApi(items=encoded(shown), key=KEY) as api:
                patch.setenv("CHORUS_API_URL", api.url)
                assert main(["sync", "--full"]) == 0
    return folder / "lake"


@pytest.fixture
def account(program, serve, made):
    """The lake where the program has it, and the API that lists everything."""
    shutil.copytree(made, program.lake, copy_function=os.link)  # no file of a lake is ever written in place
    assert program("catalog")[0] == 0  # which names files by their whole paths
    return serve(items=encoded(everything()))
