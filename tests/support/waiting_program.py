"""The command line, imported and waiting: says `ready`, reads the words of a command, and runs it."""

from __future__ import annotations

import signal
import sys

from pipelines import workspace
from pipelines.cli import lake, main
from pipelines.extract import sync as extraction
from pipelines.materialize import days
from pipelines.workflows import build, sync

IMPORTED = (workspace, lake, build, days, extraction, sync)

if __name__ == "__main__":
    # A shell starts background jobs, and so perhaps these tests, with the signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    words = sys.stdin.readline().split()
    sys.exit(main.main([*words, "--debug"]))
