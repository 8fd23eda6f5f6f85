"""What a bucket does beyond what every store does."""

from __future__ import annotations

import io
import random
from types import SimpleNamespace
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ConnectionClosedError
from botocore.stub import Stubber

from prefect_omnivideo.core.errors import RecordConflictError, StoreError, StoreUnavailableError
from prefect_omnivideo.core.storage import s3 as module
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.sandbox.s3server import S3Server

SECRET = "the-secret-that-must-not-leak"


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore pauses between its retries."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


def settings(s3: S3Server, **changes: Any) -> dict[str, Any]:
    return {
        "endpoint_url": s3.endpoint_url,
        "region_name": "us-east-1",
        "aws_access_key_id": s3.access_key_id,
        "aws_secret_access_key": s3.secret_access_key,
        "addressing_style": "path",
        **changes,
    }


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("method", ["create", "replace"])
def test_lost_answer(s3: S3Server, seaweed: Bucket, method: str) -> None:
    """A write whose answer was lost is sent again and meets itself: it is ours, not somebody else's."""
    before = seaweed.create("a.json", b"0") if method == "replace" else ""
    flaky = Bucket(client(S3Options(**settings(s3))), seaweed.bucket, seaweed.prefix)
    sent: list[bytes] = []

    def lose_the_answer(request: Any, **_: Any) -> None:
        sent.append(request.body)
        if len(sent) == 1:
            metadata = {"writer": request.headers["x-amz-meta-writer"].decode()}
            other = vars(seaweed)["_client"]
            other.put_object(Bucket="videos", Key=f"{seaweed.prefix}/a.json", Body=b"1", Metadata=metadata)
            raise ConnectionClosedError(endpoint_url=s3.endpoint_url)

    vars(flaky)["_client"].meta.events.register("before-send.s3.PutObject", lose_the_answer)
    version = flaky.create("a.json", b"1") if method == "create" else flaky.replace("a.json", b"1", before)
    assert len(sent) == 2
    assert seaweed.read("a.json") == (b"1", version)


def test_same_bytes_are_not_ours(seaweed: Bucket) -> None:
    """Two who write the same bytes are still two."""
    seaweed.create("a.json", b"1")
    with pytest.raises(RecordConflictError):
        seaweed.create("a.json", b"1")


@pytest.mark.parametrize(
    ("code", "status", "advice"),
    [
        ("NoSuchBucket", 404, "create it"),
        ("AccessDenied", 403, "s3:PutObject"),
        ("PermanentRedirect", 301, "region_name"),
        ("RequestTimeTooSkewed", 403, "clock"),
        ("ExpiredToken", 400, "get new ones"),
        ("XAmzContentSHA256Mismatch", 400, "when_required"),
        ("SomethingNew", 418, "the server's own words"),
    ],
)
def test_says_what_to_do(code: str, status: int, advice: str) -> None:
    """Waiting does not help; the message names the object and the way out."""
    bucket = refusing(code, status)
    with pytest.raises(StoreError, match=rf"s3://videos/a\.json at https://.*{code}: .*{advice}") as raised:
        bucket.create("a.json", b"")
    assert not raised.value.waiting_helps


@pytest.mark.parametrize(("code", "status"), [("InternalError", 500), ("SlowDown", 503), ("503", 503), ("429", 429)])
def test_waiting_helps(code: str, status: int) -> None:
    """A server in trouble is told apart from one that refuses."""
    with pytest.raises(StoreUnavailableError, match=code):
        refusing(code, status).create("a.json", b"")


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"])
def test_conflicts(code: str) -> None:
    """AWS has two words for somebody else, and a third for an object that is gone."""
    bucket = refusing(code, {"PreconditionFailed": 412, "NoSuchKey": 404}.get(code, 409), then="404")
    with pytest.raises(RecordConflictError):
        bucket.replace("a.json", b"", "version")


def refusing(code: str, status: int, *, then: str = "") -> Bucket:
    """A bucket of a server that answers a write with an error, and a look at the object with another one."""
    made = client(S3Options(region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key=SECRET))
    stubber = Stubber(made)
    stubber.add_client_error("put_object", code, "the server's own words", http_status_code=status)
    if then:
        stubber.add_client_error("head_object", then, http_status_code=404)
    stubber.activate()
    return Bucket(made, "videos")


