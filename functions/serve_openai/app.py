"""The OpenAI-compatible gateway, served by uvicorn behind Lambda Web Adapter (see run.sh)."""

from spillway.bootstrap.gateway import build_gateway
from spillway.gateway.app import LazyApp

app = LazyApp(build_gateway)
