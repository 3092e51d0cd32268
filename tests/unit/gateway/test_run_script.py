"""What Lambda starts: the script that Lambda Web Adapter runs."""

import asyncio
import os
import shlex
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.main import main

from tests.waiting import until

SCRIPT = Path("functions/serve_openai/run.sh")


async def test_uvicorn_knows_every_option_and_takes_api_gateways_headers_with_the_adapters() -> None:
    command = SCRIPT.read_text(encoding="utf-8").partition("exec ")[2]
    words = shlex.split(command.replace("${AWS_LWA_PORT:-8080}", "8080").replace("\\\n", " "))
    assert words[:3] == ["python", "-m", "uvicorn"]
    options = main.make_context("uvicorn", words[3:]).params
    assert options["app"] == "app:app"
    assert options["host"] == "127.0.0.1"
    server = uvicorn.Server(uvicorn.Config(_says_yes, port=0, lifespan="off", loop="asyncio", http=options["http"]))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
    # 10 KB from API Gateway, and two headers of a few KB from the adapter.
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-context: " + b"c" * 32_768 + b"\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 204 ")
    writer.close()
    server.should_exit = True
    await serving


async def _says_yes(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def test_lambda_may_execute_it() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert b"\r" not in SCRIPT.read_bytes()
