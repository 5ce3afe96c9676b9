"""The example proxies refuse every request without a password, and pass every request with one."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
import subprocess
from contextlib import closing

import pytest

from tests.support.processes import eventually, free_port, program, running
from tests.support.server import DEPLOY

pytestmark = pytest.mark.service

PASSWORD = "for tests only"
LET_IN = {"Authorization": "Basic " + base64.b64encode(f"ana:{PASSWORD}".encode()).decode()}
WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(b"sixteen bytes...").decode(),
    "Sec-WebSocket-Protocol": "graphql-ws",
}


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def caddy(server, tmp_path):
    """The port of a Caddy with the Caddyfile as it is."""
    binary, port = program("caddy", "caddy"), free_port()
    settings = {
        "UI_SITE": f"http://127.0.0.1:{port}",
        "UI_UPSTREAM": f"127.0.0.1:{server.port}",
        "UI_USER": "ana",
        "UI_PASSWORD_HASH": output_of(binary, "hash-password", "--plaintext", PASSWORD),
        "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
        "XDG_DATA_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    command = [binary, "run", "--adapter", "caddyfile", "--config", str(DEPLOY / "proxy/Caddyfile")]
    with running(command, tmp_path / "log", environment=settings):
        yield lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=30)


@pytest.fixture
def nginx(server, tmp_path):
    """The port of an nginx with the example, but for the places on this machine."""
    binary, port = program("nginx", "nginx-light"), free_port()
    certificate, key, users = (str(tmp_path / name) for name in ("certificate", "key", "users"))
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "1"]
    output_of(program("openssl", "openssl"), *request, "-keyout", key, "-out", certificate)
    (tmp_path / "users").write_text(f"ana:{output_of('openssl', 'passwd', '-apr1', PASSWORD)}\n")
    example = (DEPLOY / "proxy/nginx.conf").read_text()
    for place, here in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "/etc/ssl/certs/chorus-calls.pem": certificate,
        "/etc/ssl/private/chorus-calls.key": key,
        "_file /etc/nginx/chorus-calls.htpasswd": f"_file {users}",
        "http://127.0.0.1:3000": f"http://127.0.0.1:{server.port}",
    }.items():
        assert example.count(place) == 1, place
        example = example.replace(place, here)
    temporary = "".join(
        f"{kind}_temp_path {tmp_path / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Workers of root's nginx are nobody's by default, and may not look into root's folders.
    user = "user root;" if os.geteuid() == 0 else ""
    events = f"{user} daemon off; pid {tmp_path / 'pid'}; error_log stderr; events {{}}"
    settings = tmp_path / "nginx.conf"
    settings.write_text(f"{events} http {{ {temporary} access_log off;\n{example}}}")
    with running([binary, "-c", str(settings), "-e", "stderr"], tmp_path / "log"):
        unchecked = ssl._create_unverified_context()
        yield lambda: http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=unchecked)


@pytest.mark.parametrize("proxy", ["caddy", "nginx"])
def test_only_who_has_a_password_reaches_the_web_server(proxy, request):
    connect = request.getfixturevalue(proxy)

    def status(path, headers):
        with closing(connect()) as connection:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status

    wrong = {"Authorization": "Basic " + base64.b64encode(b"ana:wrong").decode()}
    assert eventually(lambda: status("/server_info", {}), "the proxy") == 401
    assert status("/graphql", WEBSOCKET) == status("/server_info", wrong) == 401
    assert status("/server_info", LET_IN) == status("/runs", LET_IN) == 200
    assert status("/graphql", LET_IN | WEBSOCKET) == 101, "news of runs come through a websocket"
