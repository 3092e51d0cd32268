"""Addresses in a request that an engine would fetch: none may name anything inside the network that the engine is in.

Nothing is resolved here: what a public name resolves to, or redirects to, only whoever fetches it can see (docs).
"""

import ipaddress
import re
import socket
from collections.abc import Iterator
from typing import Any

from spillway.domain.errors import InvalidRequest

_ALLOWED = ("https://", "http://", "data:")
# What engines take media from beside the fields whose names end so.
_ENDS = ("url", "uri")
_MEDIA = frozenset({"image", "audio", "video", "file"})
_TEXT = frozenset({"role", "content", "type", "text"})
# What an answer had cited; nobody fetches it.
_CITED = "annotations"
_AUTHORITY = re.compile(r"https?://([^/?#]*)", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d*)?", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE | re.ASCII)
_PRIVATE_SUFFIXES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def check_addresses(body: dict[str, Any]) -> None:
    """Raise InvalidRequest with the field that names what must not be fetched."""
    for root in ("messages", "input"):
        if isinstance(body.get(root), list):
            _check(body[root], (root,))
    tools = body.get("tools")
    for at, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict) and isinstance(tool.get("server_url"), str):
            check_address(tool["server_url"], f"tools.{at}.server_url")


def check_address(address: str, param: str) -> None:
    """Raise InvalidRequest unless this is data, or on a host with a public name or number."""
    if address[:5].lower() == "data:":
        return
    found = _AUTHORITY.match(address)
    if found is None:
        raise _refusal(param, "must begin with https://, http:// or data:")
    host = _HOST.fullmatch(found[1])
    if host is None:
        raise _refusal(param, "must name a plain host, without a user, and in punycode if it is not ASCII")
    if not (_is_public_number(host[1]) if host[1] else _is_public(host[2])):
        raise _refusal(param, f"must not name a host inside a private network, as '{found[1][:64]}' does")


def _check(value: Any, path: tuple[object, ...]) -> None:
    """Look at every field below ``path``; most are text, so their names decide before anything else is done."""
    if isinstance(value, list):
        for at, each in enumerate(value):
            if isinstance(each, dict | list):
                _check(each, (*path, at))
        return
    for key, each in value.items():
        if isinstance(each, str):
            if key not in _TEXT and (key in _MEDIA or key.endswith(_ENDS)):
                check_address(each, ".".join(map(str, (*path, key))))
        elif isinstance(each, dict | list) and key != _CITED:
            _check(each, (*path, key))


def _is_public(host: str) -> bool:
    labels = host.lower().rstrip(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # One number or four, decimal, octal or hexadecimal: as the resolvers of engines read it.
        try:
            return _is_public_number(str(ipaddress.IPv4Address(socket.inet_aton(".".join(labels)))))
        except OSError:
            return False
    name = ".".join(labels)
    return "." in name and not any(name == end or name.endswith(f".{end}") for end in _PRIVATE_SUFFIXES)


def _is_public_number(text: str) -> bool:
    try:
        number = ipaddress.ip_address(text)
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast for each in (number, *_inside(number)))


def _inside(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 one stands for."""
    if isinstance(number, ipaddress.IPv6Address):
        teredo = number.teredo or ()
        for each in (number.ipv4_mapped, number.sixtofour, *teredo):
            if each is not None:
                yield each
        if number in _NAT64 or int(number) < 2**32:
            yield ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)


def _refusal(param: str, rule: str) -> InvalidRequest:
    return InvalidRequest(f"{param[:128]} {rule}", param=param[:128], code="address_not_allowed", allowed=_ALLOWED)
