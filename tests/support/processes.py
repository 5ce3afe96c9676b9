"""Programs that tests start: servers with a log, Debian's programs, Python environments of their own, a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from uv import find_uv_bin

from tests.support.guide import ROOT

T = TypeVar("T")
PATIENCE = 180.0


def free_port() -> int:
    """Return a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Give a program in a process group of its own; at the end it and its children are stopped.

    Args:
        command: The program and its arguments.
        log: Where its output goes.
        environment: What it finds in its environment besides the test's own.
        options: What else Popen takes.
    """
    with ExitStack() as stack:
        output = stack.enter_context(log.open("ab"))
        process = subprocess.Popen(
            # A shell that starts the tests in the background has them, and so their children, ignore Ctrl-C.
            ["env", "--default-signal=INT,TERM", *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            **options,
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], farewell: signal.Signals = signal.SIGTERM) -> None:
    """Stop a program and wait for it; then kill what is left of its group."""
    if process.poll() is None:
        process.send_signal(farewell)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=60)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def left_of(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process of a program's group is still there."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(probe: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Call until there is a result, and return it; OSError means not yet."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with suppress(OSError):
            if found := probe():
                return found
        time.sleep(0.25)
    pytest.fail(f"not seen in {patience:.0f} seconds: {what}")


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


_PACKAGES = Path(__file__).parent / "browser/package.json"
_INSTALL = ["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]


class Browser:
    """Runs scripts that open pages and print as JSON what they found."""

    def __init__(self, folder: Path) -> None:
        """Install what is missing; skip where that cannot be done."""
        self.folder = folder
        self._path = program("chromium", "chromium")
        self._node = program("node", "nodejs")
        shutil.copy(_PACKAGES, folder)
        subprocess.run([program("npm", "npm"), *_INSTALL], cwd=folder, check=True)

    def run(self, script: Path, *arguments: object, patience: float = 300) -> Any:
        """Return what a script found.

        Args:
            script: A script that takes the path of the browser, then the arguments.
            arguments: What else it takes.
            patience: Seconds after which it is ended.
        """
        here = shutil.copy(script, self.folder)  # Node looks for packages beside a script.
        command = [self._node, here, self._path, *(str(each) for each in arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
