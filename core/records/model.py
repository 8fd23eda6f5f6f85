"""The record of one video: the small JSON object that ensures paying only once.

`submitting -> submitted (-> finished) -> stored`, or `failed`, or `unknown`. A record is immutable; each step returns a
new one, and `Records` (repository.py) writes it only if it was not changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from prefect_omnivideo.core.errors import FailureCategory
from prefect_omnivideo.core.exchange import Exchange
from prefect_omnivideo.core.money.amount import Amount, AmountText, total
from prefect_omnivideo.core.request import VideoRequest

_ANSWERS_KEPT = 4
CLOCKS_APART = timedelta(minutes=10)
"""How far the clocks of two machines may differ."""


class VideoState(StrEnum):
    """The state of a video."""

    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    FINISHED = "finished"
    """Done at the gateway, not yet in the store."""
    STORED = "stored"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Part(BaseModel):
    """Base of everything inside a record. Fields of newer versions are refused by `version`, not dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Failure(Part):
    """Why there is no video."""

    category: FailureCategory
    message: str
    accepted: bool = True
    """False: the gateway certainly never accepted the job, so nothing was spent."""
    released: bool = False
    """A person decided that the request may be sent again."""

    @property
    def may_resubmit(self) -> bool:
        """Whether a later run may send it again: a person decided so, or nothing was spent and it may work then."""
        may_work = self.category in ("no balance", "unauthorized", "gateway error")
        return self.released or (may_work and not self.accepted)


class Reserved(Part):
    """What budgets hold for an attempt."""

    id: str
    """Random id of the reservation; an attempt and one that repeats it after a rejection may share it."""
    leases: tuple[str, ...]
    """Ids of the entries, in the ledgers of the budgets, that it was taken from."""
    amount: AmountText | None = None
    """What it counts as until its cost is known; None if its price is unknown."""


class Attempt(Part):
    """One submission to one account."""

    gateway: str
    """Slug of the gateway."""
    account: str
    """Name of the credentials block, or the gateway's slug for unsaved credentials."""
    base_url: str
    """Where it was sent; status and download go there too."""
    submit_path: str
    """The route taken, which decides the route of the status query."""
    claim_id: str
    """Random id of the claim: its owner may submit."""
    flow_run: str | None = None
    """Id of the flow run that submitted, if any."""
    started_at: AwareDatetime
    """Before the request was sent."""
    claim_ends_at: AwareDatetime
    """When the claim expires; a record that is still `submitting` then is unknown."""
    submitted_at: AwareDatetime | None = None
    request_id: str = ""
    """The gateway's id of the request that it accepted, which its own logs repeat."""
    task_id: str | None = None
    earlier_task_ids: tuple[str, ...] = ()
    """Earlier ids that a person corrected: none is ever dropped."""
    finished_at: AwareDatetime | None = None
    """When the gateway was seen to have finished, or the attempt was seen to have failed."""
    failure: Failure | None = None
    estimate: AmountText | None = None
    """What it was expected to cost, if that was known before it was sent."""
    estimated_from: str = ""
    """Where the estimate came from: "price list", "gateway" or "earlier videos"."""
    cost: AmountText | None = None
    """What the gateway charged, if reported; in `XXX` if its currency is not known."""
    trouble: str = ""
    """What kept an accepted video out of the store when it was last tried. A later run tries again."""
    answers: tuple[Exchange, ...] = ()
    """Evidence of anything unexpected: the answer to the submission and the latest ones about the job."""
    generated_seconds: float | None = None
    """From acceptance to completion by the gateway's own clock, if reported."""
    reserved: Reserved | None = None
    """What budgets hold for it, if there are any."""
    continues: str = ""
    """What a shot of a storyboard continues: the task id of that video, or the SHA-256 of its file."""
    video_id: str = ""
    """The vendor's own id of the finished video, if the gateway told it: what Kling extends by."""
    dropped: tuple[str, ...] = ()
    """Fields of the request that the account cannot honour and was not sent, as its route allows."""

    @property
    def lacks_cost(self) -> bool:
        """Whether it was accepted, or may have been, and nobody told what it did cost.

        A person releases a submission of unknown outcome only after seeing that the gateway did not accept it.
        """
        failure = self.failure
        refused = failure is not None and (failure.released or not failure.accepted)
        return self.cost is None and (self.task_id is not None or not refused)


class StoredFile(Part):
    """One file in the store."""

    name: str
    """Name within the store, such as `daily/a-red-apple-0123456789abcdef.mp4`."""
    uri: str
    size: int
    """Bytes."""
    sha256: str
    content_type: str
    source_host: str
    """Host of the link it came from; the link itself may carry a signature."""
    link_expires_at: AwareDatetime | None = None
    transfer_seconds: float
    media: dict[str, JsonValue] = Field(default={})
    """Container, codec, duration (seconds), width, height, frame_rate, audio: with the `media` extra."""
    poster: str | None = None
    """Name of the poster image within the store; empty if a sweep found no picture."""
    found_at: str = ""
    """Path of its link in the gateway's answer, if undocumented."""
    doubt: str = ""
    """Why it may not be the requested video: it could not be opened."""


