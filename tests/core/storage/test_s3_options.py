"""The options of the S3 store, by what reaches the server; and blocks of prefect-aws that bring them along."""

from __future__ import annotations

import io
import threading
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from prefect_aws import AwsCredentials, MinIOCredentials, S3Bucket
from prefect_aws.client_parameters import AwsClientParameters
from pydantic import SecretStr, ValidationError

from prefect_omnivideo import S3VideoStore
from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.sandbox.s3server import S3Server

ROLE = "arn:aws:iam::123456789012:role/videos"
KEYS = {"region_name": "eu-central-1", "aws_access_key_id": "AKIA", "aws_secret_access_key": "very-secret"}


class Server:
    """Takes every object, and gives out roles; remembers the headers of each request."""

    def __init__(self) -> None:
        self.url = ""
        self.forget()

    def forget(self) -> None:
        self.puts: list[dict[str, str]] = []
        self.roles: list[dict[str, list[str]]] = []
        self.role_minutes, self.role_status = 60.0, 200

    def role(self, body: bytes) -> bytes:
        self.roles.append(parse_qs(body.decode()))
        ends = datetime.now(UTC) + timedelta(minutes=self.role_minutes)
        given = {
            "AccessKeyId": f"ROLE{len(self.roles)}",
            "SecretAccessKey": "role-secret",
            "SessionToken": f"token{len(self.roles)}",
            "Expiration": ends.isoformat(),
        }
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in given.items())
        return (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
            f"<Credentials>{inner}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()


@pytest.fixture
def server(listening: Server) -> Server:
    """The server, with nothing in its memory."""
    listening.forget()
    return listening


@pytest.fixture(scope="module")
def listening() -> Generator[Server]:
    """One for all tests, as each address would need clients of its own, which are costly to make."""
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # boto waits a second for 100 Continue, which 1.0 does not have

        def do_POST(self) -> None:
            self.reply(found.role(self.rfile.read(int(self.headers["content-length"]))), found.role_status)

        def do_PUT(self) -> None:
            found.puts.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.reply(b"")

        def reply(self, body: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("ETag", '"e"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http, pytest.MonkeyPatch.context() as environment:
        found.url = f"http://127.0.0.1:{http.server_port}"
        environment.setenv("AWS_ENDPOINT_URL_STS", found.url)
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield found
        http.shutdown()
        thread.join()


def opened(server: Server, **settings: Any) -> ObjectStore:
    return block(endpoint_url=server.url, **settings).open()


def block(**settings: Any) -> S3VideoStore:
    return S3VideoStore.model_validate({"bucket": "videos", **KEYS, **settings})


def written(server: Server, store: ObjectStore) -> list[dict[str, str]]:
    """Headers of a record, a page and a video on their way to the server."""
    store.create("a.json", b"1")
    store.put("a.html", b"1", content_type="text/html")
    store.write("a.mp4", io.BytesIO(b"1"), content_type="video/mp4", metadata={})
    return server.puts


def test_session_token(server: Server) -> None:
    puts = written(server, opened(server, aws_session_token="a-token"))
    assert [put["x-amz-security-token"] for put in puts] == ["a-token"] * 3


def test_server_side_encryption_of_everything(server: Server) -> None:
    puts = written(server, opened(server, server_side_encryption="aws:kms", kms_key_id="my-key"))
    assert {put["x-amz-server-side-encryption"] for put in puts} == {"aws:kms"}
    assert {put["x-amz-server-side-encryption-aws-kms-key-id"] for put in puts} == {"my-key"}
    server.puts.clear()
    puts = written(server, opened(server, server_side_encryption="AES256"))
    assert {put["x-amz-server-side-encryption"] for put in puts} == {"AES256"}
    server.puts.clear()
    assert not any("encryption" in name for put in written(server, opened(server)) for name in put)


def test_storage_class_of_videos_alone(server: Server) -> None:
    puts = written(server, opened(server, storage_class="GLACIER_IR"))
    assert [put.get("x-amz-storage-class") for put in puts] == [None, None, "GLACIER_IR"]


def test_checksums(server: Server) -> None:
    assert all("x-amz-sdk-checksum-algorithm" in put for put in written(server, opened(server)))
    server.puts.clear()
    quiet = written(server, opened(server, request_checksums="when_required"))
    assert not any("x-amz-sdk-checksum-algorithm" in put for put in quiet)


@pytest.mark.parametrize(
    ("style", "endpoint_url", "start"),
    [
        ("auto", None, "https://videos.s3.amazonaws.com/a.mp4?"),
        ("path", None, "https://s3.eu-central-1.amazonaws.com/videos/a.mp4?"),
        ("auto", "https://s3.example.com", "https://s3.example.com/videos/a.mp4?"),
        ("virtual", "https://s3.example.com", "https://videos.s3.example.com/a.mp4?"),
    ],
)
def test_addressing_style(style: str, endpoint_url: str | None, start: str) -> None:
    link = block(addressing_style=style, endpoint_url=endpoint_url).open().link("a.mp4", seconds=60)
    assert link.replace("videos.s3.eu-central-1.", "videos.s3.").startswith(start)


def test_a_role_is_assumed_when_first_needed_and_kept(server: Server) -> None:
    store = opened(server, role_arn=ROLE)
    assert server.roles == []
    puts = written(server, store)
    assert len(server.roles) == 1
    assert server.roles[0]["RoleArn"] == [ROLE]
    assert {put["x-amz-security-token"] for put in puts} == {"token1"}
    assert all("Credential=ROLE1/" in put["authorization"] for put in puts)


def test_a_role_is_renewed_before_it_ends(server: Server) -> None:
    """A run may last longer than the session of a role: one that is about to end is replaced by another."""
    server.role_minutes = 5
    store = opened(server, role_arn=ROLE, prefix="renewed")
    store.put("a", b"1", content_type="text/plain")
    server.role_minutes = 60
    for _ in range(3):
        store.put("a", b"1", content_type="text/plain")
    assert [put["x-amz-security-token"] for put in server.puts] == ["token1", "token2", "token2", "token2"]


def test_a_role_by_the_default_chain(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment")
    store = opened(server, role_arn=ROLE, aws_access_key_id=None, aws_secret_access_key=None)
    written(server, store)
    assert len(server.roles) == 1


def test_a_role_that_may_not_be_assumed_is_said(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    monkeypatch.setattr(server, "role", lambda body: denied)
    server.role_status = 403
    with pytest.raises(StoreError, match=r"AccessDenied: the role cannot be assumed.*sts:AssumeRole") as caught:
        opened(server, role_arn=ROLE, prefix="denied").put("a", b"1", content_type="text/plain")
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"aws_session_token": "t", "aws_access_key_id": None, "aws_secret_access_key": None},
        {"kms_key_id": "k"},
        {"kms_key_id": "k", "server_side_encryption": "AES256"},
        {"role_arn": "videos"},
        {"storage_class": "DEEP_ARCHIVE"},
    ],
    ids=str,
)
def test_settings_that_cannot_work_together(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        block(**settings)


def test_secrets_show_nowhere() -> None:
    made = block(aws_session_token="very-secret-token")
    assert "very-secret" not in repr(made) + str(made) + made.model_dump_json() + repr(made.open())


def works(store: S3VideoStore, prefix: str) -> None:
    store.open().check()
    assert store.open().uri("a") == f"s3://videos/{prefix}a"


def test_a_bucket_of_prefect_aws(s3: S3Server) -> None:
    """With credentials for a server of its own, which `get_boto3_session().client("s3")` would not speak to."""
    aws = AwsCredentials(
        aws_access_key_id=s3.access_key_id,
        aws_secret_access_key=SecretStr(s3.secret_access_key),
        region_name="us-east-1",
        aws_client_parameters=AwsClientParameters(endpoint_url=s3.endpoint_url),
    )
    works(
        S3VideoStore.from_prefect_aws(S3Bucket(bucket_name="videos", bucket_folder="my/folder", credentials=aws)),
        "my/folder/",
    )
    works(S3VideoStore.from_prefect_aws(aws, bucket="videos", prefix="other"), "other/")
    with pytest.raises(ValidationError, match="bucket"):
        S3VideoStore.from_prefect_aws(aws)


def test_minio_of_prefect_aws(s3: S3Server) -> None:
    minio = MinIOCredentials(
        minio_root_user=s3.access_key_id,
        minio_root_password=SecretStr(s3.secret_access_key),
        aws_client_parameters=AwsClientParameters(
            endpoint_url=s3.endpoint_url,
            config={"signature_version": "s3v4", "s3": {"addressing_style": "path"}},
        ),
    )
    made = S3VideoStore.from_prefect_aws(S3Bucket(bucket_name="videos", credentials=minio), region_name="us-east-1")
    assert made.addressing_style == "path"
    works(made, "")


def test_what_prefect_aws_credentials_carry_over() -> None:
    aws = AwsCredentials(
        aws_access_key_id="AKIA",
        aws_secret_access_key=SecretStr("very-secret"),
        aws_session_token="token",
        assume_role_arn=ROLE,
        aws_client_parameters=AwsClientParameters(config={"request_checksum_calculation": "when_required"}),
    )
    made = S3VideoStore.from_prefect_aws(aws, bucket="videos")
    assert made.aws_session_token is not None
    assert (made.aws_session_token.get_secret_value(), made.role_arn) == ("token", ROLE)
    assert made.request_checksums == "when_required"
    assert S3VideoStore.from_prefect_aws(AwsCredentials(), bucket="videos") == S3VideoStore(bucket="videos")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"profile_name": "dev"}, "profile_name"),
        ({"assume_role_kwargs": {"ExternalId": "x"}}, "assume_role_kwargs"),
        ({"aws_client_parameters": {"verify": False}}, "verify"),
        ({"aws_client_parameters": {"use_ssl": False}}, "use_ssl"),
        ({"aws_client_parameters": {"api_version": "2006-03-01"}}, "api_version"),
        ({"aws_client_parameters": {"config": {"read_timeout": 3}}}, "read_timeout"),
        ({"aws_client_parameters": {"config": {"s3": {"use_accelerate_endpoint": True}}}}, "use_accelerate_endpoint"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_carried_over_is_said(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=rf"no setting for {name} of this prefect-aws block"):
        S3VideoStore.from_prefect_aws(AwsCredentials.model_validate(settings), bucket="videos")
