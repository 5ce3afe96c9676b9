"""A Postgres of its own for a test: Debian's programs, a new cluster, a port of loopback, a password."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from tests.support.debian import program
from tests.support.processes import eventually, free_port, running

PASSWORD = "for-tests-only"


@contextmanager
def postgres() -> Iterator[str]:
    """A running server with an empty database; its address names the driver, as dagster.yaml wants it."""
    initdb = Path(program("initdb", "postgresql"))
    # Postgres refuses to run as root, and nobody else may look into the folders of root's tests.
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