@pytest.mark.usefixtures("_no_pauses")
def test_unreachable() -> None:
    """Nobody listens: it may help to wait."""
    made = client(
        S3Options(
            endpoint_url="http://127.0.0.1:9",
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key=SECRET,
        )
    )
    with pytest.raises(StoreUnavailableError, match="cannot be reached") as raised:
        Bucket(made, "videos").check()
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"aws_access_key_id": "WRONG"}, "access key is not known"),
        ({"aws_secret_access_key": SECRET}, "secret does not belong"),
    ],
)
def test_wrong_keys(s3: S3Server, changes: dict[str, str], advice: str) -> None:
    """A real server refuses them, and the secret stays out of the error."""
    with pytest.raises(StoreError, match=advice) as raised:
        Bucket(client(S3Options(**settings(s3, **changes))), "videos").check()
    assert SECRET not in repr(raised.value)


def test_no_bucket(s3: S3Server) -> None:
    with pytest.raises(StoreError, match="no such bucket"):
        Bucket(client(S3Options(**settings(s3))), "nobody-made-this").check()


@pytest.mark.parametrize("url", ["s3.example.com", "https://user:word@s3.example.com", "ftp://s3.example.com"])
def test_endpoint(url: str) -> None:
    """An address that boto would not take, or that carries a password, is refused without being repeated."""
    with pytest.raises(StoreError, match="endpoint_url must be") as raised:
        client(S3Options(endpoint_url=url))
    assert "word@" not in str(raised.value)


def test_half_a_key() -> None:
    with pytest.raises(StoreError, match="belong together"):
        client(S3Options(region_name="us-east-1", aws_access_key_id="a"))


def test_presigned_link(seaweed: Bucket) -> None:
    """A browser gets the object with the link alone, and with a changed one not."""
    seaweed.put("a b/ü.mp4", b"video", content_type="video/mp4")
    link = seaweed.link("a b/ü.mp4", seconds=60)
    with urlopen(link) as answer:
        assert answer.read() == b"video"
        assert answer.headers["Content-Type"] == "video/mp4"
    with pytest.raises(HTTPError):
        urlopen(link.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))


@pytest.mark.parametrize("seconds", [0, 7 * 24 * 3600 + 1])
def test_link_for_too_long(moto: Bucket, seconds: int) -> None:
    with pytest.raises(StoreError, match="604800 seconds"):
        moto.link("a.mp4", seconds=seconds)


def test_clean_takes_old_uploads_of_its_own(seaweed: Bucket) -> None:
    """Uploads that a killed process left are aborted once they are old; those of other programs stay for ever."""
    made, name = vars(seaweed)["_client"], "a-red-apple-0123456789abcdef"
    others = [f"{seaweed.prefix}-other/{name}.mp4", f"{seaweed.prefix}/backup.tar"]
    for key in (f"{seaweed.prefix}/b/{name}.mp4", f"{seaweed.prefix}/b/{name}-2.webm", *others):
        made.create_multipart_upload(Bucket="videos", Key=key)
    assert seaweed.clean() == 0
    assert seaweed.clean(older_than=-60) == 2
    left = made.list_multipart_uploads(Bucket="videos", Prefix=seaweed.prefix)["Uploads"]
    assert sorted(upload["Key"] for upload in left) == sorted(others)


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("checksums", ["when_supported", "when_required"])
def test_a_part_that_is_sent_again_is_whole(
    s3: S3Server, seaweed: Bucket, checksums: Literal["when_supported", "when_required"]
) -> None:
    made = client(S3Options(**settings(s3), request_checksums=checksums))
    lost: list[int] = []

    def lose(request: Any, **_: Any) -> None:
        if len(lost) < 2:
            lost.append(len(request.body))
            raise ConnectionClosedError(endpoint_url=s3.endpoint_url)

    made.meta.events.register_last("before-send.s3.UploadPart", lose)
    data = random.Random(1).randbytes(20 * 1024 * 1024)
    Bucket(made, "videos", seaweed.prefix).write("a.mp4", io.BytesIO(data), content_type="video/mp4", metadata={})
    assert lost == [5 * 1024 * 1024] * 2
    assert (seaweed.read("a.mp4") or (b"", ""))[0] == data


