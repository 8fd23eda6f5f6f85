"""How a gateway's answers differ from what its documents say, as somebody found out: corrected without a release."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from prefect_omnivideo.core.gateways.specification import Gateway
from prefect_omnivideo.core.gateways.words import JobStatus, normalise


@dataclass(frozen=True, slots=True)
class Corrections:
    """JMESPath expressions on whole answers, tried before all others, and status words.

    Attributes:
        task_id: where the answer to a submission names the job.
        status: where an answer about a job says how it stands.
        links: where it says that the files of a finished job are, best first.
        words: a status word, as sent -> what it means.
    """

    task_id: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    words: tuple[tuple[str, JobStatus], ...] = ()


NONE = Corrections()


@lru_cache(maxsize=64)
def corrected(gateway: Gateway, corrections: Corrections) -> Gateway:
    """The gateway as these corrections have it; the same object for the same corrections."""
    if corrections == NONE:
        return gateway
    return replace(
        gateway,
        id_paths=(*corrections.task_id, *gateway.id_paths),
        status_paths=(*corrections.status, *gateway.status_paths),
        link_paths=(*corrections.links, *gateway.link_paths),
        statuses={**gateway.statuses, **{normalise(word): status for word, status in corrections.words}},
    )
