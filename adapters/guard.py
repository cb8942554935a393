"""May this URL be called, and at which addresses? The one answer for every URL that a request goes to.

    url  ── locate: the text alone ──►  Location  ── resolve: every address ──►  Target, the only thing connected to

Nothing is repaired: a URL that two programs could read in two ways is refused. No message repeats the URL, which may
hold a token, nor an address, which would tell a stranger what the inner network looks like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias

from domain.errors import UnsafeTarget

Resolve: TypeAlias = Callable[[str], Sequence[str]]
"""The addresses of a name, as text. Raises OSError when they cannot be had."""

PORTS = {"https": (443, 8443), "http": (80, 8080)}
"""The first is the scheme's own. What listens elsewhere is seldom a receiver, and often something within reach."""
LONGEST_URL = 4096
LONGEST_NAME = 253


class Unresolved(UnsafeTarget):
    """The name has no address now. It may have one later."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a URL points. `host` is lower-case ASCII or an address without brackets; `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)

    @property
    def authority(self) -> str:
        """As the Host header says it: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme][0] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target(Location):
    """A location and its addresses, every one of them checked, in the order in which they were given."""

    addresses: tuple[str, ...]


def guard(
    url: str,
    resolve: Resolve,
    *,
    allow_http: bool = False,
    allow_hosts: Collection[str] | None = None,
    allow_private_network: bool = False,
) -> Target:
    """The checked target of a URL. `resolve` is asked once, and not at all when the host is an address.

    `allow_hosts`: exact names, or `*.example.com` for every name below that one. `allow_private_network` lets the
    host be local and the port any; links, metadata services and everything that is nobody's receiver stay refused.
    Raises UnsafeTarget; Unresolved, which is one, when the name has no address.
    """
    location = locate(url, allow_http=allow_http, allow_hosts=allow_hosts, allow_private_network=allow_private_network)
    return Target(
        scheme=location.scheme,
        host=location.host,
        port=location.port,
        path=location.path,
        addresses=_checked_addresses(location.host, resolve, allow_private_network),
    )


def locate(
    url: str,
    *,
    allow_http: bool = False,
    allow_hosts: Collection[str] | None = None,
    allow_private_network: bool = False,
) -> Location:
    """All of the guard that needs no network. Raises UnsafeTarget."""
    parts = _parts(url)
    scheme = _scheme(parts["scheme"], allow_http)
    host = _host(parts["host"], allow_private_network)
    if allow_hosts is not None and not _is_listed(host, allow_hosts):
        raise UnsafeTarget("the host is not one of the allowed ones")
    return Location(
        scheme=scheme,
        host=host,
        port=_port(parts["port"], scheme, allow_private_network),
        path=_path(parts["path"], parts["query"]),
    )


# --- the text -------------------------------------------------------------------------------------------------------

_PARTS = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<host>\[[^\[\]/]*\]|[^:/?\[\]]*)(?P<port>:[^/?]*)?(?P<path>/[^?]*)?(?P<query>\?.*)?"
)
_UNFIT = re.compile(r"[\x00-\x20\x7f-\xa0\\#]")
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")


def _parts(url: str) -> dict[str, str]:
    if len(url) > LONGEST_URL:
        raise UnsafeTarget(f"a URL has at most {LONGEST_URL} characters")
    if _UNFIT.search(url):
        raise UnsafeTarget("a URL has no white space, control characters, backslash or fragment")
    parts = _PARTS.fullmatch(url)
    if parts is None:
        raise UnsafeTarget("this is not a URL of the form https://host/path")
    if "@" in parts["host"] or "@" in (parts["port"] or ""):
        raise UnsafeTarget("a URL names no user")
    return parts.groupdict(default="")


def _scheme(text: str, allow_http: bool) -> str:
    scheme = text.lower()
    if scheme not in PORTS or (scheme == "http" and not allow_http):
        raise UnsafeTarget("the scheme is not https")
    return scheme


def _port(text: str, scheme: str, allow_any: bool) -> int:
    if not text:
        return PORTS[scheme][0]
    if not re.fullmatch(r":[1-9][0-9]{0,4}", text) or int(text[1:]) > 65535:
        raise UnsafeTarget("the port is not a number from 1 to 65535")
    port = int(text[1:])
    if not allow_any and port not in PORTS[scheme]:
        raise UnsafeTarget(f"the port is none of {', '.join(map(str, PORTS[scheme]))}")
    return port


def _path(path: str, query: str) -> str:
    whole = (path or "/") + query
    if not _PATH.fullmatch(whole):
        raise UnsafeTarget("path and query hold characters that must be percent-encoded")
    return whole


