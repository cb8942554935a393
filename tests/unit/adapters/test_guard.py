"""What an attacker writes into a URL, and what comes of it: nothing."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.guard import LONGEST_URL, Unresolved, locate
from adapters.http import UnsafeTarget, guard

PUBLIC_IPV4 = "93.184.215.14"
PUBLIC_IPV6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


def resolving_to(*addresses: str) -> Callable[[str], Sequence[str]]:
    return lambda name: addresses


def never_asked(name: str) -> Sequence[str]:
    raise AssertionError("a refused URL is not looked up")


def shown(url: str) -> str:
    return ascii(url[:60])


OTHER_SCHEMES = [
    "http://example.com/",
    "HTTP://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "file://example.com/etc/passwd",
    "gopher://example.com/_GET",
    "dict://example.com:11211/stat",
    "ldap://example.com/",
    "ws://example.com/",
    "wss://example.com/",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "https+unix://example.com/",
    "jar:https://example.com!/",
    "httpsx://example.com/",
    "xhttps://example.com/",
    "https\u017f://example.com/",
]

NOT_A_URL = [
    "",
    "https",
    "https:",
    "https:/",
    "https://",
    "https:///",
    "https:///example.com",
    "https:/example.com",
    "https:example.com",
    "https//example.com",
    "https:\\\\example.com",
    "//example.com/",
    "/path",
    "example.com",
    "example.com:443",
    "://example.com",
    "https://?q",
    "https://:443/",
    "https://" + "a" * LONGEST_URL + ".com/",
    "https://example.com/" + "a" * LONGEST_URL,
]

NAMES_A_USER = [
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://:@example.com/",
    "https://example.com@10.0.0.1/",
    "https://example.com:443@10.0.0.1/",
    "https://example.com%40evil.com/",
    "https://a@b@example.com/",
    "https://[::1]@example.com/",
]

UNFIT_CHARACTERS = [
    "https://example.com/#",
    "https://example.com/#fragment",
    "https://example.com#@evil.com/",
    "https://example.com\\@evil.com/",
    "https://example.com\\.evil.com/",
    "https://evil.com\\example.com/",
    "https://example.com/\\..\\x",
    "https:\\/\\/example.com/",
    " https://example.com/",
    "https://example.com/ ",
    "https://exam ple.com/",
    "https://example.com /",
    "https://example.com/a b",
    "https://example.com/?a b",
    "\thttps://example.com/",
    "ht\ttps://example.com/",
    "https://exa\tmple.com/",
    "https://exa\nmple.com/",
    "https://example.com\r\nHost: evil.com\r\n/",
    "https://example.com/\r\nX: y",
    "https://example.com/a\nb",
    "https://example.com/\n",
    "https://example.com\n",
    "https://example.com\x00.evil.com/",
    "https://example.com/\x00",
    "https://example.com/\x1f",
    "https://example.com/\x7f",
    "https://example.com/\x85",
    "https://example.com/\xa0",
    "https://example.com/\u2028",
    "https://example.com/\u202e",
    "https://example.com/\ufeff",
    "\ufeffhttps://example.com/",
    "https://example.com/ü",
    "https://example.com/?ü",
    "https://example.com/\ud800",
    'https://example.com/"',
    "https://example.com/<script>",
    "https://example.com/{id}",
    "https://example.com/a|b",
    "https://example.com/a^b",
    "https://example.com/`id`",
    "https://example.com/[a]",
    "https://example.com/%",
    "https://example.com/%2",
    "https://example.com/%zz",
    "https://example.com/?%u0041",
]

NOT_A_HOST = [
    "https://example.com./",
    "https://.example.com/",
    "https://example..com/",
    "https://./",
    "https://../",
    "https://-example.com/",
    "https://example-.com/",
    "https://exam_ple.com/",
    "https://exam!ple.com/",
    "https://example.com,evil.com/",
    "https://example.com;evil.com/",
    "https://example.com&evil.com/",
    "https://*.example.com/",
    "https://ex%61mple.com/",
    "https://%65xample.com/",
    "https://example%2ecom/",
    "https://example%00.com/",
    "https://127%2e0%2e0%2e1/",
    "https://" + "a" * 64 + ".com/",
    "https://" + ".".join(["a" * 60] * 5) + ".com/",
    "https://example\u3002com/",
    "https://example\uff0ecom/",
    "https://example\uff61com/",
    "https://example\u2024com/",
    "https://127\u30020\u30020\u30021/",
    "https://\uff45xample.com/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://\u24d4xample.com/",
    "https://\U0001d5a4xample.com/",
    "https://BÜCHER.example/",
    "https://ex\u00adample.com/",
    "https://ex\u200bample.com/",
    "https://ex\u200dample.com/",
    "https://example.com\u2100/",
    "https://loca\u2113host/",
    "https://exampl\u0435\u0301\u0301.com\ufe0f/",
    "https://\u0301example.com/",
    "https://\u212aelvin.example/",
    "https://xn--.com/",
    "https://xn--a.com/",
    "https://xn--99999999.com/",
    "https://xn--example-.com/",
    "https://xn--localhost-/",
    "https://\ud800.com/",
]

OTHER_SPELLINGS_OF_ADDRESSES = [
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0X7F000001/",
    "https://0x7f.1/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://127.0.0.0x1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://0177.0.0.01/",
    "https://00127.0.0.1/",
    "https://127.0.0.01/",
    "https://127.0.0.1./",
    "https://127..0.0.1/",
    "https://127.0.0/",
    "https://127.0.0.0.1/",
    "https://127.0.0.256/",
    "https://256.256.256.256/",
    "https://0/",
    "https://1.1/",
    "https://8.8.2056/",
    "https://08.8.8.8/",
    "https://8.8.8.8.com.8/",
    "https://example.0x8/",
    "https://example.1/",
    "https://[127.0.0.1]/",
    "https://[8.8.8.8]/",
    "https://[]/",
    "https://[::/",
    "https://::1/",
    "https://2606:4700:4700::1111/",
    "https://[2606:4700:4700::1111/",
    "https://2606:4700:4700::1111]/",
    "https://[[2606:4700:4700::1111]]/",
    "https://[2606:4700:4700::1111].example.com/",
    "https://[2606:4700:4700::1111%25eth0]/",
    "https://[2606:4700:4700::1111%eth0]/",
    "https://[2606:4700:4700:::1111]/",
    "https://[2606:4700:4700::1111::]/",
    "https://[2606:4700:4700::01111]/",
    "https://[v1.2606]/",
    "https://[example.com]/",
    "https://[2606:4700:4700::\uff11]/",
]

NAMES_OF_LOCAL_NETWORKS = [
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost:8443/",
    "https://foo.localhost/",
    "https://localhost.localdomain/",
    "https://intranet/",
    "https://metadata/",
    "https://kubernetes/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://ip-10-0-0-1.ec2.internal/",
    "https://host.docker.internal/",
    "https://wiki.intranet/",
    "https://wiki.corp/",
    "https://nas.home/",
    "https://nas.lan/",
    "https://router.home.arpa/",
    "https://home.arpa/",
    "https://db.private/",
    "https://expyuzz4wqqyqhjn.onion/",
]

OTHER_PORTS = [
    "https://example.com:/",
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:80/",
    "https://example.com:8080/",
    "https://example.com:6379/",
    "https://example.com:65536/",
    "https://example.com:65979/",
    "https://example.com:99999999999999999999/",
    "https://example.com:-443/",
    "https://example.com:+443/",
    "https://example.com:0443/",
    "https://example.com:443:443/",
    "https://example.com:443a/",
    "https://example.com:https/",
    "https://example.com:%3443/",
    "https://example.com:\u0664\u0664\u0663/",
    "https://[2606:4700:4700::1111]:22/",
    "https://[2606:4700:4700::1111]443/",
    "https://8.8.8.8:53/",
]

REFUSED_BY_ITS_TEXT = [
    *OTHER_SCHEMES,
    *NOT_A_URL,
    *NAMES_A_USER,
    *UNFIT_CHARACTERS,
    *NOT_A_HOST,
    *OTHER_SPELLINGS_OF_ADDRESSES,
    *NAMES_OF_LOCAL_NETWORKS,
    *OTHER_PORTS,
]

NOT_OF_THE_PUBLIC_INTERNET = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "100.100.100.200"),
    *(
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
    ),
    *("192.0.0.1", "192.0.0.8", "192.0.0.170", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    "168.63.129.16",
    *("::", "::1", "::2", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"),
    *("::ffff:0:8.8.8.8", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::10.0.0.1", "100::1", "100:0:0:1::1"),
    *("2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:db8::1"),
    *("2002:7f00:1::", "2002:a00:1::", "2002:808:808::", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "1fff::1"),
    *("fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "ffff::1"),
]


def test_the_tables_are_as_long_as_they_are_meant_to_be() -> None:
    assert len(set(REFUSED_BY_ITS_TEXT)) + len(set(NOT_OF_THE_PUBLIC_INTERNET)) >= 250


@pytest.mark.parametrize("url", REFUSED_BY_ITS_TEXT, ids=shown)
def test_a_hostile_text_is_refused_and_nothing_is_looked_up(url: str) -> None:
    with pytest.raises(UnsafeTarget):
        guard(url, never_asked)


@pytest.mark.parametrize("address", NOT_OF_THE_PUBLIC_INTERNET)
def test_an_address_that_is_not_public_is_refused_however_it_is_reached(address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(UnsafeTarget):
        guard(f"https://{literal}/", never_asked)
    with pytest.raises(UnsafeTarget):
        guard("https://example.com/", resolving_to(address))
    with pytest.raises(UnsafeTarget):
        guard("https://example.com/", resolving_to(PUBLIC_IPV4, address))
    with pytest.raises(UnsafeTarget):
        guard("https://example.com/", resolving_to(address, PUBLIC_IPV6))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " ",
        "example.com",
        "8.8.8",
        "08.8.8.8",
        " 8.8.8.8",
        "8.8.8.8\n",
        "134744072",
        "fe80::1%eth0",
        "2606:4700::1%0",
        "[::1]",
    ],
)
def test_what_is_no_address_is_refused(answer: str) -> None:
    with pytest.raises(UnsafeTarget):
        guard("https://example.com/", resolving_to(answer))


@pytest.mark.parametrize(
    "url",
    [
        "canary://example.com/",
        "https://canary@example.com/",
        "https://example.com/#canary",
        "https://example.com/<canary>",
        "https://example.com/?<canary>",
        "https://example.com:canary/",
        "https://[canary]/",
        "https://canary/",
        "https://canary_/",
        "https://cänary\uff0e/",
        "https://canary.localhost/",
        "https://canary.1/",
        "https://canary.example.com/",
        "https://example.com/canary",
    ],
)
def test_the_reason_repeats_nothing_of_the_url(url: str) -> None:
    with pytest.raises(UnsafeTarget) as refused:
        guard(url, resolving_to("10.9.8.7"))
    assert "canary" not in repr(refused.value)
    assert "10.9.8.7" not in repr(refused.value)


ACCEPTED = [
    ("https://example.com", "example.com", 443, "/"),
    ("https://example.com/", "example.com", 443, "/"),
    ("HTTPS://EXAMPLE.Com/Path", "example.com", 443, "/Path"),
    ("https://example.com:443/", "example.com", 443, "/"),
    ("https://example.com:8443/a/b", "example.com", 8443, "/a/b"),
    ("https://example.com?a=b", "example.com", 443, "/?a=b"),
    ("https://example.com/a?b=c&d=%20e", "example.com", 443, "/a?b=c&d=%20e"),
    ("https://example.com/a?b=c?d/e@f:g", "example.com", 443, "/a?b=c?d/e@f:g"),
    ("https://example.com/a/../b/./c//d", "example.com", 443, "/a/../b/./c//d"),
    ("https://example.com/@user", "example.com", 443, "/@user"),
    ("https://a.b.c.d.example.com/", "a.b.c.d.example.com", 443, "/"),
    ("https://r3---sn-4g5e6n.example.com/", "r3---sn-4g5e6n.example.com", 443, "/"),
    ("https://1e100.net/", "1e100.net", 443, "/"),
    ("https://0x7f.example/", "0x7f.example", 443, "/"),
    ("https://127.0.0.1.example.com/", "127.0.0.1.example.com", 443, "/"),
    ("https://bücher.example/", "xn--bcher-kva.example", 443, "/"),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
    ("https://XN--BCHER-KVA.example/", "xn--bcher-kva.example", 443, "/"),
    ("https://пример.рф/", "xn--e1afmkfd.xn--p1ai", 443, "/"),
    ("https://localhost.example.com/", "localhost.example.com", 443, "/"),
    ("https://mylocal.com/", "mylocal.com", 443, "/"),
    ("https://notlocalhost.com/", "notlocalhost.com", 443, "/"),
]


@pytest.mark.parametrize(("url", "host", "port", "path"), ACCEPTED)
def test_a_plain_url_is_accepted_in_its_canonical_form(url: str, host: str, port: int, path: str) -> None:
    asked: list[str] = []

    def resolve(name: str) -> Sequence[str]:
        asked.append(name)
        return [PUBLIC_IPV4, PUBLIC_IPV6]

    target = guard(url, resolve)
    assert (target.scheme, target.host, target.port, target.path) == ("https", host, port, path)
    assert target.addresses == (PUBLIC_IPV4, PUBLIC_IPV6)
    assert asked == [host]


@pytest.mark.parametrize(
    ("url", "address", "authority"),
    [
        ("https://8.8.8.8/", "8.8.8.8", "8.8.8.8"),
        ("https://8.8.8.8:8443/", "8.8.8.8", "8.8.8.8:8443"),
        ("https://[2606:4700:4700::1111]/", "2606:4700:4700::1111", "[2606:4700:4700::1111]"),
        ("https://[2606:4700:4700:0000::1111]:8443/", "2606:4700:4700::1111", "[2606:4700:4700::1111]:8443"),
        ("https://[2606:4700:4700::AAAA]/", "2606:4700:4700::aaaa", "[2606:4700:4700::aaaa]"),
    ],
)
def test_an_address_is_its_own_answer(url: str, address: str, authority: str) -> None:
    target = guard(url, never_asked)
    assert (target.host, target.addresses, target.authority) == (address, (address,), authority)


def test_a_target_does_not_show_its_path() -> None:
    target = guard("https://example.com/services/T0KEN?key=s3cret", resolving_to(PUBLIC_IPV4))
    assert "T0KEN" not in repr(target)
    assert "s3cret" not in repr(target)


# --- names without an address ---------------------------------------------------------------------------------------


def test_a_name_without_an_address_may_have_one_later() -> None:
    def failing(name: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    for resolve in (failing, resolving_to()):
        with pytest.raises(Unresolved):
            guard("https://example.com/", resolve)


# --- what a caller may loosen ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "port"), [("http://example.com/", 80), ("http://example.com:8080/", 8080)])
def test_http_only_where_it_is_allowed(url: str, port: int) -> None:
    assert guard(url, resolving_to(PUBLIC_IPV4), allow_http=True).port == port
    with pytest.raises(UnsafeTarget):
        guard(url, never_asked)


@pytest.mark.parametrize("url", ["http://example.com:443/", "http://example.com:8443/", "https://example.com:8080/"])
def test_each_scheme_keeps_its_ports(url: str) -> None:
    with pytest.raises(UnsafeTarget):
        guard(url, never_asked, allow_http=True)


LISTED = ["example.com", "*.partner.example", "Mixed.Example.org"]


@pytest.mark.parametrize(
    "host",
    ["example.com", "EXAMPLE.com", "a.partner.example", "a.b.partner.example", "mixed.example.org"],
)
def test_a_listed_host_is_allowed(host: str) -> None:
    assert guard(f"https://{host}/", resolving_to(PUBLIC_IPV4), allow_hosts=LISTED).host == host.lower()


@pytest.mark.parametrize(
    "host",
    [
        *("a.example.com", "evilexample.com", "example.com.evil.com", "partner.example", "evilpartner.example"),
        *("partner.example.evil.com", "xexample.com", "example.co", "8.8.8.8", "[2606:4700:4700::1111]"),
    ],
)
def test_any_other_host_is_refused_before_it_is_looked_up(host: str) -> None:
    with pytest.raises(UnsafeTarget):
        guard(f"https://{host}/", never_asked, allow_hosts=LISTED)


def test_an_empty_list_allows_nothing() -> None:
    with pytest.raises(UnsafeTarget):
        guard("https://example.com/", never_asked, allow_hosts=[])


def test_a_listed_host_still_needs_public_addresses() -> None:
    with pytest.raises(UnsafeTarget):
        guard("https://example.com/", resolving_to("10.0.0.1"), allow_hosts=LISTED)


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("https://127.0.0.1:21005/", ("127.0.0.1",)),
        ("https://[::1]:21005/", ("::1",)),
        ("https://localhost:3000/", ("127.0.0.1", "::1")),
        ("https://sink:3000/", ("172.17.0.2",)),
        ("https://crm.corp/", ("10.1.2.3", "fd12::1")),
        ("https://box.tailnet.example/", ("100.101.102.103",)),
        ("https://example.com:9999/", (PUBLIC_IPV4,)),
    ],
)
def test_a_private_network_opens_local_names_private_addresses_and_every_port(
    url: str, addresses: tuple[str, ...]
) -> None:
    assert guard(url, resolving_to(*addresses), allow_private_network=True).addresses == addresses


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254"),
        *("0.0.0.0", "255.255.255.255", "224.0.0.1", "fe80::1", "ff02::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("198.18.0.1", "192.0.0.192", "203.0.113.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
    ],
)
def test_a_private_network_does_not_open_metadata_or_anything_else(address: str) -> None:
    with pytest.raises(UnsafeTarget):
        guard("https://receiver.corp/", resolving_to(address), allow_private_network=True)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1/",
            "https://user@127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
        ),
        *(
            "https://127.0.0.1:0/",
            "https://127.0.0.1:65536/",
            "https://127.0.0.1/#x",
            "https://local host/",
            "https://[::1%lo]/",
        ),
    ],
)
def test_a_private_network_loosens_nothing_else(url: str) -> None:
    with pytest.raises(UnsafeTarget):
        guard(url, never_asked, allow_private_network=True)


# --- the same, by the ten thousand ----------------------------------------------------------------------------------


def accepts(address: str) -> bool:
    try:
        guard("https://example.com/", resolving_to(address))
    except UnsafeTarget:
        return False
    return True


def addresses_of(*networks: str) -> st.SearchStrategy[list[ipaddress.IPv4Address | ipaddress.IPv6Address]]:
    """Fifty at once, since an example costs more than an address; from anywhere in one of the networks."""

    def fifty(text: str) -> st.SearchStrategy[list[ipaddress.IPv4Address | ipaddress.IPv6Address]]:
        network = ipaddress.ip_network(text)
        first, last = int(network[0]), int(network[-1])
        return st.lists(st.integers(first, last).map(type(network[0])), min_size=50, max_size=50)

    return st.sampled_from(networks).flatmap(fifty)


@settings(max_examples=200, deadline=None)
@given(
    addresses_of(
        "0.0.0.0/0", "0.0.0.0/0", "192.0.0.0/14", "192.168.0.0/14", "198.16.0.0/13", "100.0.0.0/8", "172.0.0.0/8"
    )
)
@example([ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("168.63.129.17")])
def test_ten_thousand_ipv4_addresses_are_judged_as_python_does_or_more_strictly(
    addresses: list[ipaddress.IPv4Address],
) -> None:
    stricter = [
        ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16", "224.0.0.0/4")
    ]
    for address in addresses:
        expected = address.is_global and not any(address in network for network in stricter)
        assert accepts(str(address)) == expected, address


@settings(max_examples=200, deadline=None)
@given(
    addresses_of(
        *("::/0", "::/64", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "fc00::/6", "fe80::/9", "ff00::/8"),
        *("2000::/3", "2000::/3", "2000::/3", "2001::/16", "2001::/22", "2001:d00::/24", "2002::/15", "3ffe::/15"),
    )
)
def test_ten_thousand_ipv6_addresses_are_judged_as_python_does_or_more_strictly(
    addresses: list[ipaddress.IPv6Address],
) -> None:
    stricter = [ipaddress.ip_network(text) for text in ("2001::/23", "2002::/16", "3fff::/20")]
    for address in addresses:
        of_the_block = address in ipaddress.ip_network("2000::/3")
        expected = address.is_global and of_the_block and not any(address in network for network in stricter)
        assert accepts(str(address)) == expected, address
        assert accepts(address.exploded) == expected, address


SPELLINGS: Sequence[Callable[[int], str]] = (
    str,
    lambda part: f"0{part}",
    lambda part: f"{part:03d}",
    lambda part: f"0{part:o}",
    lambda part: f"0{part:03o}",
    hex,
    lambda part: f"0X{part:X}",
    lambda part: f"0x{part:08x}",
)


def spelled(number: int, spelling: Callable[[int], str], parts: int) -> str:
    """An IPv4 address in 1 to 4 parts, of which the last takes all bits that are left, as `inet_aton` reads it."""
    bits_of_last = 8 * (5 - parts)
    leading = [(number >> shift) & 255 for shift in (24, 16, 8)][: parts - 1]
    return ".".join(map(spelling, [*leading, number & ((1 << bits_of_last) - 1)]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2))
@example([0x7F000001, 0x0A000001])
@example([0xA9FEA9FE, 0x08080808])
def test_an_ipv4_address_has_one_spelling(numbers: list[int]) -> None:
    for number, spelling, parts in product(numbers, SPELLINGS, (1, 2, 3, 4)):
        text = spelled(number, spelling, parts)
        canonical = str(ipaddress.IPv4Address(number))
        accepted = True
        try:
            target = guard(f"https://{text}/", never_asked)
        except UnsafeTarget:
            accepted = False
        if accepted:
            assert (text, target.addresses) == (canonical, (canonical,))
            assert socket.inet_aton(text) == number.to_bytes(4, "big")
        assert accepted == (text == canonical and accepts(canonical))


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40), st.booleans())
def test_whatever_stands_in_a_url_it_is_refused_or_plain_ascii(text: str, allow_private_network: bool) -> None:
    for url in (text, f"https://{text}", f"https://{text}.com/", f"https://example.com{text}", f"https://[{text}]/"):
        try:
            location = locate(url, allow_private_network=allow_private_network)
        except UnsafeTarget:
            continue
        assert re.fullmatch(r"[a-z0-9.:-]+", location.host)
        assert re.fullmatch(r"/[!-~]*", location.path)
