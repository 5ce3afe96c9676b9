"""Everything that Dagster loads of this project; `workspace.yaml` names this module."""

from __future__ import annotations

import dagster as dg

from assets import checks, extract, jobs, sensors, serving, tables
from assets.resources import CallsApi, LakeResource

defs = dg.load_definitions_from_modules(
    [extract, tables, checks, serving, jobs, sensors],
    resources={"lake": LakeResource(), "calls_api": CallsApi()},
    # A step takes less time than starting a process for it would.
    executor=dg.in_process_executor,
)
