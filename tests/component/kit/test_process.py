"""A service as a process: it says where it listens, answers, and stops in order."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from notes_service import GATEWAY_KEY

from kit.context import HEADER_NAME, RequestContext, body_digest, sign_context

SUPPORT = Path(__file__).parents[2] / "support"
START_S = 20.0


class Process:
    def __init__(self, folder: Path, **settings: str) -> None:
        environment = {**os.environ, "DATA_DIR": str(folder), "GATEWAY_KEYS": GATEWAY_KEY, **settings}
        self.popen = subprocess.Popen(
            [sys.executable, str(SUPPORT / "notes_process.py")], env=environment, stdout=subprocess.PIPE, text=True
        )
        self.lines: list[dict[str, Any]] = []
        self.port = self._wait_for_port()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _wait_for_port(self) -> int:
        assert self.popen.stdout is not None
        for text in self.popen.stdout:
            self.lines.append(json.loads(text))
            found = re.search(r"running on http://127\.0\.0\.1:(\d+)", self.lines[-1]["event"])
            if found:
                return int(found[1])
        raise AssertionError(self.lines)

    def _read(self) -> None:
        assert self.popen.stdout is not None
        self.lines += [json.loads(text) for text in self.popen.stdout]

    def request(self, method: str, path: str, content: bytes = b"", **headers: str) -> httpx.Response:
        now = time.time()
        context = RequestContext(
            audience="notes",
            method=method,
            path=path,
            request_id="r1",
            deadline=int((now + 20) * 1000),
            expires_at=int(now + 20),
            body_sha256=body_digest(content),
        )
        signed = {HEADER_NAME: sign_context(context, GATEWAY_KEY.encode()), **headers}
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, url, content=content, headers=signed, timeout=20)

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(10)
        self._reader.join(10)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    started = Process(tmp_path)
    yield started
    started.stop()


def test_process_answers_and_logs_json_lines_only(process: Process) -> None:
    assert process.request("GET", "/health/ready").json() == {"status": "ready"}
    assert process.request("GET", "/v1/notes").json() == {"items": [], "nextCursor": None}
    assert process.request("GET", "/v1/notes?sort=%74itle&limit=1").status_code == 200
    process.popen.send_signal(signal.SIGTERM)
    process.popen.wait(10)
    process.stop()
    requests = [line for line in process.lines if line["event"] == "request"]
    assert [line["path"] for line in requests] == ["/v1/notes", "/v1/notes"]
    assert {line["service"] for line in process.lines} == {"notes"}


def test_stop_finishes_what_runs_and_takes_nothing_new(process: Process) -> None:
    answers: list[httpx.Response] = []
    running = threading.Thread(target=lambda: answers.append(process.request("POST", "/v1/notes/slow?seconds=1.0")))
    running.start()
    time.sleep(0.3)
    begun = time.monotonic()
    process.popen.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    with pytest.raises(httpx.ConnectError):
        process.request("GET", "/health/live")
    running.join(10)
    assert answers[0].json() == {"seconds": 1.0}
    process.popen.wait(10)
    assert time.monotonic() - begun < 5


def test_stop_does_not_wait_longer_than_it_was_told(tmp_path: Path) -> None:
    process = Process(tmp_path, SHUTDOWN_TIMEOUT_S="1")
    try:
        running = threading.Thread(target=lambda: _ignore_errors(process), daemon=True)
        running.start()
        time.sleep(0.3)
        begun = time.monotonic()
        process.popen.send_signal(signal.SIGTERM)
        process.popen.wait(10)
        assert time.monotonic() - begun < 4
    finally:
        process.stop()


def _ignore_errors(process: Process) -> None:
    try:
        process.request("POST", "/v1/notes/slow?seconds=50")
    except httpx.HTTPError:
        return


def test_long_body_is_refused_before_it_is_read(process: Process) -> None:
    with socket.create_connection(("127.0.0.1", process.port), timeout=5) as connection:
        now = int(time.time())
        context = RequestContext("notes", "POST", "/v1/notes", "r1", (now + 20) * 1000, now + 20)
        head = (
            "POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n"
            f"{HEADER_NAME}: {sign_context(context, GATEWAY_KEY.encode())}\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert b"413" in connection.recv(4096).split(b"\r\n")[0]


def test_body_without_a_length_is_measured_as_it_comes(process: Process) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 64 * 1024

    now = int(time.time())
    context = RequestContext("notes", "POST", "/v1/notes", "r1", (now + 20) * 1000, now + 20)
    headers = {HEADER_NAME: sign_context(context, GATEWAY_KEY.encode()), "Content-Type": "application/json"}
    answer = httpx.post(f"http://127.0.0.1:{process.port}/v1/notes", content=chunks(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")


def test_client_that_leaves_in_the_middle_of_its_body_harms_nobody(process: Process) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", process.port), timeout=5) as connection:
            now = int(time.time())
            context = RequestContext("notes", "POST", "/v1/notes", "r1", (now + 20) * 1000, now + 20)
            head = (
                "POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
                f"{HEADER_NAME}: {sign_context(context, GATEWAY_KEY.encode())}\r\n\r\n" + '{"title"'
            )
            connection.sendall(head.encode())
    assert process.request("GET", "/v1/notes").json()["items"] == []
    process.popen.send_signal(signal.SIGTERM)
    process.popen.wait(10)
    process.stop()
    assert [line for line in process.lines if line["level"] == "error"] == []