@pytest.mark.parametrize(("operation", "size"), [("PutObject", 300_000), ("UploadPart", 20 * 1024 * 1024)])
def test_bytes_damaged_on_the_way(s3: S3Server, seaweed: Bucket, operation: str, size: int) -> None:
    """S3 holds what arrives against the checksum that was sent along; nothing becomes visible or stays behind."""
    made = client(S3Options(**settings(s3)))

    def damage(request: Any, **_: Any) -> None:
        request.headers.replace_header("x-amz-checksum-crc32", "AAAAAA==")

    made.meta.events.register(f"before-sign.s3.{operation}", damage)
    with pytest.raises(StoreUnavailableError, match="damaged on the way"):
        Bucket(made, "videos", seaweed.prefix).write(
            "a.mp4", io.BytesIO(bytes(size)), content_type="video/mp4", metadata={}
        )
    assert seaweed.size("a.mp4") is None
    assert "Uploads" not in made.list_multipart_uploads(Bucket="videos", Prefix=seaweed.prefix)


def test_metadata_and_classes(moto: Bucket) -> None:
    """Encryption is for all objects, the storage class for videos alone; metadata beyond ASCII survives."""
    made = vars(moto)["_client"]
    bucket = Bucket(made, "videos", "/p/", S3Options(server_side_encryption="AES256", storage_class="STANDARD_IA"))
    bucket.write("b.mp4", io.BytesIO(b"1"), content_type="video/mp4", metadata={"prompt": "Äpfel\n"})
    bucket.copy("b.mp4", "a.mp4")
    bucket.create("a.json", b"{}")
    video = made.head_object(Bucket="videos", Key="p/a.mp4")
    record = made.head_object(Bucket="videos", Key="p/a.json")
    assert (video["StorageClass"], record.get("StorageClass")) == ("STANDARD_IA", None)
    assert (video["ServerSideEncryption"], record["ServerSideEncryption"]) == ("AES256", "AES256")
    assert video["Metadata"] == {"prompt": "%C3%84pfel%0A"}
    assert (video["ContentType"], record["ContentType"]) == ("video/mp4", "application/json")


def test_a_copy_in_parts_is_whole_and_no_byte_of_it_passes_through(
    s3: S3Server, seaweed: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request copies at most 5 GB; above that the server copies part by part."""
    part = 5 * 1024 * 1024
    monkeypatch.setattr(module, "_COPY", TransferConfig(multipart_threshold=part, multipart_chunksize=part))
    data = random.Random(1).randbytes(2 * part + 1)
    seaweed.write("a.mp4", io.BytesIO(data), content_type="video/mp4", metadata={"prompt": "apple"})
    made, sent = client(S3Options(**settings(s3))), list[tuple[str, int]]()
    made.meta.events.register_last(
        "before-send.s3.*", lambda request, event_name, **_: sent.append((event_name, len(request.body or b"")))
    )
    Bucket(made, "videos", seaweed.prefix).copy("a.mp4", "b.mp4")
    assert [name.rpartition(".")[2] for name, _ in sent].count("UploadPartCopy") == 3
    assert all(size < 10_000 for _, size in sent)
    found = made.get_object(Bucket="videos", Key=f"{seaweed.prefix}/b.mp4")
    assert found["Body"].read() == data
    assert (found["ContentType"], {k.lower(): v for k, v in found["Metadata"].items()}) == (
        "video/mp4",
        {"prompt": "apple"},
    )


def test_prefix(moto: Bucket) -> None:
    """Only what is under the prefix exists, and names do not show it."""
    made = vars(moto)["_client"]
    made.put_object(Bucket="videos", Key="some/prefixed.json", Body=b"{}")
    moto.create("a.json", b"{}")
    assert list(moto.names()) == ["a.json"]
    assert moto.uri("a.json") == "s3://videos/some/prefix/a.json"
    assert sorted(Bucket(made, "videos").names()) == ["some/prefix/a.json", "some/prefixed.json"]


def test_name_too_long_for_s3(moto: Bucket) -> None:
    with pytest.raises(StoreError, match="1024 bytes"):
        moto.read("/".join(["x" * 250] * 5))


def test_repr_shows_no_secret(s3: S3Server, seaweed: Bucket) -> None:
    assert s3.secret_access_key not in repr(seaweed) + repr(s3)
