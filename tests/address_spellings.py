"""Spellings of addresses: what the system's own parsers read in them, and what the guard lets pass.

    python -m tests.address_spellings [COUNT]

What looks like a name may be an address to `inet_aton` (octal, hexadecimal, fewer than four parts), to `inet_pton` and
to `getaddrinfo`. The guard lets pass what all that can read it read alike, if its spelling is plain and it is public.
"""

from __future__ import annotations

import random
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from adapters.http import UnsafeTarget, guard

ALL = 100_000

STRICTER = [
    ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
        "224.0.0.0/4",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
    )
]
"""What Python takes for global, and is nobody's receiver."""

SPECIAL = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", "169.254.169.254/32", "100.100.100.200/32", "8.8.8.8/32"),
    *("::/128", "::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32"),
    *("2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "2000::/3"),
)
"""Blocks that are not of the public internet, and a few that are. Their edges are where a mistake would be."""


def _edges(version: int) -> list[int]:
    """The first and the last address of each block, those beside them, and one within."""
    blocks = [network for network in map(ip_network, SPECIAL) if network.version == version]
    found = {
        edge
        for block in blocks
        for edge in (int(block[0]) - 1, int(block[0]), int(block[0]) + 1, int(block[-1]), int(block[-1]) + 1)
    }
    return sorted(edge for edge in found if 0 <= edge < 1 << (32 if version == 4 else 128))


EDGES = {version: _edges(version) for version in (4, 6)}


@dataclass
class Tally:
    """What became of the spellings. `disagreements` are those that must not be."""

    spelled: int = 0
    read: int = 0
    let_pass: int = 0
    disagreements: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.spelled:,} spellings: {self.read:,} are an address to some parser of the system,"
            f" {self.let_pass:,} pass the guard, {len(self.disagreements)} disagreements"
        )


def compared(count: int, seed: int = 0) -> Tally:
    """`count` different spellings, the same ones for the same seed."""
    tally = Tally()
    for text in _spellings(count, random.Random(seed)):
        tally.spelled += 1
        readings = _readings(text)
        passed = _passed(text)
        tally.read += bool(readings)
        tally.let_pass += passed is not None
        if passed != _meant(text, readings):
            tally.disagreements.append(f"{text}: the guard makes {passed} of it, the system {sorted(readings)}")
    return tally


def _passed(text: str) -> str | None:
    """The address that the guard lets pass, None for what it refuses. A name is not looked up: it is refused, too."""

    def no_name(_: str) -> Sequence[str]:
        return ()

    host = f"[{text}]" if ":" in text else text
    try:
        (address,) = guard(f"https://{host}/", no_name).addresses
    except UnsafeTarget:
        return None
    return address


def _meant(text: str, readings: set[str]) -> str | None:
    """What it should make of it: an address that all parsers read alike, in a plain spelling, and public."""
    if len(readings) != 1 or not _is_plain(text):
        return None
    (address,) = readings
    return address if _is_public(address) else None


_FOUR_NUMBERS = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")


def _is_plain(text: str) -> bool:
    """IPv4: four decimal numbers without leading zeros. IPv6: whatever `inet_pton` takes, without a zone."""
    return "%" not in text if ":" in text else _FOUR_NUMBERS.fullmatch(text) is not None


def _is_public(text: str) -> bool:
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address not in ip_network("2000::/3"):
        return False
    return address.is_global and not any(
        address in network for network in STRICTER if network.version == address.version
    )


# --- the system's parsers -------------------------------------------------------------------------------------------


def _readings(text: str) -> set[str]:
    """The addresses that they read in it."""
    return {address for read in (_aton, _pton4, _pton6, _numeric) for address in read(text)}


def _aton(text: str) -> Iterator[str]:
    try:
        yield str(IPv4Address(socket.inet_aton(text)))
    except (OSError, ValueError):
        return


def _pton4(text: str) -> Iterator[str]:
    try:
        yield str(IPv4Address(socket.inet_pton(socket.AF_INET, text)))
    except (OSError, ValueError):
        return


def _pton6(text: str) -> Iterator[str]:
    try:
        yield str(IPv6Address(socket.inet_pton(socket.AF_INET6, text)))
    except (OSError, ValueError):
        return


def _numeric(text: str) -> Iterator[str]:
    try:
        found = socket.getaddrinfo(text, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        return
    for *_, address in found:
        yield str(ip_address(str(address[0]).partition("%")[0]))


# --- spellings ------------------------------------------------------------------------------------------------------


def _spellings(count: int, chance: random.Random) -> Iterator[str]:
    seen: set[str] = set()
    while len(seen) < count:
        text = chance.choice((_ipv4, _ipv4, _ipv6, _ipv6, _broken))(chance)
        if text not in seen:
            seen.add(text)
            yield text


_PARTS: Sequence[Callable[[int], str]] = (
    str,
    str,
    lambda part: f"0{part:o}",
    lambda part: f"{part:03d}",
    hex,
    lambda part: f"0X{part:X}",
    lambda part: f"0x{part:08x}",
    lambda part: f"00{part:o}",
)


def _ipv4(chance: random.Random) -> str:
    """1 to 4 parts, of which the last takes all bits that are left; each spelled in its own way, or all in one."""
    number = chance.choice(EDGES[4]) if chance.random() < 0.5 else chance.getrandbits(32)
    parts = chance.choice((1, 2, 3, 4, 4, 4, 4))
    leading = [(number >> shift) & 255 for shift in (24, 16, 8)][: parts - 1]
    numbers = [*leading, number & ((1 << (8 * (5 - parts))) - 1)]
    if chance.random() < 0.5:
        return ".".join(map(str, numbers))
    return ".".join(chance.choice(_PARTS)(part) for part in numbers)


def _ipv6(chance: random.Random) -> str:
    """Long, short, with capitals, with zeros, with an IPv4 address at its end, with a zone."""
    number = chance.choice(EDGES[6])
    if chance.random() < 0.6:
        number = number >> 32 << 32 | (chance.choice(EDGES[4]) if chance.random() < 0.5 else chance.getrandbits(32))
    address = IPv6Address(number)
    text = chance.choice(
        (str(address), address.exploded, _with_ipv4(number), str(address).upper(), _with_zeros(address))
    )
    return f"{text}%{chance.choice(('lo', 'eth0', '1'))}" if chance.random() < 0.05 else text


def _with_ipv4(number: int) -> str:
    head = IPv6Address(number & ~0xFFFFFFFF).exploded.rsplit(":", 2)[0]
    return f"{head}:{IPv4Address(number & 0xFFFFFFFF)}"


def _with_zeros(address: IPv6Address) -> str:
    """The compressed part at another place, or none."""
    groups = [group.lstrip("0") or "0" for group in address.exploded.split(":")]
    return ":".join(groups)


def _broken(chance: random.Random) -> str:
    """A spelling with one character too many, too few, or another one."""
    text = chance.choice((_ipv4, _ipv6))(chance)
    position = chance.randrange(len(text))
    middle = chance.choice(("", text[position] * 2, chance.choice("0123456789abcdefx.:%-+")))
    return (text[:position] + middle + text[position + 1 :]) or "0"


def main(words: Sequence[str]) -> int:
    """0 where the guard and the system agree about all."""
    began = time.monotonic()
    tally = compared(int(words[0]) if words else ALL)
    sys.stdout.write(
        f"{tally}, {time.monotonic() - began:.1f} s\n" + "".join(f"    {told}\n" for told in tally.disagreements)
    )
    return 1 if tally.disagreements else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
