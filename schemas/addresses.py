"""Which addresses are this machine's alone."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without a port) can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
