"""Where the demo lives, and the settings under which everything works there.

A demo leaves no trace outside its folder: neither a call in the real lake nor a run in the real Dagster home. It takes
nothing from outside either, so every setting that shapes tables is said here, whatever `.env` and the environment say.
"""

from __future__ import annotations

from datetime import date
from importlib import resources
from pathlib import Path
from typing import Final

from pipelines.lake.identity import local_pii_key
from pipelines.lake.local import LocalStorage
from pipelines.simulator import DEFAULT_KEY

FOLDER: Final = Path("data/demo")
"""The demo's folder, below the working folder."""

WORLD: Final = FOLDER / "world"
LAKE: Final = FOLDER / "lake"
DAGSTER_HOME: Final = FOLDER / "dagster_home"
CATALOG: Final = LAKE / "chorus.duckdb"


def environment(api_url: str, first_day: date) -> dict[str, str]:
    """Return the variables that make commands, Dagster and what it starts work on the demo.

    Args:
        api_url: Where the simulated API is served.
        first_day: The day of the oldest call, the first partition.
    """
    lake = LAKE.absolute()
    return {
        "CHORUS_API_KEY": DEFAULT_KEY,
        "CHORUS_API_URL": api_url,
        "CHORUS_LAKE": str(lake),
        "CHORUS_CATALOG": str(CATALOG.absolute()),
        "CHORUS_START_DATE": str(first_day),
        "CHORUS_TIMEZONE": "UTC",
        "CHORUS_PII": "mask",
        "CHORUS_PII_KEY": local_pii_key(LocalStorage(lake)).decode(),
        "CHORUS_OUTCOMES": str(resources.files("pipelines.flatten").joinpath("outcomes.toml")),
        "DAGSTER_HOME": str(DAGSTER_HOME.absolute()),
    }
