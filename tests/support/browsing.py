"""A browser for tests: Debian's, driven by scripts of Node, with what npm has for that in a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.debian import program

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

    def look(self, script: Path, *arguments: object, patience: float = 300) -> Any:
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
