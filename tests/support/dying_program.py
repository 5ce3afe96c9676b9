"""The command line, killed by the operating system at one step: `dying_program STEP COMMAND…`, in a scene's folder."""

from __future__ import annotations

import sys

import pytest

from pipelines.cli.main import main
from tests.support.faults import Fault, FaultyDisk
from tests.support.scene import hold_still

if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as monkeypatch:
        hold_still(monkeypatch)
        FaultyDisk(Fault.DIE, int(sys.argv[1])).take_over(monkeypatch)
        sys.exit(main(sys.argv[2:]))
