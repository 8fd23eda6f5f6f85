"""Stores that do not keep the promises which paying once rests on are found out before anything is paid."""

from collections.abc import Generator
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws
from pydantic import SecretStr

from prefect_omnivideo.core.errors import RecordConflictError, StoreError, StoreUnavailableError
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.base import JSON, ETag
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from tests.core.records.samples import record as claim


class Rewriting(Folder):
    """Behind a proxy that gives out other ETags to who reads than to who writes."""

    writes = 0

    def read(self, name: str) -> tuple[bytes, ETag] | None:
        found = super().read(name)
        return found and (found[0], f"W/{found[1]}")

    def replace(self, name: str, data: bytes, etag: ETag, *, content_type: str = JSON) -> ETag:
        self.writes += 1
        found = super().read(name)
        if found is None or found[1] != etag:
            raise RecordConflictError(f"{name} was changed by somebody else")
        self.put(name, data, content_type=content_type)
        again = super().read(name)
        assert again
        return again[1]


def made() -> Any:
    return client(S3Options(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key=SecretStr("b")))


def test_etags_that_differ_are_found_out_before_a_claim(folder: Folder) -> None:
    store = Rewriting(folder.path / "rewriting")
    with pytest.raises(StoreError, match=r"written as ETag .* is read as W/"):
        store.check()
    with pytest.raises(StoreError, match=r"was not claimed, so nothing was sent: .*ETag"):
        Records(store).claim(claim())
    assert list(store.names()) == []


def test_an_update_that_never_succeeds_ends(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Rewriting(folder.path / "rewriting")
    monkeypatch.setattr(store, "prove", lambda: None)
    current, _ = Records(store).claim(claim())
    found = Records(store).get(f"{current.record.stem}.json")
    assert found
    with pytest.raises(RecordConflictError) as raised:
        Records(store).update(found, VideoRecord.unknown)
    assert store.writes <= 30
    assert "docs/stores.md" in " ".join(raised.value.__notes__)


def test_a_claim_that_is_always_removed_again_ends(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def create(name: str, *_: object) -> ETag:
        tries.append(name)
        raise RecordConflictError(f"{name} exists already")

    records = Records(folder)
    folder.prove()
    monkeypatch.setattr(folder, "create", create)
    with pytest.raises(RecordConflictError):
        records.claim(claim())
    assert len(tries) <= 30


def test_what_was_accepted_for_a_record_that_was_made_anew_changes_nothing() -> None:
    """It raised StopIteration, which no future can carry: whoever waited for it did so for ever."""
    assert claim().accepted("another claim", "task-1") is None


def test_a_place_is_proven_once_a_process(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Folder(folder.path / "proven")
    checks: list[None] = []
    check = Folder.check
    monkeypatch.setattr(Folder, "check", lambda self: (checks.append(None), check(self))[1])
    for take in (1, 2, 3):
        Records(store).claim(claim(take=take))
    assert len(checks) == 1


def test_a_server_without_conditional_writes_is_named_as_such() -> None:
    server = made()
    with Stubber(server) as stub:
        said = "A header you provided implies functionality that is not implemented."
        stub.add_client_error("put_object", "NotImplemented", said, http_status_code=501)
        with pytest.raises(StoreError, match=r"conditional writes \(IfNoneMatch\).*docs/stores.md") as raised:
            Bucket(server, "videos").check()
    assert "checksum" not in str(raised.value)


def test_an_operation_under_way_passes() -> None:
    server = made()
    with Stubber(server) as stub:
        stub.add_client_error("put_object", "OperationAborted", "A conflicting operation", http_status_code=409)
        with pytest.raises(StoreUnavailableError, match="run again"):
            Bucket(server, "videos").create("a.json", b"{}")


@pytest.fixture
def bucket() -> Generator[Bucket]:
    with mock_aws():
        server = made()
        server.create_bucket(Bucket="videos")
        yield Bucket(server, "videos", "omni")


def rules(bucket: Bucket, *rules: dict[str, Any]) -> None:
    given = [{"ID": f"rule-{n}", "Status": "Enabled", **rule} for n, rule in enumerate(rules)]
    bucket._client.put_bucket_lifecycle_configuration(
        Bucket="videos",
        LifecycleConfiguration={"Rules": given},  # type: ignore[typeddict-item]  # as in the documents
    )


def test_settings_that_would_remove_records_are_named(bucket: Bucket) -> None:
    assert bucket.dangers() == []
    rules(
        bucket,
        {"Filter": {"Prefix": ""}, "Expiration": {"Days": 30}},
        {"Filter": {"Prefix": "omni/daily/"}, "Transitions": [{"Days": 1, "StorageClass": "DEEP_ARCHIVE"}]},
        {"Filter": {"Prefix": "others/"}, "Expiration": {"Days": 30}},
        {"Filter": {"Prefix": "omni/"}, "Status": "Disabled", "Expiration": {"Days": 30}},
        {"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 30}},
    )
    expires, archives = bucket.dangers()
    assert "rule-0" in expires
    assert "after 30 days" in expires
    assert "rule-1" in archives


def test_records_that_were_deleted_are_named_where_they_can_be_restored(bucket: Bucket) -> None:
    bucket._client.put_bucket_versioning(Bucket="videos", VersioningConfiguration={"Status": "Enabled"})
    bucket.check()
    name = f"{claim().stem}.json"
    bucket.create(name, b"{}")
    assert bucket.dangers() == []
    bucket.delete(name)
    [danger] = bucket.dangers()
    assert f"omni/{name}" in danger
