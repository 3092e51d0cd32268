"""A fleet's proxies as its instances run them, before engines that are fakes; Auto Scaling and EC2 are two files."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from spillway.adapters.drivers.fleet.config import FleetConfig
from spillway.adapters.drivers.fleet.user_data import user_data
from spillway.domain.deployments.resource_names import Names
from tests.builders import a_spec

HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
# All of 127/8 is this machine's loopback: each engine has an address of its own, and all have one port.
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
_AWS = """#!/bin/bash
[ -e "$FOLDER/broken" ] && exit 1
[ "$1" = autoscaling ] && cat "$FOLDER/instances" || tr ' ' '\\t' < "$FOLDER/addresses"
"""
_DOCKER = """#!/bin/bash
[ "$*" = "kill --signal USR2 proxy" ] && kill -USR2 $(cat "$FOLDER"/*.pid)
"""


@dataclass
class FakeEngine:
    """Answers with its address; while ``held`` is set, an answer begins and its end waits for ``release``."""

    address: str
    port: int
    held: bool = False
    release: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    seen: list[web.BaseRequest] = field(default_factory=list)
    _runner: web.ServerRunner | None = None

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.address, self.port).start()

    async def kill(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/health":
            return web.Response()
        self.seen.append(request)
        response = web.StreamResponse()
        await response.prepare(request)
        self.in_flight += 1
        await response.write(self.address.encode())
        if self.held:
            await self.release.wait()
        await response.write(b" done")
        self.in_flight -= 1
        return response


@dataclass
class Proxies:
    """Two instances' proxies (the own engines are the first two), and what all of them look up."""

    folder: Path
    engines: dict[str, FakeEngine]
    urls: tuple[str, str]
    session: aiohttp.ClientSession

    def in_service(self, *addresses: str) -> "subprocess.CompletedProcess[bytes]":
        """Let these instances be in service, and every instance look once."""
        (self.folder / "instances").write_text("\t".join(f"i-{each}" for each in addresses))
        (self.folder / "addresses").write_text(" ".join(reversed(addresses)))
        return self.look()

    def look(self) -> "subprocess.CompletedProcess[bytes]":
        """Run the instance's own script for one round."""
        port = str(next(iter(self.engines.values())).port)
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}", "FOLDER": str(self.folder)}
        script = [str(self.folder / "spillway-peers"), "spillway-llama", ADDRESSES[0], port, str(self.folder)]
        return subprocess.run(["bash", *script], env=environment, check=False)

    async def ask(self, affinity: str | None, proxy: int = 0) -> str:
        """Return the address of the engine that answered, by one instance's proxy."""
        headers = {"x-spillway-affinity": affinity} if affinity else {}
        async with self.session.post(self.urls[proxy] + "/v1/chat/completions", json={}, headers=headers) as answer:
            assert answer.status == 200
            address, done = (await answer.text()).split()
            assert done == "done"
            return address

    async def homes(self, count: int = 60, proxy: int = 0) -> dict[str, str]:
        """Return which engine answers each of so many conversations, asked one after the other."""
        return {key: await self.ask(key, proxy) for key in (f"{number:016x}" for number in range(count))}


@asynccontextmanager
async def proxies(folder: Path) -> AsyncIterator[Proxies]:
    """Three engines behind two proxies, all in service."""
    _write_scripts(folder)
    port = _free_port()
    engines = {address: FakeEngine(address, port) for address in ADDRESSES}
    doors = (_free_port(), _free_port())
    async with AsyncExitStack() as stack:
        for engine in engines.values():
            await engine.start()
            stack.push_async_callback(engine.kill)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        made = Proxies(folder, engines, (f"http://127.0.0.1:{doors[0]}", f"http://127.0.0.1:{doors[1]}"), session)
        made.in_service(*ADDRESSES)
        for index, door in enumerate(doors):
            stack.callback(_stop, _start(folder, door, f"{ADDRESSES[index]}:{port}"))
            await _listening(door)
        yield made


def _write_scripts(folder: Path) -> None:
    config = FleetConfig(
        "spillway", "us-east-1", "vpc-1", ("subnet-1",), "sg-1", "listener", "profile", "loads", False, None
    )
    script = user_data(a_spec(), Names("spillway", "llama"), config)
    parts = {"base.cfg": "CONFIG", "spillway-peers": "PEERS"}
    for name, mark in parts.items():
        (found,) = re.findall(rf"<<'{mark}'\n(.*?\n){mark}\n", script, re.DOTALL)
        (folder / name).write_text(found)
    for name, text in {"aws": _AWS, "docker": _DOCKER}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def _start(folder: Path, door: int, own: str) -> "subprocess.Popen[bytes]":
    assert HAPROXY
    started = subprocess.Popen(
        [HAPROXY, "-W", "-db", "-f", str(folder / "haproxy.cfg")],
        env={"BIND": f"127.0.0.1:{door}", "OWN_ENGINE": own},
        stderr=subprocess.DEVNULL,
    )
    (folder / f"{door}.pid").write_text(f"{started.pid}\n")
    return started


def _stop(process: "subprocess.Popen[bytes]") -> None:
    # A worker whose master is gone ends by itself.
    process.kill()
    process.wait(10)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def _listening(port: int) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
    raise AssertionError("the proxy does not listen")
