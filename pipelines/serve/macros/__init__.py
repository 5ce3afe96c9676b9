"""The macros of the catalog, each with a comment and an example."""

from __future__ import annotations

from pipelines.serve.macros.conversations import CONVERSATION_MACROS
from pipelines.serve.macros.macro import Macro
from pipelines.serve.macros.metrics import RATIO_MACROS, ROLLUP_MACROS, SINGLE_CALL_MACROS

__all__ = ["MACROS", "Macro"]

MACROS: tuple[Macro, ...] = (*RATIO_MACROS, *ROLLUP_MACROS, *SINGLE_CALL_MACROS, *CONVERSATION_MACROS)
"""Every macro, in the order in which they are created: a later one may use an earlier one."""
