"""Reference media before anything is spent: what is refused and why, what is staged, and who can fetch it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.media.files import MediaFile, digest, examine, stage
from prefect_omnivideo.core.media.types import recognise
from prefect_omnivideo.core.references import plan as references
from prefect_omnivideo.core.references.parse import Reference, is_local, local_path, placeholder
from prefect_omnivideo.core.references.plan import check, object_link, passages
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.sandbox.s3server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
JPEG = b"\xff\xd8\xff\xe0" + b"picture"
WEBP = b"RIFF\x10\0\0\0WEBPVP8 " + b"picture"
MP4 = b"\0\0\0\x18ftypisom" + b"\0" * 32
MP3 = b"ID3\x04" + b"song" * 8


def account(gateway: str, base_url: str = "https://gateway.example") -> Account:
    gateway = get_gateway(gateway)
    return Account(gateway, gateway, base_url, SecretStr("sk"), gateway.routes[0])


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Write a file and give its path; `size` makes it that large, in bytes."""

    def write(name: str, content: bytes, size: int | None = None) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        if size:
            os.truncate(path, size)
        return str(path)

    return write


def refusal(request: dict[str, Any], gateway: str, store: Any = None) -> str:
    with pytest.raises(RequestError) as caught:
        check(VideoRequest(prompt="x", **request), account(gateway), store)
    return "\n".join(map(str, caught.value.problems))


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (WEBP, "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"\0\0\0\x1cftypavif", "image/avif"),
        (b"\0\0\0\x1cftypheic", "image/heic"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "image/bmp"),
        (b"II*\0", "image/tiff"),
        (MP4, "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3" + b"\0webm", "video/webm"),
        (MP3, "audio/mpeg"),
        (b"\xff\xfb\x90\x44", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
        (b"\0\0\0\x1cftypM4A ", "audio/mp4"),
        (b"fLaC", "audio/flac"),
        (b"OggS", "audio/ogg"),
        (b"BMW is a text", None),
        ("\ufefftext".encode("utf-16"), None),
        (b"<svg>", None),
        (b"", None),
    ],
)
def test_files_are_known_by_their_first_bytes(head: bytes, content_type: str | None) -> None:
    found = recognise(head)
    assert (found.content_type if found else None) == content_type


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("cat.png", Path("cat.png")),
        ("~/cat.png", Path.home() / "cat.png"),
        ("~nobody-has-this-name/cat.png", Path("~nobody-has-this-name/cat.png")),
        ("file:///a/my%20cat.png", Path("/a/my cat.png")),
        ("file://localhost/a/cat.png", Path("/a/cat.png")),
    ],
)
def test_paths(value: str, path: Path) -> None:
    assert is_local(value)
    assert local_path(value) == path


@pytest.mark.parametrize("value", ["https://e.com/a.png", "s3://b/a.png", "data:image/png;base64,AA", "file://host/a"])
def test_what_is_no_local_file(value: str) -> None:
    assert not is_local(value)


UNUSABLE: list[tuple[str, dict[str, Any], str]] = [
    ("apimart", {"images": ("https://e.com/a.png", "gone.png")}, "images.1: there is no file 'gone.png'"),
    ("apimart", {"images": (".",)}, "images.0: '.' is a folder"),
    ("apimart", {"images": ("empty.png",)}, "images.0: 'empty.png' is empty"),
    ("apimart", {"images": ("text.png",)}, "images.0: 'text.png' is not an image, video or audio by its content"),
    ("apimart", {"images": ("a\0b",)}, "cannot be the name of a file"),
    ("apimart", {"images": ("clip.mp4",)}, "images.0: 'clip.mp4' is video/mp4 (accepted: an image file)"),
    ("apimart", {"images": ("webp.png",)}, ".webp images are not supported (accepted: JPEG or PNG)"),
    ("apimart", {"images": ("cat.png",) * 17}, "at most 16"),
    ("apimart", {"images": ("s3://b/a.png",) * 17}, "at most 16"),
    ("apimart", {"videos": ("cat.png",)}, "videos.0: 'cat.png' is image/png (accepted: a video file)"),
    ("12ai", {"images": ("cat.png",) * 8}, "at most 7"),
    ("12ai", {"images": ("song.mp3",)}, "is audio/mpeg (accepted: an image file or a video file)"),
    ("jimmyai", {"first_frame": "clip.mp4"}, "first_frame: 'clip.mp4' is video/mp4 (accepted: an image file)"),
    ("jimmyai", {"images": ("cat.png",) * 2}, "1 or 3 images"),
    ("omnirouters", {"model": "Veo-3.1", "images": ("cat.png",) * 3}, "at most 2"),
    ("sora", {"images": ("clip.mp4",)}, "images.0: 'clip.mp4' is video/mp4"),
    ("apimart", {"images": ("s3://bucket",)}, "images.0: 's3://bucket' names no object (accepted: s3://bucket/key)"),
    ("apimart", {"images": ("s3://b/../a.png",)}, "a part of it begins with a dot"),
    ("apimart", {"images": ("s3://b/song.mp3",)}, "images.0: 's3://b/song.mp3' is audio/mpeg"),
    ("apimart", {"images": ("s3://b/a.webp",)}, ".webp images are not supported"),
    ("apimart", {"images": ("file://host/a.png",)}, "not an http(s) URL"),
    ("apimart", {"images": ("gs://b/a.png",)}, "not an http(s) URL"),
    ("apimart", {"first_frame": "cat.png"}, "images, with the role described in the prompt"),
]


