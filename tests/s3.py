"""A real S3 server for tests: SeaweedFS, from PyPI, on free ports of this machine."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ACCESS, SECRET = "mailmill-test", "mailmill-test-secret"
#: Set before any engine starts, because its workers inherit their environment from it.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
WEED = Path(sys.executable).with_name("weed")
SECONDS_TO_START = 60


class Server:
    """The server with one bucket `test`."""

    def __init__(self, folder: Path) -> None:
        ports = dict(zip(("master", "volume", "filer", "s3"), free_ports(4), strict=True))
        identity = {"name": "test", "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}], "actions": ["Admin"]}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (folder / "data").mkdir()
        self._command = [
            str(WEED), "server", "-s3", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=64", "-volume.max=64",
            # Servers of other protocols on fixed ports would stop a second test process from starting its own.
            "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
            *(f"-{name}.port={port}" for name, port in ports.items()),
        ]  # fmt: skip
        self.endpoint = f"http://127.0.0.1:{ports['s3']}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        with open(self._folder / "weed.log", "ab") as log:
            process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT, cwd=self._folder)
        self._process = process
        _wait_until_ready(self.endpoint, process, self._folder / "weed.log")

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """A started `Server` below `folder`; yields its endpoint. `CREDENTIALS` must be in the environment."""
    server = Server(folder / "s3")
    try:
        server.start()
        yield server.endpoint
    finally:
        server.kill()


def _wait_until_ready(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    import s3fs

    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        with contextlib.suppress(urllib.error.HTTPError), contextlib.suppress(OSError):
            urllib.request.urlopen(endpoint, timeout=2).close()
        try:
            client = s3fs.S3FileSystem(
                client_kwargs={"endpoint_url": endpoint, "region_name": "us-east-1"},
                config_kwargs={"connect_timeout": 2, "read_timeout": 5, "retries": {"max_attempts": 1}},
                skip_instance_cache=True,
            )
            client.mkdir("test", exist_ok=True)
            client.pipe_file("test/ready", b"yes")
            if client.cat_file("test/ready") == b"yes":
                client.rm_file("test/ready")
                return
        except Exception:
            if time.monotonic() > deadline or server.poll() is not None:
                raise RuntimeError(f"the S3 server did not start:\n{log.read_text()[-2000:]}") from None
        time.sleep(0.3)


def free_ports(count: int) -> list[int]:
    """Ports whose gRPC partner (port + 10000) is free as well; all below those that outgoing connections are given."""
    found: list[int] = []
    while len(found) < count:
        port = 11000 + secrets.randbelow(10000)
        with socket.socket() as a, socket.socket() as b:
            try:
                a.bind(("127.0.0.1", port))
                b.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found
