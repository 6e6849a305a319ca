"""The guard against addresses that a configured URL must not lead to: this machine, private networks, metadata.

Owns the judgement of an address and the sockets that obey it. The address is judged when the connection is made, after
the name was resolved, so a name that resolves to another address the next time does not get past it.
"""

import ipaddress
import socket
from typing import Any

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class BlockedAddressError(OSError):
    """The address may not be connected to. An OSError: clients report it as a connection that failed."""

    def __init__(self) -> None:
        super().__init__("leads to an address that is not public (allow_private: true permits it)")


def is_public(host: str) -> bool:
    """Whether an IP address (not a name) is one of the internet's; addresses carried inside IPv6 are looked at too."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour
        if carried is None and address.teredo is not None:
            carried = address.teredo[1]
        if carried is None and address in _NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(str(carried))
    return address.is_global and not address.is_multicast


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
