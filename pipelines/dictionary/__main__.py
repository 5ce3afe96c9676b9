"""Writes the text of docs/tables.md to standard output: `python -m pipelines.dictionary > docs/tables.md`."""

from __future__ import annotations

import sys

from pipelines.dictionary.markdown import markdown

if __name__ == "__main__":
    sys.stdout.write(markdown())
