"""What can go wrong between the pipeline and the API, each fault to be switched on by its name.

A fault is middleware: it sees the request, may ask for the real answer, and may give another one.
"""

from __future__ import annotations

from pipelines.simulator.faults.fault import FAULTS, Fault, FaultError, line, options, parse_faults
from pipelines.simulator.faults.http_faults import HTML, RateLimit
from pipelines.simulator.faults.list_faults import Clamp, EmptyPage

__all__ = [
    "FAULTS",
    "HTML",
    "Clamp",
    "EmptyPage",
    "Fault",
    "FaultError",
    "RateLimit",
    "line",
    "options",
    "parse_faults",
]
