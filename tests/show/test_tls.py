"""Streams over TLS, in Lua, with filters, and QUIC's listeners: what a live HAProxy answers, its core answers too."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from samples.lab.held import free_port, listening
from samples.lab.living import living
from samples.lab.loaded import Runnable
from tests.show.held_streams import LAB, Taken
from tests.show.test_fd import descriptors
from tests.show.test_sess import blocks, comparable, others

pytestmark = [pytest.mark.xdist_group("haproxy")]

#: Builds with the options of packages (samples/lab/layouts.py).
BUILDS = ("full-2.6", "full-3.0")
CONFIG = """\
global
    nbthread 2
    maxconn 100
    stats socket unix@cli level admin
    stats timeout 1h
    lua-load {folder}/slow.lua
    {quic_option}

defaults
    mode http
    timeout client 1h
    timeout connect 1h
    timeout server 1h

frontend web
    bind 127.0.0.1:{tls} ssl crt {folder}/lab.pem alpn h2,http/1.1
    {quic_bind}
    filter compression
    compression algo gzip
    http-request use-service lua.slow if {{ path_beg /lua }}
    use_backend over if {{ path_beg /over }}
    default_backend slow

frontend inner
    bind 127.0.0.1:{inner} ssl crt {folder}/lab.pem alpn h2
    default_backend slow

backend over
    server again 127.0.0.1:{inner} ssl verify none alpn h2

backend slow
    server s1 127.0.0.1:{away}
"""
LUA = 'core.register_service("slow", "http", function(applet) core.sleep(3600) end)\n'


@pytest.fixture(scope="module", params=BUILDS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """A process that holds streams over TLS, what it answered, and its core."""
    executable = LAB / "layout-builds/builds" / request.param / "haproxy"
    if not executable.is_file() or not shutil.which("gdb") or not shutil.which("openssl"):
        pytest.skip(f"needs gdb, openssl and {request.param} of the lab")
    folder = tmp_path_factory.mktemp(request.param)
    certify(folder)
    (folder / "slow.lua").write_text(LUA)
    with ExitStack() as stack:
        away, tls, inner = stack.enter_context(listening()), free_port(), free_port()
        quic = request.param == "full-3.0"
        config = CONFIG.format(
            folder=folder, tls=tls, inner=inner, away=away.getsockname()[1],
            quic_option="limited-quic" if quic else "",
            quic_bind=f"bind quic4@127.0.0.1:{tls} ssl crt {folder}/lab.pem alpn h3" if quic else "",
        )  # fmt: skip
        alive = stack.enter_context(living(Runnable(executable), config, f"tls-{request.param}"))
        for path in ("/slow", "/over", "/lua"):
            stack.enter_context(secured(tls)).sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        stack.enter_context(socket.create_connection(("127.0.0.1", tls)))  # and says nothing
        time.sleep(0.5)
        core = alive.take(folder / "core", ("show sess", "show sess all", "show fd"))
        return Taken(alive.answers, core, executable)


def certify(folder: Path) -> None:
    """A certificate with its key in ``lab.pem``."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    (folder / "lab.pem").write_text(certificate.read_text() + key.read_text())


def secured(port: int) -> ssl.SSLSocket:
    """A connection over TLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=5.0))


def test_streams_over_tls_are_told_alike(asked: Taken) -> None:
    live = comparable(others(asked.answers["show sess"].splitlines()))
    assert len(live) == 4
    assert comparable(asked.ask("sess")) == live
    details = blocks(comparable(asked.answers["show sess all"].splitlines()))
    assert blocks(comparable(asked.ask("sess", "all"))) == details
    assert any("xprt=SSL" in line for lines in details.values() for line in lines)
    assert any("applet=" in line and "slow" in line for lines in details.values() for line in lines)


def test_descriptors_with_tls_are_told_alike(asked: Taken) -> None:
    live = descriptors(asked.answers["show fd"].splitlines())
    assert descriptors(asked.ask("fd")) == live
    assert any("xctx.st=" in line for line in live.values())
