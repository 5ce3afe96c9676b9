"""Programs of Debian that tests start: taken where they are, installed where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PLACES = ("/usr/sbin", "/sbin", "/usr/lib/postgresql/*/bin")


def program(name: str, package: str) -> str:
    """Return the path of a program, after installing its package where it is missing; skip where that cannot be done.

    Args:
        name: The program.
        package: The Debian package that has it.
    """
    found = _find(name) or _installed(name, package)
    if found is None:
        pytest.skip(f"{name} is missing, and only root or sudo without a password can run: apt-get install {package}")
    return found


def _find(name: str) -> str | None:
    beside = [path for place in PLACES for path in sorted(Path("/").glob(f"{place[1:]}/{name}"))]
    return shutil.which(name) or (str(beside[-1]) if beside else None)


def _installed(name: str, package: str) -> str | None:
    apt, sudo = shutil.which("apt-get"), shutil.which("sudo")
    if not apt or (os.geteuid() != 0 and not sudo):
        return None
    become = [] if os.geteuid() == 0 else [str(sudo), "-n"]
    environment = [*become, "env", "DEBIAN_FRONTEND=noninteractive"]
    subprocess.run([*environment, apt, "update", "-qq"], check=False, capture_output=True)
    command = [*environment, apt, "install", "-qq", "--yes", "--no-install-recommends", package]
    subprocess.run(command, check=False, capture_output=True)
    return _find(name)
