"""The services of `deploy/`, started as their units start them, with a Postgres of their own."""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from tests.support.processes import eventually, free_port, left_of, program, running

DEPLOY = Path(__file__).parents[2] / "deploy"
OUTSIDE = "/opt/chorus-calls/bin"
PLACE = "/srv/chorus"
_SCHEDULES = """{schedulesOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName:
"chorus_calls"}) {... on Schedules {results {name scheduleState {id status}}}}}"""
_SWITCH_OFF = "mutation($id: String) {stopRunningSchedule(id: $id) {__typename}}"


class Server:
    """A folder in the place of /srv/chorus, and what runs on it.

    Attributes:
        folder: The place.
        home: Dagster's home in it.
        environment: What every service finds in its environment.
        port: Where the web server listens.
    """

    def __init__(self, folder: Path, stack: ExitStack, environment: dict[str, str]) -> None:
        """Set the place up; nothing runs yet."""
        self.folder, self.home, self.port = folder, folder / "data/dagster_home", free_port()
        self._stack = stack
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            "PYTHONPATH": str(DEPLOY.parent),
            "DAGSTER_HOME": str(self.home),
            "DAGSTER_GRPC_HOST": "127.0.0.1",
            "DAGSTER_GRPC_PORT": str(free_port()),
            **environment,
        }
        self.home.mkdir(parents=True)
        shutil.copy(DEPLOY / "dagster.yaml", self.home)
        shutil.copy(DEPLOY / "workspace.yaml", folder)

    def start(self, name: str) -> None:
        """Start a service by the command of its unit."""
        self._running[name] = self._stack.enter_context(
            running(self._command(name), self.log(name), environment=self.environment, cwd=self.folder)
        )

    def stop(self, name: str) -> None:
        """Stop a service as systemd does, with every process of it; nothing may be left."""
        process = self._running.pop(name)
        farewell = re.search(r"^KillSignal=(\w+)$", self._unit(name), re.MULTILINE)
        os.killpg(process.pid, signal.Signals[farewell.group(1)] if farewell else signal.SIGTERM)
        assert process.wait(timeout=90) == 0
        # What shares memory between processes for Python ends a moment after the last of them.
        eventually(lambda: not left_of(process), f"that {name} leaves nothing running", 10)

    def log(self, name: str) -> Path:
        """Return where a service's output is."""
        return self.folder / f"{name}.log"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask the web server by GraphQL."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def wait_for_code(self) -> None:
        """Wait until the web server answers and has the code server's definitions."""
        query = "{workspaceOrError {... on Workspace {locationEntries {loadStatus locationOrLoadError {__typename}}}}}"
        loaded = {"loadStatus": "LOADED", "locationOrLoadError": {"__typename": "RepositoryLocation"}}
        eventually(lambda: self.ask(query)["workspaceOrError"]["locationEntries"] == [loaded], "the definitions")

    def switch_schedules_off(self) -> None:
        """In the UI's words: tests say themselves what runs, and when."""
        for schedule in self.ask(_SCHEDULES)["schedulesOrError"]["results"]:
            assert schedule["scheduleState"]["status"] == "RUNNING", "they run without being switched on"
            self.ask(_SWITCH_OFF, id=schedule["scheduleState"]["id"])

    def _unit(self, name: str) -> str:
        return (DEPLOY / "systemd" / f"chorus-calls-{name}.service").read_text()

    def _command(self, name: str) -> list[str]:
        command = next(line for line in self._unit(name).splitlines() if line.startswith("ExecStart="))
        here = command.partition("=")[2].replace(OUTSIDE, f"{sys.prefix}/bin").replace(PLACE, str(self.folder))
        return shlex.split(here.replace("--port 3000", f"--port {self.port}"))


@contextmanager
def server(folder: Path, environment: dict[str, str]) -> Iterator[Server]:
    """Give a server with Postgres running, and nothing else yet; at the end everything is stopped."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres())
        yield Server(folder, stack, {"DAGSTER_POSTGRES_URL": url, **environment})


PASSWORD = "for-tests-only"


@contextmanager
def postgres() -> Iterator[str]:
    """Give a running server with an empty database; its address names the driver, as dagster.yaml wants it."""
    initdb = Path(program("initdb", "postgresql"))
    # Postgres refuses to run as root, and nobody else may read the folders of root's tests.
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="chorus-calls-postgres-"))
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, secret):
                shutil.chown(path, user)
        as_user = {"user": user, "extra_groups": []} if os.geteuid() == 0 else {}
        made = [f"--pgdata={folder / 'data'}", "--username=dagster", f"--pwfile={secret}", "--auth=scram-sha-256"]
        subprocess.run(
            [initdb, *made, "--locale=C", "--encoding=UTF8", "--no-sync"], check=True, stdout=subprocess.PIPE, **as_user
        )
        port = free_port()
        settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
        command = [str(initdb.parent / "postgres"), "-D", str(folder / "data"), *(f"--{each}" for each in settings)]
        with running(command, folder / "log", cwd=folder, **as_user):
            address = f"//dagster:{PASSWORD}@127.0.0.1:{port}/postgres"
            eventually(lambda: _answers(f"postgresql:{address}"), "Postgres")
            yield f"postgresql+psycopg2:{address}"
    finally:
        shutil.rmtree(folder)


def _answers(address: str) -> bool:
    try:
        psycopg2.connect(address).close()
    except psycopg2.OperationalError:
        return False
    return True
