"""Records of older versions are read, mean what they meant, and are written as today's."""

import json
from pathlib import Path

import pytest

from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records, parse, record_name
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder
from tests.core.records.samples import record

VERSION_1 = (Path(__file__).parent / "versions" / "1.json").read_bytes()
"""Written by 0.1.0: a connection that failed first, then a video whose shape is not what was asked for."""

VERSION_2 = (Path(__file__).parent / "versions" / "2.json").read_bytes()
"""Every field of the request written out, and no place."""


def test_a_record_of_version_2_is_read() -> None:
    written = json.loads(VERSION_2)
    read = parse(f"{written['batch']}/a-red-apple-on-a-wooden-table-{written['key']}.json", VERSION_2)
    assert (read.version, read.state, read.place) == (3, VideoState.STORED, None)
    assert read.order == (read.created_at, 0, read.key)
    assert read.request == VideoRequest(
        prompt="A red apple on a wooden table", duration=8, aspect_ratio="16:9", options={"watermark": False}
    )


def test_a_record_of_version_1_is_read(records: Records, folder: Folder) -> None:
    name = "daily/2026-10-01/a-red-apple-on-a-wooden-table-" + json.loads(VERSION_1)["key"] + ".json"
    folder.create(name, VERSION_1)
    found = records.get(name)
    assert found is not None
    record = found.record
    assert (record.version, record.state) == (3, VideoState.STORED)
    assert record_name(record) == name
    first, second = record.attempts
    assert first.gateway == second.gateway == "apimart"
    assert (first.claim_id, second.claim_id) == ("a" * 32, "b" * 32)
    assert first.failure is not None
    assert (first.failure.category, first.failure.accepted) == ("gateway error", False)
    assert first.failure.may_resubmit
    assert (second.task_id, second.cost) == ("task_01", Amount.parse("0.25 USD"))
    assert record.mismatches == ("asked for 9:16, got 16:9",)
    assert record.files[0].poster


def test_it_is_written_as_version_3(records: Records, folder: Folder) -> None:
    name = "daily/2026-10-01/a-red-apple-on-a-wooden-table-" + json.loads(VERSION_1)["key"] + ".json"
    folder.create(name, VERSION_1)
    found = records.get(name)
    assert found is not None
    records.update(found, lambda record: record.stored(record.files))
    written = folder.read(name)
    assert written is not None
    assert json.loads(written[0])["version"] == 3
    assert b"provider" not in written[0]
    assert VideoRecord.model_validate(json.loads(written[0])).attempt.gateway == "apimart"


@pytest.mark.parametrize(
    ("gateway", "cost", "credits_", "read"),
    [
        ("apimart", 0.1, 1.0, "0.10 USD"),
        ("apimart", None, 2.5, "2.5 credits"),
        ("sora", 1e-7, None, "0.0000001 XXX"),
        ("sora", 0, None, "0.00 XXX"),
        ("sora", -1, None, "None"),
        ("sora", None, None, "None"),
    ],
)
def test_a_cost_of_version_2_gets_the_unit_it_had(
    gateway: str, cost: float | None, credits_: float | None, read: str
) -> None:
    old = record().submitted("task_1").model_dump(mode="json") | {"version": 2}
    attempt = {**old["attempts"][0], "gateway": gateway, "cost": cost, "credits": credits_}
    del attempt["estimate"], attempt["estimated_from"]
    data = json.dumps(old | {"attempts": [attempt]}).encode()
    assert str(parse(record_name(record()), data).attempt.cost) == read
