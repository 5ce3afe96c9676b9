from __future__ import annotations

from tests.support.program import program, serve

__all__ = ["program", "serve"]
