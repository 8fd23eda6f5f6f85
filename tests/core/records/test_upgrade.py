"""Records of older versions are read, mean what they meant, and are written as today's."""

import json
from pathlib import Path

from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records, record_name
from prefect_omnivideo.core.storage.folder import Folder

VERSION_1 = (Path(__file__).parent / "versions" / "1.json").read_bytes()
"""Written by 0.1.0: a connection that failed first, then a video whose shape is not what was asked for."""


def test_a_record_of_version_1_is_read(records: Records, folder: Folder) -> None:
    name = "daily/2026-10-01/a-red-apple-on-a-wooden-table-" + json.loads(VERSION_1)["key"] + ".json"
    folder.create(name, VERSION_1)
    found = records.get(name)
    assert found is not None
    record = found.record
    assert (record.version, record.state) == (2, VideoState.STORED)
    assert record_name(record) == name
    first, second = record.attempts
    assert first.gateway == second.gateway == "apimart"
    assert (first.claim_id, second.claim_id) == ("a" * 32, "b" * 32)
    assert first.failure is not None
    assert (first.failure.category, first.failure.accepted) == ("gateway error", False)
    assert first.failure.may_resubmit
    assert (second.task_id, second.cost, second.credits) == ("task_01", 0.25, 2.5)
    assert record.mismatches == ("asked for 9:16, got 16:9",)
    assert record.files[0].poster


def test_it_is_written_as_version_2(records: Records, folder: Folder) -> None:
    name = "daily/2026-10-01/a-red-apple-on-a-wooden-table-" + json.loads(VERSION_1)["key"] + ".json"
    folder.create(name, VERSION_1)
    found = records.get(name)
    assert found is not None
    records.update(found, lambda record: record.stored(record.files))
    written = folder.read(name)
    assert written is not None
    assert json.loads(written[0])["version"] == 2
    assert b"provider" not in written[0]
    assert VideoRecord.model_validate(json.loads(written[0])).attempt.gateway == "apimart"
