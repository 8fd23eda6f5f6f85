"""Where sheets come from: the worker's disk, an https address, S3."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto import mock_aws

from prefect_omnivideo.core.errors import RequestError, StoreError, StoreUnavailableError, TransferError
from prefect_omnivideo.core.sheets import source as sheets
from prefect_omnivideo.core.sheets.source import SheetFile, read
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.core.transfer.fetch import Fetched, Source

SIGNED = "https://files.example/a%20b.csv?signature=hush"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="prompts")
        s3.put_object(Bucket="prompts", Key="sheets/My sheet.csv", Body=b"prompt\nx\n")
        yield s3


def answer(monkeypatch: pytest.MonkeyPatch, response: httpx.Response | Exception) -> list[Source]:
    asked: list[Source] = []

    @contextmanager
    def fetch(source: Source, headers: Mapping[str, str], timeout: float) -> Generator[Fetched]:
        asked.append(source)
        if isinstance(response, Exception):
            raise response
        yield Fetched(response, source.url, False)

    monkeypatch.setattr(sheets, "fetch", fetch)
    return asked


def test_a_local_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my sheet.csv").write_bytes(b"prompt\n")
    assert read("~/my sheet.csv", at_most=7) == SheetFile("my sheet.csv", b"prompt\n")
    with pytest.raises(RequestError, match="is larger than"):
        read("~/my sheet.csv", at_most=6)


@pytest.mark.parametrize("location", ["nowhere.csv", ".", "http://files.example/a.csv", "gs://bucket/a.csv", ""])
def test_what_cannot_be_read_is_refused_with_what_can(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=r"sheet: .*accepted: a path on the worker, an https:// URL, or s3://"):
        read(location, at_most=100)


def test_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, httpx.Response(200, headers={"Content-Type": "Text/CSV; charset=utf-8"}, content=b"x"))
    assert read(SIGNED, at_most=1) == SheetFile("a b.csv", b"x", "text/csv")
    assert asked[0].key is None, "no key of any account goes along"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(404), RequestError),
        (httpx.Response(200, content=b"xx"), RequestError),
        (TransferError("link to files.example/a%20b.csv refused"), RequestError),
        (httpx.Response(503), StoreUnavailableError),
        (httpx.ReadTimeout("https://files.example/?signature=hush"), StoreUnavailableError),
    ],
)
def test_an_address_that_fails_keeps_its_signature(
    monkeypatch: pytest.MonkeyPatch, response: httpx.Response | Exception, error: type[Exception]
) -> None:
    answer(monkeypatch, response)
    with pytest.raises(error) as caught:
        read(SIGNED, at_most=1)
    assert "files.example/a%20b.csv" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_an_object_through_the_default_chain(aws: Any) -> None:
    assert read("s3://prompts/sheets/My sheet.csv", at_most=9).data == b"prompt\nx\n"
    with pytest.raises(RequestError, match="larger"):
        read("s3://prompts/sheets/My sheet.csv", at_most=8)
    with pytest.raises(RequestError, match=r"there is no object s3://prompts/none\.csv"):
        read("s3://prompts/none.csv", at_most=8)
    with pytest.raises(StoreError, match="elsewhere"):
        read("s3://elsewhere/a.csv", at_most=8)


def test_an_object_of_the_stores_own_bucket_is_read_with_the_stores_client(
    aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Bucket(client(S3Options(aws_access_key_id="own", aws_secret_access_key="own")), "prompts")
    monkeypatch.setattr(sheets, "client", lambda: pytest.fail("the default chain was asked"))
    assert read("s3://prompts/sheets/My sheet.csv", at_most=9, bucket=own).name == "My sheet.csv"
