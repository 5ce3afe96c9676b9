"""The checks a day must pass to be published, over what was really written.

They know neither where tables lie nor who asks: a caller hands in `DayTables` and gets verdicts.
"""

from __future__ import annotations

from pipelines.quality.check import Check, DayTables, Verdict
from pipelines.quality.checks import CHECKS, CHECKS_VERSION, audit

__all__ = ["CHECKS", "CHECKS_VERSION", "Check", "DayTables", "Verdict", "audit"]
