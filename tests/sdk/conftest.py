"""The daemon under test, with the real local model behind it and a stub that only says 429."""

import http.server
import json
import os
import queue
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import openai
import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# The model in it is kept between runs, so that it is downloaded once.
STATE = TARGET / "sdk-state"
KEY = "sk-client-of-the-sdk-tests"
LISTENING = re.compile(r"planb: listening on (http://\S+)")

POLICY = """
timezone: UTC
providers:
  home: {{vendor: llama.cpp, base_url: "http://127.0.0.1:{port}", start: {{command: ["{serve}", --port, "{port}"], ready: 10m}}}}
  busy: {{vendor: openai-compatible, base_url: "{busy}/v1", api_key: file:app.key, breaker: none, cooldown: none}}
models:
  tiny: {{provider: home, name: smollm2-135m, supply: local, quality: 20, context: 8k}}
  busy: {{provider: busy, name: busy, supply: competitor, quality: 50, context: 8k, price: {{input: 1 USD/M, output: 1 USD/M}}}}
  dear: {{provider: busy, name: dear, supply: licensed, quality: 90, context: 8k, price: {{input: 9 USD/M, output: 9 USD/M}}}}
clients:
  app: {{key: file:app.key, tags: {{team: sdk}}}}
routes:
  - {{name: chat, try: [tiny]}}
  - {{name: busy, try: [busy], limits: {{attempts: 1}}}}
  - {{name: poor, try: [dear]}}
budgets:
  pennies: {{limit: 0.000001 USD, per: month, covers: 'model.name == "dear"'}}
"""


class Busy(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        error = {"message": "Slow down.", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}
        body = json.dumps({"error": error}).encode()
        self.send_response(429)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("retry-after", "3")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Daemon:
    """A running `planb serve`, found by the line it says once it listens."""

    def __init__(self, policy):
        command = [TARGET / "debug" / "planb", "serve", "--policy", policy, "--state", STATE, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.said, heard = [], queue.Queue()
        threading.Thread(target=self._listen, args=(heard,), daemon=True).start()
        try:
            self.url = heard.get(timeout=60)
        except queue.Empty:
            self.url = None
        if self.url is None:
            self.process.kill()
            raise RuntimeError("the daemon did not start:\n" + "".join(self.said))

    def _listen(self, heard):
        for line in self.process.stderr:
            self.said.append(line)
            if found := LISTENING.search(line):
                heard.put(found[1])
        heard.put(None)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def decision(self, holds):
        """The newest decision for which it holds, waited for."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            listed = self.get("/planb/decisions?limit=20")["decisions"]
            for one in listed:
                if holds(one):
                    return one
            time.sleep(0.05)
        raise AssertionError(f"no such decision in {listed}")

    def attempts(self):
        """Rows in the ledger's table of attempts."""
        files = [path for path in STATE.iterdir() if path.is_file()]
        ledger = next(path for path in files if path.read_bytes().startswith(b"SQLite format 3\0"))
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT COUNT(*) FROM attempts").fetchone()[0]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0, "".join(self.said)


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    STATE.mkdir(parents=True, exist_ok=True)
    for path in STATE.iterdir():
        if path.is_file():
            path.unlink()
    busy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=busy.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("policy")
    (folder / "app.key").write_text(KEY)
    serve = ROOT / "examples" / "local-model" / "serve"
    policy = folder / "policy.yaml"
    policy.write_text(POLICY.format(port=port, serve=serve, busy=f"http://127.0.0.1:{busy.server_port}"))
    running = Daemon(policy)
    yield running
    running.stop()
    busy.shutdown()


@pytest.fixture(scope="session")
def client(daemon):
    # The first call may wait for the model's download.
    return openai.OpenAI(base_url=daemon.url + "/v1", api_key=KEY, max_retries=0, timeout=600)
