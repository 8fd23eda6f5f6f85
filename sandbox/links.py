"""Links to finished videos: signed, expiring, on a separate origin."""

import hashlib
import hmac
from dataclasses import dataclass

from prefect_omnivideo.sandbox.faults import Faults
from prefect_omnivideo.sandbox.jobs import Job


@dataclass(frozen=True, slots=True)
class Link:
    """An address of one file of a job, valid until `expires_at` (epoch seconds)."""

    url: str
    expires_at: float


class Links:
    """Issues links below `media_url` and verifies them. Links survive a restart with the same key."""

    def __init__(self, media_url: str, secret: str, link_seconds: float, faults: Faults) -> None:
        self.media_url = media_url
        self._secret = secret.encode()
        self._seconds = link_seconds
        self._faults = faults

    def issue(self, job: Job, now: float) -> list[Link]:
        """The links in a status answer about a succeeded job, with the faults to inject."""
        if "no-url" in job.faults:
            return []
        if self._faults.take("link", job.gateway, job.prompt):
            now = (job.ends_at or now) - self._seconds
        return [self.link(job, index, now) for index in range(2 if "two-files" in job.faults else 1)]

    def link(self, job: Job, index: int, now: float) -> Link:
        """The link to one file of a job that is valid at `now`: the same one until it expires, then the next."""
        ended = job.ends_at or now
        expires_at = ended + self._seconds * (1 + (now - ended) // self._seconds)
        return Link(f"{self.media_url}/media/{self._token(job.id, index, expires_at)}.mp4", expires_at)

    def read(self, token: str) -> tuple[str, int, float] | None:
        """The job id, file index and expiry of a link's token, or None if it was not issued here."""
        parts = token.split(".")
        if len(parts) != 4 or not hmac.compare_digest(self._sign(".".join(parts[:3])).encode(), parts[3].encode()):
            return None
        return parts[0], int(parts[1]), int(parts[2]) / 1000

    def _token(self, identity: str, index: int, expires_at: float) -> str:
        claim = f"{identity}.{index}.{int(expires_at * 1000)}"
        return f"{claim}.{self._sign(claim)}"

    def _sign(self, claim: str) -> str:
        return hmac.new(self._secret, claim.encode(), hashlib.sha256).hexdigest()[:16]