@pytest.mark.parametrize(("gateway", "request_", "said"), UNUSABLE, ids=[f"{g}-{s[:50]}" for g, _, s in UNUSABLE])
def test_what_cannot_be_used_is_said_with_field_and_rule(
    gateway: str, request_: dict[str, Any], said: str, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(file("cat.png", PNG)).parent
    for name, content in (("clip.mp4", MP4), ("song.mp3", MP3), ("webp.png", WEBP), ("empty.png", b"")):
        file(name, content)
    file("text.png", b"no picture")
    monkeypatch.chdir(folder)
    assert said in refusal(request_, gateway)


@pytest.mark.parametrize(
    ("gateway", "field", "content", "most"),
    [
        ("apimart", "images", PNG, 20 * 1024**2),
        ("jimmyai", "images", PNG, 100 * 1024**2),
        ("jimmyai", "videos", MP4, 100 * 1024**2),
        ("sora", "images", PNG, 127 * 1024**2),
    ],
)
def test_documented_sizes(gateway: str, field: str, content: bytes, most: int, file: Callable[..., str]) -> None:
    """A byte more than an endpoint takes is refused, the very size is not."""
    request = VideoRequest(prompt="x", **{field: (file("media", content, most),)})  # type: ignore[arg-type]  # by name
    check(request, account(gateway))
    os.truncate(request.model_dump()[field][0], most + 1)
    with pytest.raises(RequestError, match=rf"{field}\.0: .*has {most + 1} bytes.*at most {most} bytes"):
        check(request, account(gateway))


def test_a_device_is_no_file() -> None:
    assert "not a regular file" in refusal({"images": ("/dev/zero",)}, "apimart")


def test_every_unusable_reference_is_named() -> None:
    said = refusal({"images": ("one.png", "two.png"), "videos": ("three.mp4",)}, "apimart")
    assert [line.partition(":")[0] for line in said.splitlines()] == ["images.0", "images.1", "videos.0"]


def test_videos_among_images_where_the_gateway_takes_them(file: Callable[..., str]) -> None:
    clip = file("clip", MP4)
    assert "edit" in refusal({"mode": "t2v", "images": (clip,)}, "12ai"), "known for a video without an ending"
    check(VideoRequest(prompt="x", images=(clip,)), account("12ai"))
    check(VideoRequest(prompt="x", model="omni-10s", images=(clip,)), account("jimmyai"))
    assert "images.0" in refusal({"images": (clip,)}, "jimmyai")


@pytest.mark.parametrize("gateway", ["12ai", "omnirouters"])
def test_a_folder_cannot_be_fetched_from(
    gateway: str, file: Callable[..., str], folder: Folder, public: Bucket
) -> None:
    """No upload is documented: the error names field, file and ways out. An S3 store takes the same file."""
    cat = file("cat.png", PNG)
    said = refusal({"images": (cat,)}, gateway, folder)
    assert said.startswith(f"images.0: {cat!r} is a local file")
    assert "https URL, s3://bucket/key, or an S3 store" in said
    way = passages(VideoRequest(images=(cat,)), account(gateway), public)[0]
    assert way.file
    assert way.upload is None


def test_endpoints_take_what_they_document(file: Callable[..., str], folder: Folder, public: Bucket) -> None:
    """An image of APIMart is uploaded, a video is not; JimmyAI takes both."""
    cat, clip = file("cat.png", PNG), file("clip.mp4", MP4)
    request = VideoRequest(images=(cat,), videos=(clip,))
    assert "videos.0" in refusal({"images": (cat,), "videos": (clip,)}, "apimart", folder)
    assert [bool(way.upload) for way in passages(request, account("apimart"), public)] == [True, False]
    assert [bool(way.upload) for way in passages(request, account("jimmyai"), folder)] == [True, True]


def test_one_image_travels_with_the_form_of_a_sora_compatible_gateway(
    file: Callable[..., str], folder: Folder, public: Bucket
) -> None:
    cat = file("cat.png", PNG)
    assert passages(VideoRequest(images=(cat,)), account("sora"), folder) == []
    for more in ({"images": (cat, cat)}, {"images": (cat,), "model": "kling-v2-6"}):
        assert "images.0" in refusal(more, "sora", folder)
        check(VideoRequest(prompt="x", **more), account("sora"), public)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("value", ["cat.png", "s3://videos/cat.png"])
def test_a_gateway_on_the_internet_cannot_fetch_from_a_server_inside(
    value: str, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(file("cat.png", PNG)).parent)
    inside = Bucket(
        client(S3Options(endpoint_url="http://minio:9000", aws_access_key_id="a", aws_secret_access_key="b")), "videos"
    )
    assert "http://minio:9000, a private address" in refusal({"images": (value,)}, "12ai", inside)
    check(VideoRequest(prompt="x", images=(value,)), account("12ai", "http://127.0.0.1:8700/12ai"), inside)


@pytest.fixture
def public(aws_client: S3Client) -> Bucket:
    """A bucket that the internet can reach. Nothing is sent to it."""
    return Bucket(aws_client, "videos")


def test_stand_ins_say_what_becomes_of_a_reference() -> None:
    """For rules and for people's eyes: no disk and no network is touched, and the host cannot exist."""
    gateway = get_gateway("apimart")
    request = VideoRequest(images=("no/such/my cat.png", "s3://b/k/dog.jpg", "https://e.com/owl.png"))
    assert placeholder(gateway, request).images == (
        "https://uploaded.invalid/my%20cat.png",
        "https://presigned.invalid/b/k/dog.jpg",
        "https://e.com/owl.png",
    )
    assert placeholder(get_gateway("sora"), VideoRequest(images=("file:///a/cat.png",))).images == ("/a/cat.png",)


def test_the_key_is_that_of_the_original(file: Callable[..., str]) -> None:
    request = VideoRequest(prompt="x", images=("s3://b/a.png", file("cat.png", PNG)))
    assert placeholder(get_gateway("apimart"), request).key != request.key
    assert request.model_copy().key == request.key


def examined(path: str) -> MediaFile:
    return examine(Path(path), "images.0", "")


def test_staged_once_and_fetched_by_anybody_with_the_link(seaweed: Bucket, file: Callable[..., str]) -> None:
    """Two files with one content are one private object; its link needs nothing but itself."""
    cat, copy = examined(file("cat.png", PNG)), examined(file("copy.jpeg", PNG))
    names = {stage(each, digest(each), seaweed) for each in (cat, copy, cat)}
    assert names == {f"references/{digest(cat)}.png"} == set(seaweed.names("references/"))
    link = seaweed.link(names.pop(), seconds=60)
    answer = httpx.get(link)
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert httpx.get(link.partition("?")[0]).status_code == 403


def test_a_copy_that_was_cut_short_is_staged_again(seaweed: Bucket, file: Callable[..., str]) -> None:
    cat = examined(file("cat.png", PNG))
    seaweed.put(f"references/{digest(cat)}.png", b"half", content_type="image/png")
    found = seaweed.read(stage(cat, digest(cat), seaweed))
    assert found
    assert found[0] == PNG


def test_a_file_changed_meanwhile_is_not_staged(seaweed: Bucket, file: Callable[..., str]) -> None:
    """Under the hash of its old content, it would be given to everybody who asks for that."""
    cat = examined(file("cat.png", PNG))
    before = digest(cat)
    cat.path.write_bytes(PNG[:-1] + b"!")
    with pytest.raises(RequestError, match=r"cat\.png' was changed while it was read"):
        stage(cat, before, seaweed)
    with pytest.raises(RequestError, match="was changed"):
        digest(cat)
    assert list(seaweed.names()) == []


def fetched(value: str, store: Any) -> bytes:
    return httpx.get(object_link(Reference("images.0", "image", value), store)).content


def test_a_private_object_of_the_stores_bucket(seaweed: Bucket) -> None:
    seaweed.put("cat.png", PNG, content_type="image/png")
    value = seaweed.uri("cat.png")
    assert fetched(value, seaweed) == PNG
    url = f"{seaweed.endpoint_url}/{value.removeprefix('s3://')}"
    assert httpx.get(url).status_code == 403, "it is private"


def test_a_private_object_elsewhere_by_the_default_chain(
    s3: S3Server, s3_client: S3Client, seaweed: Bucket, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another bucket than the store's, or no S3 store at all: the environment's credentials sign."""
    seaweed.put("cat.png", PNG, content_type="image/png")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    default: Any = vars(references)["_default_client"]
    default.cache_clear()
    try:
        for store in (folder, Bucket(s3_client, "another")):
            assert fetched(seaweed.uri("cat.png"), store) == PNG
    finally:
        default.cache_clear()


@pytest.mark.parametrize(("name", "fault"), [("gone.png", "there is no such object"), ("empty.png", "it is empty")])
def test_an_object_that_nobody_can_use(name: str, fault: str, seaweed: Bucket) -> None:
    seaweed.put("empty.png", b"", content_type="image/png")
    with pytest.raises(RequestError, match=rf"images\.0: 's3://.*{name}': {fault}"):
        fetched(seaweed.uri(name), seaweed)
