"""What it takes to land pages of new calls, measured inside the process: its start and its imports do not count.

    landing.py files FOLDER       land every page file of a folder, without HTTP
    landing.py sync URL --pages N      land the first pages of an API, as a sync does
    landing.py fetch URL --pages N     only ask for the same pages, with the same HTTP client

The lake and the rest come from the environment, as for the product. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import requests
from pydantic import SecretStr

from pipelines.extract.http.client import CallsClient
from pipelines.extract.http.response import parse_body
from pipelines.extract.landing.landing import Landing
from pipelines.extract.sync import sync
from pipelines.lake import state
from pipelines.lake.identity import require_same_settings
from pipelines.lake.storage import Storage
from pipelines.settings import load_settings
from pipelines.simulator import DEFAULT_KEY
from pipelines.workspace import open_workspace

START_DATE = date(2019, 1, 1)
LIMIT = 100
_PAGES_PER_FLUSH = 100
"""A sync writes what it holds back at least this often."""


def land_files(storage: Storage, folder: Path) -> int:
    """Land page files in the order of their names; returns how many there were."""
    landing = Landing(storage, state.load_landed(storage), start_date=START_DATE, sync_id="benchmark")
    pages = 0
    for pages, file in enumerate(sorted(folder.glob("page_*.json")), start=1):
        landing.add(parse_body(file.read_bytes()).items)
        if landing.full or pages % _PAGES_PER_FLUSH == 0:
            landing.flush()
    landing.flush()
    return pages


def land_from(storage: Storage, url: str, pages: int) -> int:
    """Land the first pages of an API; returns how many."""
    client = CallsClient(api_url=url, api_key=SecretStr(DEFAULT_KEY), retry_seconds=10, max_body_mb=256)
    try:
        return sync(storage, client, start_date=START_DATE, full=True, max_pages=pages).pages
    finally:
        client.close()


def fetch(url: str, pages: int) -> int:
    """Ask for the first pages of an API and discard them; returns how many."""
    with requests.Session() as session:
        session.headers.update({"Authorization": f"Bearer {DEFAULT_KEY}", "Accept-Encoding": "gzip"})
        for page in range(pages):
            answer = session.get(f"{url}/calls", params={"limit": LIMIT, "offset": page * LIMIT}, timeout=60)
            answer.raise_for_status()
    return pages


def measured(work: Callable[[], int]) -> dict[str, float]:
    """Do the work; return its pages and the seconds of CPU and wall time that it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    pages = work()
    return {"pages": pages, "cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def main() -> None:
    """Read the command line, do the work and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["files", "sync", "fetch"])
    parser.add_argument("source")
    parser.add_argument("--pages", type=int, default=1)
    wanted = parser.parse_args()
    if wanted.what == "fetch":
        print(json.dumps(measured(lambda: fetch(wanted.source, wanted.pages))))
        return
    workspace = open_workspace(load_settings())
    require_same_settings(workspace.storage, workspace.table_settings)
    if wanted.what == "sync":
        print(json.dumps(measured(lambda: land_from(workspace.storage, wanted.source, wanted.pages))))
    else:
        print(json.dumps(measured(lambda: land_files(workspace.storage, Path(wanted.source)))))


if __name__ == "__main__":
    main()
