"""Addresses to listen on: host and port, and whether other machines reach them."""

from __future__ import annotations

import ipaddress


def parse_address(text: str) -> tuple[str, int]:
    """ "127.0.0.1:9470" or "[::1]:9470" -> host and port; raises ValueError."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{port!r} is no port")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
