"""Which addresses are public: an own list, because what the interpreter calls global changes with its version and holds
addresses of machines beside us.

Of IPv6 only global unicast is public at all, so that whatever is handed out later is refused until it is known. What
hides an IPv4 address (mapped, compatible, 6to4, NAT64) is judged by that.
https://www.iana.org/assignments/iana-ipv4-special-registry https://www.iana.org/assignments/iana-ipv6-special-registry
"""

from __future__ import annotations

import ipaddress
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NEVER_V4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT; 100.100.100.200 tells Alibaba's machines about themselves
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own services beside each of its machines
        "169.254.0.0/16",  # link-local; 169.254.169.254 tells clouds' machines about themselves
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 tells Oracle's machines about themselves
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnelling
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NEVER_V6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks, multicast tunnelling, drones
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # 6bone, withdrawn
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


def is_public(address: IPAddress) -> bool:
    """Whether anybody on the internet may be reached there, and nobody beside us."""
    real = unwrap(address)
    if isinstance(real, ipaddress.IPv4Address):
        return not any(real in network for network in _NEVER_V4)
    return real in _GLOBAL_UNICAST and not any(real in network for network in _NEVER_V6)


def unwrap(address: IPAddress) -> IPAddress:
    """The IPv4 address that a mapped, compatible, 6to4 or NAT64 address leads to, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
