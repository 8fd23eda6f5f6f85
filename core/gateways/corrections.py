"""Corrections for a gateway whose answers differ from its documents, without a new release."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from prefect_omnivideo.core.gateways.specification import Gateway
from prefect_omnivideo.core.gateways.words import JobStatus, normalise


@dataclass(frozen=True, slots=True)
class Corrections:
    """JMESPath expressions on whole answers, tried before all others, and status words.

    Attributes:
        task_id: where the answer to a submission has the task id.
        status: where an answer about a job has its status.
        links: where it has the links of a finished job, best first.
        words: a status word, as sent -> what it means.
        currency: what the account is billed in; empty for what the gateway's documents say.
    """

    task_id: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    words: tuple[tuple[str, JobStatus], ...] = ()
    currency: str = ""


NONE = Corrections()


@lru_cache(maxsize=64)
def corrected(gateway: Gateway, corrections: Corrections) -> Gateway:
    """The gateway with these corrections applied; the same object for the same corrections."""
    if corrections == NONE:
        return gateway
    return replace(
        gateway,
        id_paths=(*corrections.task_id, *gateway.id_paths),
        status_paths=(*corrections.status, *gateway.status_paths),
        link_paths=(*corrections.links, *gateway.link_paths),
        currency=corrections.currency or gateway.currency,
        statuses={**gateway.statuses, **{normalise(word): status for word, status in corrections.words}},
    )