class Place(Part):
    """Where a video was first asked for; reports list videos in this order."""

    asked_at: AwareDatetime
    """When the run with its list or sheet was to start."""
    position: int = Field(ge=1)
    """Position in that list or sheet, from 1."""


Order = tuple[datetime, int, str]
"""What records are sorted by."""


class VideoRecord(Part):
    """Everything known about one video of one batch."""

    version: Literal[3] = 3
    key: str
    batch: str
    request: VideoRequest
    state: VideoState
    attempts: tuple[Attempt, ...] = Field(min_length=1)
    files: tuple[StoredFile, ...] = ()
    mismatches: tuple[str, ...] = ()
    """How the video differs from the request, in words."""
    place: Place | None = None
    """None: it was asked for by itself, or by a version that did not keep this."""
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @property
    def stem(self) -> str:
        """Name within the store, without the ending: `<batch>/<slug>-<key>`."""
        return stem(self.batch, self.request)

    @property
    def order(self) -> Order:
        """Lists come in the order of their runs, and a list in its own order; a video by itself when it was made."""
        place = self.place
        return (place.asked_at, place.position, self.key) if place else (self.created_at, 0, self.key)

    @property
    def attempt(self) -> Attempt:
        """The latest attempt."""
        return self.attempts[-1]

    def is_claimed_by(self, claim_id: str) -> bool:
        """Whether the record waits for the outcome of this claim."""
        return self.state in (VideoState.SUBMITTING, VideoState.UNKNOWN) and self.attempt.claim_id == claim_id

    def awaits(self, task_id: str | None) -> bool:
        """Whether the record waits for the video of this job."""
        return self.is_collectable and self.attempt.task_id == task_id

    @property
    def is_collectable(self) -> bool:
        """Whether the gateway has accepted a job whose video is still to be stored."""
        return self.state in (VideoState.SUBMITTED, VideoState.FINISHED)

    @property
    def failure(self) -> Failure | None:
        """Why the latest attempt failed."""
        return self.attempt.failure

    @property
    def is_abandoned(self) -> bool:
        """Whether a person abandoned it."""
        return self.failure is not None and self.failure.category == "abandoned"

    @property
    def cost(self) -> tuple[Amount, ...]:
        """What gateways reported that they charged for all attempts: an amount for each unit, or none."""
        return total(attempt.cost for attempt in self.attempts if attempt.cost)

    @property
    def without_cost(self) -> int:
        """How many submissions were accepted, or may have been, whose cost is not known: it comes on top."""
        return sum(attempt.lacks_cost for attempt in self.attempts)

    def submitted(self, task_id: str) -> VideoRecord:
        """The gateway accepted the job."""
        attempt = self.attempt
        known = attempt.task_id
        earlier = (*attempt.earlier_task_ids, known) if known and known != task_id else attempt.earlier_task_ids
        return self._step(
            VideoState.SUBMITTED,
            task_id=task_id,
            earlier_task_ids=earlier,
            submitted_at=attempt.submitted_at or now(),
            failure=None,
            finished_at=None,
            trouble="",
        )

    def accepted(self, claim_id: str, task_id: str, answers: tuple[Exchange, ...] = ()) -> VideoRecord | None:
        """The gateway accepted the job of a claim, however late: its attempt gets the task id, unless it has one.

        A person may have decided meanwhile. Unless it was submitted again, the record waits for this job.
        """
        attempts = list(self.attempts)
        number = next((number for number, attempt in enumerate(attempts) if attempt.claim_id == claim_id), None)
        if number is None:  # the record was removed and created again: the job is not its own
            return None
        changes: dict[str, object] = {"task_id": task_id, "submitted_at": now(), "answers": answers}
        if answers:
            changes["request_id"] = answers[0].request_id.partition(": ")[2]
        state = self.state
        if attempts[number].task_id is not None:
            return None
        if number == len(attempts) - 1:
            state = VideoState.SUBMITTED
            changes |= {"failure": None, "finished_at": None}
        attempts[number] = attempts[number].model_copy(update=changes)
        return self.model_copy(update={"state": state, "attempts": tuple(attempts), "updated_at": now()})

    def charged(self, claim_id: str, cost: Amount) -> VideoRecord | None:
        """What the attempt of a claim did cost became known, or changed by a refund; None if it is known already."""
        attempts = tuple(
            attempt.model_copy(update={"cost": cost}) if attempt.claim_id == claim_id else attempt
            for attempt in self.attempts
        )
        return None if attempts == self.attempts else self.model_copy(update={"attempts": attempts})

    def failed(
        self,
        category: FailureCategory,
        message: str,
        *,
        accepted: bool = True,
        cost: Amount | None = None,
        answers: tuple[Exchange, ...] = (),
    ) -> VideoRecord:
        """There will be no video from this attempt; it may still have cost something."""
        failure = Failure(category=category, message=message, accepted=accepted)
        changes = {"cost": cost} if cost else {}
        return self._step(VideoState.FAILED, failure=failure, finished_at=now(), **changes, **self._with(answers))

    def unknown(self, message: str = "", answers: tuple[Exchange, ...] = ()) -> VideoRecord:
        """The outcome of the submission cannot be known; evidence or a person decides."""
        return self._step(VideoState.UNKNOWN, trouble=message, **self._with(answers))

    def troubled(self, message: str, answers: tuple[Exchange, ...] = ()) -> VideoRecord:
        """The job was accepted but its video could not be stored; a later run tries again."""
        return self._step(self.state, trouble=message, **self._with(answers))

    def released(self) -> VideoRecord:
        """A person decided that the next run may send the request again, and pay for it."""
        old = self.failure or Failure(category="abandoned", message="its outcome was never known")
        released = old.model_copy(update={"released": True, "message": f"{old.message}; released to be sent again"})
        return self._step(VideoState.FAILED, failure=released, finished_at=now())

    def moved(self, account: str, base_url: str) -> VideoRecord:
        """The account that submitted it has another name or address now."""
        return self._step(self.state, account=account, base_url=base_url)

    def finished(
        self,
        cost: Amount | None,
        *,
        generated_seconds: float | None = None,
        at: datetime | None = None,
        video_id: str = "",
        trouble: str = "",
        answers: tuple[Exchange, ...] = (),
    ) -> VideoRecord:
        """The gateway was seen to have finished the video, now or at an earlier moment; it is not in the store yet.

        Args:
            trouble: why it is not stored.
        """
        finished_at = self.attempt.finished_at or at or now()
        changes: dict[str, object] = {"cost": cost or self.attempt.cost, "generated_seconds": generated_seconds}
        changes |= {"trouble": trouble, "video_id": video_id or self.attempt.video_id, **self._with(answers)}
        return self._step(VideoState.FINISHED, finished_at=finished_at, **changes)

    def stored(self, files: tuple[StoredFile, ...], mismatches: tuple[str, ...] = ()) -> VideoRecord:
        """The video is in the store. Evidence is kept if the video is in doubt."""
        is_odd = any(file.doubt or file.found_at for file in files)
        changes: dict[str, object] = {"trouble": "", "failure": None}
        if not is_odd:
            changes["answers"] = ()
        stored = self._step(VideoState.STORED, **changes)
        return stored.model_copy(update={"files": files, "mismatches": mismatches})

    def illustrated(self, posters: Mapping[str, str]) -> VideoRecord | None:
        """Posters were made of files, by their names; None if the record has them, or has other files, by now."""
        files = tuple(
            file.model_copy(update={"poster": posters[file.name]})
            if file.poster is None and file.name in posters
            else file
            for file in self.files
        )
        return None if files == self.files else self.model_copy(update={"files": files})

    def again(self, attempt: Attempt) -> VideoRecord:
        """One more attempt, after one that certainly cost nothing or by a person's decision."""
        return self.model_copy(
            update={
                "state": VideoState.SUBMITTING,
                "attempts": (*self.attempts, attempt),
                "updated_at": now(),
            }
        )

    def _with(self, answers: tuple[Exchange, ...]) -> dict[str, object]:
        """The evidence, old and new: the first answer, which is that to the submission, and the latest ones."""
        all_of_them = (*self.attempt.answers, *answers)
        kept = all_of_them if len(all_of_them) <= _ANSWERS_KEPT else (all_of_them[0], *all_of_them[1 - _ANSWERS_KEPT :])
        return {"answers": kept} if answers else {}

    def _step(self, state: VideoState, **changes: object) -> VideoRecord:
        attempt = self.attempt.model_copy(update=changes)
        return self.model_copy(update={"state": state, "attempts": (*self.attempts[:-1], attempt), "updated_at": now()})


def new_record(request: VideoRequest, batch: str, attempt: Attempt, place: Place | None = None) -> VideoRecord:
    """The claim and the intent: state `submitting`, written before anything is sent."""
    moment = now()
    return VideoRecord(
        key=request.key,
        batch=batch,
        request=request,
        state=VideoState.SUBMITTING,
        attempts=(attempt,),
        place=place,
        created_at=moment,
        updated_at=moment,
    )


def stem(batch: str, request: VideoRequest) -> str:
    """Name of a video within a store, without the ending."""
    return f"{batch}/{request.slug}-{request.key}"


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)
