"""The command line, imported and waiting: says `ready`, reads the words of a command, and runs it."""

from __future__ import annotations

import sys

from pipelines.build import api, days, workspace
from pipelines.cli import build, main, sync
from pipelines.extract import sync as extraction

IMPORTED = (api, build, days, extraction, sync, workspace)

if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    words = sys.stdin.readline().split()
    sys.exit(main.main([*words, "--debug"]))
