"""Reads the programs of the readers' guide, so that tests run exactly what the page shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/lake.md"

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of code of a page in one language."""
    return [text for name, text in BLOCK.findall(page.read_text()) if name == language]


def functions_of_the_guide() -> dict[str, Any]:
    """Return the functions that the guide defines, without running its examples.

    They read the lake `data/lake` below the present folder, as a person's program would.
    """
    found: dict[str, Any] = {"__name__": "guide"}
    for program in blocks(GUIDE, "python"):
        module = ast.parse(program)
        module.body = [part for part in module.body if _defines(part)]
        exec(compile(module, str(GUIDE), "exec"), found)
    return found


def _defines(part: ast.stmt) -> bool:
    if isinstance(part, ast.Assign):
        return any(isinstance(name, ast.Name) and name.id.isupper() for name in part.targets)
    return isinstance(part, ast.Import | ast.ImportFrom | ast.FunctionDef)
