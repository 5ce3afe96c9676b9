"""Write a page of docs that is made from the data dictionary to standard output.

`python -m pipelines.dictionary tables > docs/tables.md`, and the same for `metrics`; `make docs` writes both.
"""

from __future__ import annotations

import argparse
import sys

from pipelines.dictionary.markdown import metrics_page, tables_page

if __name__ == "__main__":
    pages = {"tables": tables_page, "metrics": metrics_page}
    parser = argparse.ArgumentParser(prog="python -m pipelines.dictionary", description="Write a page of the docs.")
    parser.add_argument("page", choices=pages)
    sys.stdout.write(pages[parser.parse_args().page]())
