"""Cross-origin requests (CORS): in which pages a browser may read what the gateway answers."""

from collections.abc import Set
from typing import TypeAlias

from spillway.gateway.request.caller import Headers

_Pairs: TypeAlias = tuple[tuple[bytes, bytes], ...]

# A wildcard because names have no prefixes here: OpenAI's clients send a dozen x-stainless-… and will send more.
# It stands for all headers of requests without cookies, but Authorization (Fetch standard, "CORS-preflight fetch").
_ALLOWED: _Pairs = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, *"),
    # Chromium remembers a preflight no longer.
    (b"access-control-max-age", b"7200"),
)
_EXPOSED = (b"access-control-expose-headers", b"*")
_VARY = (b"vary", b"Origin")


class Cors:
    """What answers say to browsers. ``origins`` are those whose pages may read them, ``*`` all; without any it is off.

    No cookies are ever allowed: a key is a header that a page has to know.
    """

    def __init__(self, origins: Set[str]) -> None:
        self._is_on = bool(origins)
        self._of_any: _Pairs | None = _answer("*") if "*" in origins else None
        self._by_origin = {origin.encode(): (*_answer(origin), _VARY) for origin in origins}

    def answer(self, headers: Headers) -> _Pairs:
        """Return what every answer to a request with these headers carries."""
        if not self._is_on:
            return ()
        if self._of_any:
            return self._of_any
        # Also without an origin: a cache must not give such an answer to a page.
        return self._by_origin.get(_origin_in(headers), (_VARY,))

    def preflight(self, headers: Headers) -> _Pairs:
        """Return the headers of the answer to a preflight, which has no body and needs no key."""
        return (*self.answer(headers), *_ALLOWED) if self._is_on else ()


CORS_OFF = Cors(frozenset())


def _answer(origin: str) -> _Pairs:
    return (b"access-control-allow-origin", origin.encode()), _EXPOSED


def _origin_in(headers: Headers) -> bytes:
    return next((value for name, value in headers if name == b"origin"), b"")
