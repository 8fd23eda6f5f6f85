"""What the answer to a submission means: accepted, rejected before acceptance, or unknown. When in doubt, unknown."""

from __future__ import annotations

from collections.abc import Collection

from prefect_omnivideo.core.answers.hints import hint
from prefect_omnivideo.core.answers.json_paths import objects
from prefect_omnivideo.core.answers.refusal import (
    REASON_BY_STATUS,
    Refusal,
    documented_reason,
    find_refusal,
    retry_after,
)
from prefect_omnivideo.core.answers.status import read_job
from prefect_omnivideo.core.answers.task_id import find_task_id, named_id
from prefect_omnivideo.core.gateways.specification import (
    Accepted,
    Answer,
    Gateway,
    HttpCall,
    Outcome,
    Reason,
    Rejected,
    Unknown,
)
from prefect_omnivideo.core.redaction import shorten

_ON_5XX = (Reason.NO_MODEL, Reason.NO_BALANCE)
"""Reasons that count even in a server error: they are decided before the job goes to a vendor."""

_RESENT_BY_LITELLM = frozenset({403, 408, 429, *range(500, 600)})
"""Statuses on which the litellm proxy retries by itself, reporting only its last attempt
(docs/gateways.md, Proxies in front)."""
_BEFORE_LITELLM_SENDS = frozenset({"budget_exceeded", "auth_error", "token_not_found_in_db"})
_QUOTED_BY_LITELLM = "litellm."
"""Prefix of its message about a vendor's error; its own refusals before sending do not have it."""
_SENT_ONCE_BY_LITELLM = ("No fallback was attempted", "no fallback model group was found", "Fallbacks=None")
"""What it adds if no other deployment was tried after the first."""

_ADVICE = {
    Reason.RATE_LIMITED: "",
    Reason.UNAVAILABLE: "",
    Reason.BLOCKED: " Something in front of the gateway answered: check the base URL, and firewalls on the way.",
    Reason.UNAUTHORIZED: " Check the key of the credentials block, and whether it may do this.",
    Reason.NO_MODEL: " Choose another model, or an account that may use it.",
    Reason.NO_BALANCE: " Top up the account, then run again.",
    Reason.MODERATED: " Change the prompt or the references.",
}


def read_submission(
    gateway: Gateway, answer: Answer, call: HttpCall | None = None, sent: Collection[str] = ()
) -> Outcome:
    """The outcome of a submission.

    Args:
        call: what was sent.
        sent: its strings, which the answer may repeat.
    """
    if 200 <= answer.status < 300:
        task_id = find_task_id(gateway, answer.body, sent)
        if task_id:
            return Accepted(read_job(gateway, answer, task_id, submitted=True))
        return _without_id(gateway, answer)
    refusal = find_refusal(answer)
    named = next((found for each in objects(answer.body) if (found := named_id(each.value, sent))), "")
    if named:
        return _unknown(gateway, answer, f"{refusal}, and named the task {named}")
    if _may_have_been_resent(answer, refusal, call):
        return _unknown(
            gateway,
            answer,
            f"{refusal}. A litellm proxy retries by itself and reports only its last attempt; "
            'options={"num_retries": 0, "disable_fallbacks": true} stops that',
        )
    reason = documented_reason(gateway, refusal)
    if answer.status >= 500 and reason not in _ON_5XX:
        reason = None
    if reason is None and answer.status < 500:
        reason = REASON_BY_STATUS.get(answer.status)
        if reason and reason is not Reason.RATE_LIMITED and answer.status >= 400 and _is_page(answer):
            reason = Reason.BLOCKED
    if reason is None:
        return _unknown(gateway, answer, str(refusal))
    return _rejected(gateway, answer, refusal, reason)


def _without_id(gateway: Gateway, answer: Answer) -> Outcome:
    """A 2xx without a task id: a rejection only if the gateway documents it as one."""
    refusal = find_refusal(answer)
    if reason := documented_reason(gateway, refusal):
        return _rejected(gateway, answer, refusal, reason)
    return _unknown(gateway, answer, f"HTTP {answer.status} without a task id: {shorten(answer.text, 200)!r}")


def _rejected(gateway: Gateway, answer: Answer, refusal: Refusal, reason: Reason) -> Rejected:
    advice = _ADVICE.get(reason, "")
    if 300 <= answer.status < 400:
        advice = " The base URL redirects; set the one it leads to."
    elif reason is Reason.REFUSED:
        advice = hint(refusal.message)
    text = f"{gateway.title} did not accept the job: {refusal}.{advice}"
    return Rejected(reason, text, answer.status, retry_after(answer), answer)


def _unknown(gateway: Gateway, answer: Answer, what: str) -> Unknown:
    return Unknown(
        f"{gateway.title} answered the submission with {what.rstrip('.')}. "
        "The job may exist and be billed; it is not sent again.",
        answer,
    )


def _may_have_been_resent(answer: Answer, refusal: Refusal, call: HttpCall | None) -> bool:
    """Whether a proxy may have sent the request earlier, with a different outcome than the reported one."""
    quotes = refusal.message.startswith(_QUOTED_BY_LITELLM)
    if not quotes and not any(name.startswith("x-litellm-") for name in answer.headers):
        return False
    if _BEFORE_LITELLM_SENDS & set(refusal.codes):
        return False
    asked = dict(call.json or call.form) if call else {}
    if asked.get("num_retries") in (0, "0"):
        # It still tries another deployment, unless configured otherwise.
        is_alone = asked.get("disable_fallbacks") in (True, "true")
        return quotes and not is_alone and not any(text in answer.text for text in _SENT_ONCE_BY_LITELLM)
    return quotes or answer.status in _RESENT_BY_LITELLM


def _is_page(answer: Answer) -> bool:
    """HTML or other text instead of the gateway's JSON."""
    return answer.body is None and bool(answer.text.strip())
