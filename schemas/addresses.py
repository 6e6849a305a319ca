"""Which addresses are this machine's alone."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without a port) can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    # Who listens for both kinds of addresses sees those of IPv4 within IPv6.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
