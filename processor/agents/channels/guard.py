"""The guard against addresses that a configured URL must not lead to: this machine, private networks, metadata.

Owns the judgement of an address and the sockets that obey it. The address is judged when the connection is made, after
the name was resolved, so a name that resolves to another address the next time does not get past it.
"""

import ipaddress
import socket
from typing import Any

_V4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # this machine
        "168.63.129.16/32",  # what Azure tells a machine about itself
        "169.254.0.0/16",  # link-local, metadata
        "192.0.0.0/24", "192.88.99.0/24",  # protocols, and relays that are no more
        "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  # documentation
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4", "240.0.0.0/4",  # multicast, reserved, broadcast
    )
]  # fmt: skip
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
"""All that IANA gives to the internet. Loopback, link- and site-local, unique local and multicast lie outside."""
_V6 = [
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32", "3fff::/20",  # documentation
    )
]  # fmt: skip
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_ISATAP = (0x00005EFE, 0x02005EFE)
_LOW = 0xFFFFFFFF


class BlockedAddressError(OSError):
    """The address may not be connected to. An OSError: clients report it as a connection that failed."""

    def __init__(self) -> None:
        super().__init__("leads to an address that is not public (allow_private: true permits it)")


def is_public(host: str) -> bool:
    """Whether an IP address (not a name) is one of the internet's; addresses carried inside IPv6 are looked at too."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return _is_public_v4(address)
    carried = _carried(address)
    if carried is not None:
        return all(map(_is_public_v4, carried))
    return address in _GLOBAL_V6 and address.is_global and not any(address in network for network in _V6)


def _is_public_v4(address: ipaddress.IPv4Address) -> bool:
    return address.is_global and not any(address in network for network in _V4)


def _carried(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...] | None:
    """The IPv4 addresses to which a packet for this one is sent on, by a translator or tunnel; None: it is no such."""
    number = int(address)
    if address in _MAPPED or address in _NAT64:
        return (ipaddress.IPv4Address(number & _LOW),)
    if address in _SIX_TO_FOUR:
        return (ipaddress.IPv4Address(number >> 80 & _LOW),)
    if address in _TEREDO:
        return (ipaddress.IPv4Address(number >> 64 & _LOW), ipaddress.IPv4Address(~number & _LOW))
    if address in _GLOBAL_V6 and number >> 32 & _LOW in _ISATAP:
        return (ipaddress.IPv4Address(number & _LOW),)
    return None


def guarded_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket for a resolved address, as `aiohttp.TCPConnector` asks for it. Raises BlockedAddressError."""
    family, kind, protocol, _, place = address
    if not is_public(place[0]):
        raise BlockedAddressError
    return socket.socket(family=family, type=kind, proto=protocol)


def guarded_connection(host: str, port: int, timeout: float) -> socket.socket:
    """Resolve and connect, to a public address only; blocks. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    public = [entry for entry in found if is_public(str(entry[4][0]))]
    if not public:
        raise BlockedAddressError
    failure: OSError | None = None
    for family, kind, protocol, _, place in public:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(timeout)
        try:
            connection.connect(place)
        except OSError as error:
            failure = error
            connection.close()
        else:
            return connection
    raise failure or BlockedAddressError
