"""``python -m spillway.gateway``: the gateway as a plain server; its settings are the environment's."""

import argparse
import sys
from collections.abc import Sequence

import uvicorn

from spillway.bootstrap.gateway import build_server
from spillway.gateway.concurrency.connection_guard import GuardedConnection
from spillway.gateway.request.cors import Cors
from spillway.gateway.server import ServerApp
from spillway.settings import BadSetting, Settings

# As on Lambda (functions/serve_openai/run.sh); what is over 32 KB is refused with a 431.
_HEAD_BYTES = 65_536
_NEEDED = (
    *("region", "routes_table", "usage_table", "keys_table", "limits_table", "prices_table", "event_bus"),
    *("key_cache_seconds", "gateway_idle_seconds"),
)


def config(arguments: Sequence[str] | None, settings: Settings) -> uvicorn.Config:
    """Return how the server is to run; raises BadSetting at once, not with the first request."""
    parser = argparse.ArgumentParser(
        prog="spillway.gateway", description="Serve OpenAI's API; see docs/gateway-server.md."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    for name in _NEEDED:
        getattr(settings, name)
    return uvicorn.Config(
        ServerApp(build_server, settings.gateway_most_requests, Cors(settings.cors_origins)),
        host=chosen.host,
        port=chosen.port,
        http=GuardedConnection,
        ws="none",
        lifespan="on",  # what cannot be built ends it
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_graceful_shutdown=settings.gateway_drain_seconds,
        access_log=False,  # the gateway's own line says more
        server_header=False,
        log_level="warning",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code: 0 stopped, 2 not set up."""
    try:
        server = uvicorn.Server(config(arguments, Settings()))
    except BadSetting as err:
        print(f"spillway.gateway: {err}", file=sys.stderr)
        return 2
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
