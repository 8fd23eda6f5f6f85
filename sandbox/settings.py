"""Settings of a sandbox run."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from prefect_omnivideo.sandbox.faults import FaultPlan


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One run of the sandbox.

    `port` and `media_port` are TCP ports on 127.0.0.1 (0: a free one). `key` is the API key that every gateway accepts;
    `<key>-<anything>` is accepted too and is a separate account. A job ends `latency` seconds after it was accepted,
    plus or minus the fraction `jitter` of it; its links are valid for `link_seconds`. `faults` is a plan or its path.
    `balance` is what every account has to spend at a gateway: US dollars, or coins.
    `access_token` and `user_id` open the consoles of the new-api gateways: `<access_token>-<anything>` shows the jobs
    of `<key>-<anything>`, and without an access token there is no console. `video_bytes` is the size to which every
    video is padded, `clips` a folder whose MP4 files are the videos, in place of rendered ones. `journal` is a file in
    which accepted jobs outlive the process. With `certificate`, a PEM file of a private key and its certificates, all
    addresses are https. `cassette` is a recording of `omnivideo try`, played below `/cassette`.
    """

    port: int = 0
    media_port: int = 0
    key: str = field(default="sandbox-key", repr=False)
    access_token: str = field(default="sandbox-access-token", repr=False)
    user_id: str = "1"
    balance: Decimal = Decimal(1000)
    latency: float = 5.0
    jitter: float = 0.0
    link_seconds: float = 86_400.0
    faults: FaultPlan | Path | str | None = None
    video_bytes: int | None = None
    clips: Path | str | None = None
    journal: Path | str | None = None
    certificate: Path | str | None = None
    cassette: Path | str | None = None

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("key must not be empty")
        if not self.user_id.isdecimal():
            raise ValueError("user_id is a whole number")
        if self.latency < 0 or self.link_seconds <= 0:
            raise ValueError("latency must be 0 seconds or more, and link_seconds above 0")
        if not 0 <= self.jitter < 1:
            raise ValueError("jitter is a fraction of the latency: from 0 up to, not including, 1")
        if self.clips and not any(Path(self.clips).glob("*.mp4")):
            raise ValueError(f"clips: there is no .mp4 file in {self.clips}")

    def plan(self) -> FaultPlan:
        """The fault plan, read from its file if needed; a bad file raises `FaultError`."""
        if isinstance(self.faults, FaultPlan):
            return self.faults
        return FaultPlan.load(self.faults) if self.faults else FaultPlan()
