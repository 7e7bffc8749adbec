"""Which addresses belong to the open internet, and which an administrator lets through."""

import pytest

from talkworthy.connectors.guard import AddressRefused, Guard, is_public

PRIVATE_ADDRESSES = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.168.1.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2001:0:5ef5:79fb:0:0:0:1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
]


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_an_address_outside_the_open_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "2002:0808:0808::1"]
)
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


def test_an_allowed_port_does_not_allow_the_others() -> None:
    guard = Guard(allow_hosts={"127.0.0.1:8080", "[::1]:8081"}, resolve=lambda host, port: [host])
    assert guard.check_url("http://127.0.0.1:8080/") == "127.0.0.1"
    assert guard.check_url("http://[::1]:8081/") == "::1"
    for url in ("http://127.0.0.1/", "http://127.0.0.1:8081/", "http://[::1]:8080/"):
        with pytest.raises(AddressRefused):
            guard.check_url(url)
