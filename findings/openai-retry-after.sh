#!/usr/bin/env bash
# The openai client gives up at once where Retry-After is above two minutes, though it has retries left.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openai==3.57.0
"$work/venv/bin/python" - <<'PYTHON'
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai

waits: list[float] = []
time.sleep = waits.append


class Busy(BaseHTTPRequestHandler):
    asked = 0
    after = 0

    def do_POST(self) -> None:
        Busy.asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Retry-After", str(Busy.after))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", max_retries=2)


def ask(after: int) -> tuple[int, list[float]]:
    """Return how often the server is asked when it always says 503 and to come back later, and the waits between."""
    Busy.asked, Busy.after = 0, after
    waits.clear()
    try:
        client.chat.completions.create(model="any", messages=[{"role": "user", "content": "Hello"}])
    except openai.InternalServerError:
        return Busy.asked, list(waits)
    raise AssertionError("a 503 was taken for an answer")


print(f"version:  openai {openai.__version__}")
print("expected: max_retries=2 is three requests whatever Retry-After says; one that is too long to wait for is cut")
print("          short, or replaced by the client's own back-off, as for a 503 without the header")
short, long = ask(120), ask(121)
print(f"observed: Retry-After 120: {short[0]} requests, waits {short[1]}; 121: {long[0]} request, waits {long[1]}")
assert short == (3, [120.0, 120.0])
assert long == (1, [])
PYTHON
