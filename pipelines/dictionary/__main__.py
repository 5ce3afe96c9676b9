"""Writes a page that is made from the data dictionary to standard output.

`python -m pipelines.dictionary tables > docs/tables.md`, and likewise `metrics`; `make docs` writes all of them.
"""

from __future__ import annotations

import argparse
import sys

from pipelines.dictionary.markdown import markdown
from pipelines.dictionary.metrics.markdown import page

if __name__ == "__main__":
    pages = {"tables": markdown, "metrics": page}
    parser = argparse.ArgumentParser(prog="python -m pipelines.dictionary", description="Write a page of the docs.")
    parser.add_argument("page", choices=pages)
    sys.stdout.write(pages[parser.parse_args().page]())
