"""The files of `deploy/` agree with each other, with the program, and with the programs that will read them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
import yaml

from assets.instance.home import dagster_home
from tests.support.server import DEPLOY, OUTSIDE

SERVICES = {"code", "daemon", "web"}


def settings_of(name):
    return yaml.safe_load((DEPLOY / name).read_text())


def test_a_server_has_the_settings_of_a_single_machine_except_for_where_it_keeps_runs(tmp_path, monkeypatch):
    """Only then do tests of the one hold for the other."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    server, own = settings_of("dagster.yaml"), yaml.safe_load((dagster_home() / "dagster.yaml").read_text())
    assert {name: server[name] for name in own} == own
    assert set(server) - set(own) == {"storage", "run_queue", "run_retries", "sensors", "schedules"}


def test_every_service_runs_the_same_command_in_a_container_and_under_systemd():
    services = settings_of("compose.yaml")["services"]
    image = (DEPLOY / "Dockerfile").read_text()
    code = re.search(r"^CMD \[(.*)\]$", image, re.MULTILINE).group(1).replace('"', "").split(", ")
    for name in SERVICES:
        unit = (DEPLOY / "systemd" / f"chorus-calls-{name}.service").read_text()
        program, *words = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE).group(1).split()
        contained = services[name].get("command", code)
        assert program == f"{OUTSIDE}/{contained[0]}"
        plain = [word.removeprefix("/srv/chorus/") for word in words if word != "127.0.0.1"]
        assert [word for word in contained[1:] if word != "0.0.0.0"] == [
            *(["api", "grpc", "--host"] if name == "code" else []),
            *plain[2 if name == "code" else 0 :],
        ]


def test_only_the_proxy_reaches_the_web_server():
    services = settings_of("compose.yaml")["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"proxy"}
    networks = settings_of("compose.yaml")["networks"]
    assert all(networks[name]["internal"] for name in services["web"]["networks"])
    assert "--host 127.0.0.1" in (DEPLOY / "systemd/chorus-calls-web.service").read_text()


@pytest.fixture
def units(tmp_path):
    """The units, with the programs of this machine."""
    shutil.copytree(DEPLOY / "systemd", tmp_path / "units")
    for path in (tmp_path / "units").glob("*.service"):
        path.write_text(path.read_text().replace(OUTSIDE, f"{sys.prefix}/bin"))
    return sorted((tmp_path / "units").glob("chorus-calls*.*e*"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing: it comes with systemd")
def test_systemd_accepts_the_units_and_rates_them_as_secure(units):
    units = [str(path) for path in units if path.is_file()]
    assert len(units) == len(SERVICES) + 1
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    for unit in units:
        if unit.endswith(".service"):
            subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=25", unit], check=True)