# --- the host -------------------------------------------------------------------------------------------------------

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_TOP_LABEL = re.compile(r"[a-z][a-z0-9-]*")

_LOCAL_SUFFIXES = (
    *(".localhost", ".localdomain", ".local", ".internal", ".intranet"),
    *(".private", ".corp", ".home", ".lan", ".home.arpa", ".onion"),
)
"""Names that only an inner network gives a meaning. Their addresses would be refused too; this saves the question."""


def _host(text: str, allow_local: bool) -> str:
    if text.startswith("["):
        return str(_ipv6(text[1:-1]))
    if _is_ipv4(text):
        return str(_ipv4(text))
    name = _name(text)
    if not allow_local and ("." not in name or f".{name}".endswith(_LOCAL_SUFFIXES)):
        raise UnsafeTarget("the host is a name of a local network")
    return name


def _is_ipv4(host: str) -> bool:
    return re.fullmatch(r"[0-9.]+", host) is not None


def _ipv6(text: str) -> IPv6Address:
    try:
        if re.fullmatch(r"[0-9A-Fa-f:.]+", text):  # so without a zone
            return IPv6Address(text)
    except ValueError:
        pass
    raise UnsafeTarget("the host is not an IPv6 address")


def _ipv4(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError:
        raise UnsafeTarget("the host is not an IPv4 address of four decimal numbers") from None


def _name(text: str) -> str:
    """In lower case, and in ASCII. Unicode's look-alikes of letters and dots are refused, not translated."""
    name = text.lower() if text.isascii() else _international(text)
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise UnsafeTarget("the host is not a name")
    if "xn--" in name:
        name = _international(name)
    # A name whose last part starts with a digit is an IPv4 address to some: 127.1, 0x7f.1, 1.2.3.0x4.
    if not _TOP_LABEL.fullmatch(name.rpartition(".")[2]):
        raise UnsafeTarget("the host is neither a name nor an address of four decimal numbers")
    return name


def _international(text: str) -> str:
    import idna  # seldom needed, and 8 ms

    try:
        return idna.encode(text, strict=True, uts46=False).decode("ascii")
    except UnicodeError:  # idna's errors are
        raise UnsafeTarget("the host is not a valid international name") from None


def _is_listed(host: str, patterns: Collection[str]) -> bool:
    names = [pattern.lower() for pattern in patterns]
    return any(host == name or (name[:2] == "*." and host.endswith(name[1:])) for name in names)


# --- the addresses --------------------------------------------------------------------------------------------------
# Tables of our own: `ipaddress.is_global` changes between versions of Python, and takes an address that only wraps
# another one (6to4, Teredo, NAT64) for global.


def _networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


_GLOBAL_UNICAST = _networks("0.0.0.0/0", "2000::/3")
"""IPv6 hands out addresses from this block only: everything else is local, multicast, or wraps an IPv4 address."""

_NOT_GLOBAL = _networks(
    "0.0.0.0/8",  # this host
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # a provider's inner network
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local, with the clouds' metadata
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    "2001::/23",  # protocol assignments, with Teredo, which wraps IPv4
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4, which wraps IPv4
    "3fff::/20",  # documentation
)

_PRIVATE = _networks(
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
    *("::1/128", "fc00::/7"),
)
"""What `allow_private_network` opens."""

_METADATA = _networks(
    "168.63.129.16/32",  # Azure, in the midst of the global ones
    "100.100.100.200/32",  # Alibaba
    "fd00:ec2::254/128",  # AWS
    "fd20:ce::254/128",  # Google
)
"""Services that hand out credentials, beside the link-local ones. They are nobody's receiver."""


def _checked_addresses(host: str, resolve: Resolve, allow_private: bool) -> tuple[str, ...]:
    addresses = [host] if ":" in host or _is_ipv4(host) else _resolved(host, resolve)
    return tuple(_checked_address(address, allow_private) for address in addresses)


def _resolved(name: str, resolve: Resolve) -> Sequence[str]:
    try:
        addresses = resolve(name)
    except OSError:
        addresses = ()
    if not addresses:
        raise Unresolved("the host's name has no address")
    return addresses


def _checked_address(text: str, allow_private: bool) -> str:
    address = _ipv6(text) if ":" in text else _ipv4(text)
    if _within(address, _METADATA) or not (_is_global(address) or (allow_private and _within(address, _PRIVATE))):
        raise UnsafeTarget("the host has an address that is not of the public internet")
    return str(address)


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    return _within(address, _GLOBAL_UNICAST) and not _within(address, _NOT_GLOBAL)


def _within(address: IPv4Address | IPv6Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)
