"""Compares the bill with the store: what was paid, what is stored, what is lost."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.storage.base import ObjectStore


@dataclass(frozen=True)
class Verdict:
    """The result of the prompts of a batch."""

    accepted: int
    """Submissions on the gateways' bill."""
    duplicates: int
    """Of these, the ones beyond the first for a prompt."""
    stored: int
    """Videos whose bytes in the store have the recorded checksum and belong to the recorded job."""
    unknown: int
    """Records of unknown outcome, to be resolved by a person."""
    unknown_billed: int
    """Of these, the ones on the bill."""
    lost: int
    """Succeeded jobs on the bill without a record in the store."""
    faults: tuple[str, ...] = field(default=())
    """Broken promises, in words."""


def judge(
    prompts: Sequence[str], bill: Sequence[dict[str, Any]], found: Sequence[VideoRecord], store: ObjectStore
) -> Verdict:
    """Compare the gateways' bill with the records and the bytes of a batch."""
    records = {record.request.prompt: record for record in found}
    paid = Counter(str(job["prompt"]) for job in bill)
    faults: list[str] = []
    stored = 0
    for record in found:
        if record.state is VideoState.STORED:
            fault = _fault(record, store)
            stored += not fault
            faults += [fault] if fault else []
    unknown = [record for record in found if record.state is VideoState.UNKNOWN]
    lost = [job for job in bill if job["status"] == "succeeded" and not _is_known(job, records.get(job["prompt"]))]
    duplicates = sum(count - 1 for count in paid.values())
    faults += [f"{count} submissions were accepted for {prompt!r}" for prompt, count in paid.items() if count > 1]
    faults += [f"job {job['id']} for {job['prompt']!r} is paid and lost" for job in lost]
    faults += [f"nothing is on record for {prompt!r}" for prompt in prompts if prompt not in records]
    faults += [f"{r.stem} is {r.state}" for r in found if r.state not in (VideoState.STORED, VideoState.UNKNOWN)]
    return Verdict(
        accepted=len(bill),
        duplicates=duplicates,
        stored=stored,
        unknown=len(unknown),
        unknown_billed=sum(paid[record.request.prompt] > 0 for record in unknown),
        lost=len(lost),
        faults=tuple(faults),
    )


def _fault(record: VideoRecord, store: ObjectStore) -> str:
    for file in record.files:
        found = store.read(file.name)
        if found is None:
            return f"{file.uri} is recorded and missing"
        if hashlib.sha256(found[0]).hexdigest() != file.sha256:
            return f"{file.uri} has another checksum than recorded"
        if str(record.attempt.task_id).encode() not in found[0]:
            return f"{file.uri} is the video of another job than {record.attempt.task_id}"
    return "" if record.files else f"{record.stem} is stored and has no file"


def _is_known(job: dict[str, Any], record: VideoRecord | None) -> bool:
    """Whether the record leads to the job: by its task id, or as one of unknown outcome."""
    if record is None:
        return False
    if record.state is VideoState.UNKNOWN:
        return True
    return record.state in (VideoState.STORED, VideoState.SUBMITTED) and record.attempt.task_id == job["id"]
