"""Which client a request comes from: its network and its browser, as far as the shop can believe it.

API Gateway says who called it, and whoever that is may write what he likes into X-Forwarded-For. Only where a proxy of
the shop's own called, what that one added is believed: read from the right, the first address that is none of its. It
is known by its address (`TRUSTED_PROXIES`), or, as CloudFront has many and shares them with everybody, by a secret that
it sends (`PROXY_SECRET`).
"""

from __future__ import annotations

import functools
import hmac
import ipaddress
import os
from collections.abc import Iterable
from typing import Final

from handlers.api.http import Request
from ticketing.checkout.openers import Client
from ticketing.errors import ConfigurationError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# One customer has a whole network of this size (RFC 6177), and as many addresses as he likes.
_IPV6_BITS: Final = 64
# deploy/rate-limit.yaml lets CloudFront send it.
_PROXY_HEADER: Final = "x-cachao-proxy"


def client_of(request: Request) -> Client | None:
    """Give the client; None where API Gateway says no address.

    Raises:
        ConfigurationError: `TRUSTED_PROXIES` is malformed.
    """
    address = _address(request.source_ip)
    if address is None:
        return None
    trusted = _trusted(os.environ.get("TRUSTED_PROXIES", ""))
    if _has_secret(request):
        trusted = (*trusted, ipaddress.ip_network(address))
    for hop in reversed(request.headers.get("x-forwarded-for", "").split(",")):
        if not _is_in(address, trusted):
            break
        before = _address(hop.strip())
        if before is None:
            break
        address = before
    return Client(network=_network_of(address), user_agent=request.headers.get("user-agent", ""))


def _has_secret(request: Request) -> bool:
    secret = os.environ.get("PROXY_SECRET", "")
    return bool(secret) and hmac.compare_digest(request.headers.get(_PROXY_HEADER, "").encode(), secret.encode())


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _network_of(address: _Address) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), _IPV6_BITS), strict=False))
    return str(address)


def _is_in(address: _Address, networks: Iterable[_Network]) -> bool:
    return any(address in network for network in networks)


@functools.cache
def _trusted(setting: str) -> tuple[_Network, ...]:
    try:
        return tuple(ipaddress.ip_network(entry.strip()) for entry in setting.split(",") if entry.strip())
    except ValueError:
        raise ConfigurationError("TRUSTED_PROXIES must be addresses or networks, separated by commas.") from None
