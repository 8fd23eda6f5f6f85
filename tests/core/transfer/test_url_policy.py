"""Which links are followed, and which get the key."""

import socket

import httpx
import pytest

from prefect_omnivideo.core.errors import TransferError
from prefect_omnivideo.core.transfer.url_policy import check_link, check_peer, origin, proxy_for, safe_url, same_origin

PUBLIC = "93.184.216.34"
GATEWAY = "https://gateway.example"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Host names and their addresses; numeric hosts go to the real resolver."""
    known = {"gateway.example": [PUBLIC], "cdn.example": [PUBLIC, "2606:2800:220:1::1"]}
    real = socket.getaddrinfo

    def resolve(host: str, port: int | None, *args: object, type: int = 0, flags: int = 0, **_: object) -> object:
        if flags & socket.AI_NUMERICHOST or host not in known:
            return real(host, port, type=type, flags=socket.AI_NUMERICHOST)
        return [(0, 0, 0, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Gateway.Example/v1?x=1", ("https", "gateway.example", 443)),
        ("http://gateway.example", ("http", "gateway.example", 80)),
        ("HTTPS://gateway.example:8443/", ("https", "gateway.example", 8443)),
        ("http://[::1]:80/", ("http", "::1", 80)),
    ],
)
def test_origin_is_normal_form(url: str, expected: tuple[str, str, int]) -> None:
    assert origin(url) == expected


def test_same_origin_needs_scheme_host_and_port() -> None:
    assert same_origin("https://a.example/x", "https://A.example:443/y?z")
    assert not same_origin("https://a.example", "http://a.example")
    assert not same_origin("https://a.example", "https://a.example:444")
    assert not same_origin("https://a.example", "https://b.a.example")
    assert not same_origin("https://a.example@b.example/", "https://a.example/")


def test_place_has_neither_query_nor_password() -> None:
    assert safe_url("https://me:secret@cdn.example:81/a%0Ab.mp4?sig=abc#x") == "cdn.example:81/a%0Ab.mp4"


def test_a_public_link_is_followed() -> None:
    check_link("https://cdn.example/v.mp4?sig=1", GATEWAY)
    check_link("http://cdn.example/v.mp4?sig=1", GATEWAY)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://cdn.example/v.mp4",
        "file:///etc/passwd",
        "data:video/mp4;base64,AAAA",
        "/v1/videos/1/content",
        "cdn.example/v.mp4",
        "https://",
        "https://cdn.example:99999/",
        "https://user:secret@cdn.example/v.mp4",
        "https://user@cdn.example/v.mp4",
    ],
)
def test_a_link_of_the_wrong_kind_is_refused(url: str) -> None:
    with pytest.raises(TransferError) as caught:
        check_link(url, GATEWAY)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fec0::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[64:ff9b::10.0.0.1]",
    ],
)
def test_a_private_address_is_refused_however_it_is_spelled(host: str) -> None:
    with pytest.raises(TransferError, match=r"private address|not a URL"):
        check_link(f"https://{host}/v.mp4?sig=abc", GATEWAY)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "10.1.2.3", "[::1]", "[fd00::1]"])
def test_an_account_at_a_private_address_may_follow_private_links(host: str) -> None:
    check_link(f"http://{host}/v.mp4", "http://127.0.0.1:8700/apimart")


@pytest.mark.parametrize("host", [PUBLIC, "[2606:2800:220:1::1]", "[::ffff:93.184.216.34]", "[64:ff9b::93.184.216.34]"])
def test_a_public_address_is_followed(host: str) -> None:
    check_link(f"https://{host}/v.mp4", GATEWAY)


def test_a_name_with_one_private_address_is_refused(names: dict[str, list[str]]) -> None:
    names["inside.example"] = [PUBLIC, "10.0.0.1"]
    with pytest.raises(TransferError, match=r"inside\.example/v\.mp4 refused: a private address"):
        check_link("https://inside.example/v.mp4?sig=abc", GATEWAY)


def test_a_gateway_at_home_may_link_to_its_neighbours(names: dict[str, list[str]]) -> None:
    names["home.example"] = ["192.168.1.10"]
    check_link("https://192.168.1.11/v.mp4", "https://home.example")


def test_an_unknown_name_is_no_refusal() -> None:
    with pytest.raises(socket.gaierror):
        check_link("https://nowhere.example/v.mp4", GATEWAY)


def _answer_from(address: str) -> httpx.Response:
    class Stream:
        def get_extra_info(self, name: str) -> object:
            return (address, 443) if name == "server_addr" else None

    return httpx.Response(200, extensions={"network_stream": Stream()})


def test_an_answer_from_a_private_address_is_refused() -> None:
    """DNS rebinding: the name was public when it was checked, and private when it was connected to."""
    check_peer(_answer_from(PUBLIC), "https://cdn.example/v", GATEWAY)
    check_peer(_answer_from("10.0.0.1"), "https://cdn.example/v", "http://127.0.0.1:8700")
    check_peer(_answer_from("10.0.0.1"), f"{GATEWAY}/v1/videos/1/content", GATEWAY)
    with pytest.raises(TransferError, match="private address"):
        check_peer(_answer_from("10.0.0.1"), "https://cdn.example/v", GATEWAY)


def test_through_a_proxy_literal_addresses_alone_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "10.0.0.9:3128")
    monkeypatch.setenv("no_proxy", "direct.example")
    assert proxy_for("https://cdn.example/v") == "http://10.0.0.9:3128"
    assert proxy_for("https://direct.example/v") is None
    check_link("https://nowhere.example/v.mp4", GATEWAY)
    check_peer(_answer_from("10.0.0.9"), "https://cdn.example/v", GATEWAY)
    with pytest.raises(TransferError):
        check_link("https://127.1/v.mp4", GATEWAY)
