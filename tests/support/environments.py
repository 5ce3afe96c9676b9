"""Python environments for programs that cannot stand beside the product's own packages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.support.guide import ROOT

PYTHON = ">=3.11,<3.13"
"""What the packages that are locked in tests/bi have wheels for."""


def environment(folder: Path, requirements: str) -> Path:
    """Make an environment with exactly the packages of a lock in tests/bi, and return its folder of programs.

    Skips the test where this machine has no Python for them; nothing but packages is downloaded.
    """
    found = _uv("python", "find", "--no-python-downloads", PYTHON, check=False)
    if found.returncode:
        pytest.skip(f"no Python {PYTHON} is here, which {requirements} wants: {found.stderr.strip()}")
    _uv("venv", "--quiet", "--python", found.stdout.strip(), str(folder))
    lock = ROOT / "tests/bi" / requirements
    _uv("pip", "sync", "--quiet", "--python", str(folder / "bin/python"), "--require-hashes", str(lock))
    return folder / "bin"


def _uv(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([find_uv_bin(), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done
