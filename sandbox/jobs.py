"""The job book: every accepted submission and its progress."""

import hashlib
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from prefect_omnivideo.sandbox.journal import Journal

Phase = Literal["queued", "running", "succeeded", "failed", "cancelled"]
"""State of a job, in the words of docs/gateways.md; each gateway has its own."""

QUEUED_SHARE: Final = 0.2
"""Share of a job's time that it spends in the queue."""


@dataclass(frozen=True, slots=True)
class Clip:
    """The video a job makes: pixels, seconds, and whether it has a sound track."""

    width: int
    height: int
    seconds: float
    sound: bool = False


@dataclass(slots=True)
class Job:
    """One accepted submission: the request, and the job made of it.

    `account` is a fingerprint of the key, never the key. Times are epoch seconds, `latency` is in seconds.
    """

    gateway: str
    model: str
    prompt: str
    clip: Clip
    body: dict[str, Any]
    encoding: str
    headers: dict[str, str]
    account: str
    faults: dict[str, float]
    id: str = ""
    number: int = 0
    accepted_at: float = 0
    latency: float = 0
    polls: int = 0
    downloads: int = 0
    seen_at: float | None = None
    """When a status answer first reported the end of this job."""
    deleted: bool = False
    request_id: str = ""
    """The id of the request that was accepted, which the logs of the new-api family repeat."""

    @property
    def ends_at(self) -> float | None:
        """When the job ends, or None if it never does."""
        return None if "never" in self.faults else self.accepted_at + self.latency

    @property
    def outcome(self) -> Phase:
        """How the job will end."""
        if "cancelled" in self.faults:
            return "cancelled"
        return "failed" if self.faults.keys() & {"fail", "moderated"} else "succeeded"


@dataclass(frozen=True, slots=True)
class Moment:
    """A job at one time: its phase, and how much of its time has passed, from 0 to 1."""

    phase: Phase
    share: float

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.phase not in ("queued", "running")

    @property
    def progress(self) -> int:
        """Percent: 0 while queued, 100 only on success, 0 after a failure."""
        if self.phase == "running":
            return min(99, max(1, round(self.share * 100)))
        return 100 if self.phase == "succeeded" else 0


def moment(job: Job, now: float) -> Moment:
    """How far `job` is at `now` (epoch seconds): a function of time only, so that queries do not change it."""
    if job.ends_at is not None and now >= job.ends_at:
        return Moment(job.outcome, 1)
    share = min(1, (now - job.accepted_at) / job.latency) if job.latency else 1
    return Moment("queued" if share < QUEUED_SHARE else "running", share)


def fingerprint(key: str) -> str:
    """An identifier for the account behind an API key that does not reveal the key."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


@dataclass
class JobBook:
    """All jobs of a run by id; with a journal, of earlier runs too."""

    clock: Callable[[], float]
    latency: float
    jitter: float
    journal: Journal | None = None
    _jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    _count: int = 0

    def __post_init__(self) -> None:
        for entry in self.journal.load() if self.journal else ():
            entry["clip"] = Clip(**entry["clip"])
            job = Job(**entry)
            self._jobs[job.id] = job
            self._count = job.number

    def accept(self, job: Job) -> None:
        """Give a job its number, id and time and write it to the journal; from here on it is billed."""
        self._count += 1
        job.request_id = uuid.uuid4().hex
        job.number, job.id, job.accepted_at = self._count, f"task_{uuid.uuid4().hex}", self.clock()
        job.latency = self.latency * (1 + self.jitter * (2 * zlib.crc32(job.id.encode()) / 0xFFFFFFFF - 1))
        if self.journal:
            self.journal.append(asdict(job))
        self._jobs[job.id] = job

    def get(self, identity: str) -> Job | None:
        """The job of that id."""
        return self._jobs.get(identity)

    def now(self, job: Job) -> Moment:
        """How far a job is."""
        return moment(job, self.clock())

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def bill(self) -> list[dict[str, Any]]:
        """Every accepted submission in order, as JSON-ready facts."""
        return [asdict(job) | {"status": self.now(job).phase, "finished_at": self._finished_at(job)} for job in self]

    def _finished_at(self, job: Job) -> float | None:
        return job.ends_at if self.now(job).ended else None

    def reset(self) -> None:
        """Forget every job, in the journal too."""
        self._jobs.clear()
        if self.journal:
            self.journal.clear()
