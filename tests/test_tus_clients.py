"""Stock tus clients over a real socket, given address, token and piece size: tuspy, and tus-js-client under node."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tusclient.client import TusClient

from tests.test_server import Running

CLIENT = Path(__file__).parent / ".cache" / "tus"
VERSION = "4.3.1"  # as in static/vendor
SCRIPT = """
const { readFileSync } = require("node:fs");
const tus = require("tus-js-client");
const [endpoint, key, piece, path] = process.argv.slice(2);
const upload = new tus.Upload(readFileSync(path), {
  endpoint, chunkSize: Number(piece), headers: { Authorization: key }, metadata: { filename: "film.mp4" },
  onError(error) { console.error(String(error)); process.exit(1); },
  onSuccess() { console.log(upload.url); },
});
upload.start();
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path / "house")
    yield made
    made.stop()


@pytest.fixture
def program(running: Running) -> tuple[str, str]:
    """(address, header) as the page *Add a program* tells them, once."""
    cookie = running.claim()
    form = {"Cookie": cookie, "Origin": f"http://homecircle.local:{running.port}"}
    form["Content-Type"] = "application/x-www-form-urlencoded"
    page = running.ask("POST", "/devices/program", urlencode({"name": "Old laptop"}).encode(), form)
    assert page.status == 200, page.body
    address, key = re.findall(r'class="link-box">([^<]+)<', page.body.decode())
    return address.replace("homecircle.local", "127.0.0.1"), key.partition(": ")[2]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    made = tmp_path / "film.mp4"
    made.write_bytes(b"\0\0\0\x18ftypisom\0\0\x02\0isommp42" + random.Random(4).randbytes(3 << 20))
    return made


def _arrived(running: Running, film: Path) -> bool:
    kept = (running.data / "vault").rglob("*.mp4")
    return [sha256(each.read_bytes()).digest() for each in kept] == [sha256(film.read_bytes()).digest()]


def test_tuspy_uploads_without_special_code(running: Running, program: tuple[str, str], film: Path) -> None:
    address, key = program
    client = TusClient(address, headers={"Authorization": key})
    with film.open("rb") as stream:  # tuspy leaves open what it opens itself
        uploader = client.uploader(file_stream=stream, chunk_size=1 << 20)
        uploader.upload_chunk()
        again = client.uploader(file_stream=stream, chunk_size=1 << 20, url=uploader.url)
        assert again.offset == 1 << 20  # HEAD: it goes on where it stood
        again.upload()
    assert _arrived(running, film)


def test_tuspy_with_checksums(running: Running, program: tuple[str, str], film: Path) -> None:
    address, key = program
    client = TusClient(address, headers={"Authorization": key})
    with film.open("rb") as stream:
        client.uploader(file_stream=stream, chunk_size=1 << 20, upload_checksum=True).upload()
    assert _arrived(running, film)


def test_tus_js_client_uploads_without_special_code(
    running: Running, program: tuple[str, str], film: Path, tmp_path: Path
) -> None:
    _need_client()
    script = tmp_path / "upload.cjs"
    script.write_text(SCRIPT)
    told = subprocess.run(
        ["node", str(script), *program, str(1 << 20), str(film)], capture_output=True, text=True, timeout=60,
        check=False, env={"NODE_PATH": str(CLIENT / "node_modules"), "PATH": "/usr/bin:/bin:/usr/local/bin"},
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "/uploads/" in told.stdout
    assert _arrived(running, film)


def test_a_programs_key_opens_nothing_else(running: Running, program: tuple[str, str]) -> None:
    for path in ("/", "/vault", "/feed/x", "/devices", "/live/since"):
        answer = running.ask("GET", path, headers={"Authorization": program[1], "Accept": "application/json"})
        assert answer.status == 401, path
    assert running.ask("OPTIONS", "/uploads", headers={"Authorization": program[1]}).status == 204
    assert running.ask("OPTIONS", "/uploads", headers={"Authorization": "Bearer nobody"}).status == 401


def _need_client() -> None:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("NODE IS MISSING: tus-js-client was not tried outside of a browser")
    if (CLIENT / "node_modules" / "tus-js-client").exists():
        return
    CLIENT.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(CLIENT)]
    if subprocess.run([*command, f"tus-js-client@{VERSION}"], capture_output=True, check=False).returncode:
        pytest.skip("NPM GAVE NOTHING: tus-js-client was not tried outside of a browser")
