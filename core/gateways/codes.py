"""Error codes and types that mean the same wherever they appear (docs/gateways.md, Errors).

Those of `REJECTIONS` are documented as given before a job is accepted, whatever the HTTP status.
"""

from __future__ import annotations

from prefect_omnivideo.core.gateways.specification import Reason
from prefect_omnivideo.core.gateways.words import words

NO_BALANCE = words(
    """
    insufficient_user_quota pre_consume_token_quota_failed insufficient_quota insufficient_balance
    billing_hard_limit_reached budget_exceeded payment_required accountoverdueerror arrearage
    """
)
MODERATED = words(
    """
    content_policy_violation moderation_blocked sensitive_words_detected content_filter prompt_blocked
    inputtextsensitivecontentdetected inputimagesensitivecontentdetected inputvideosensitivecontentdetected
    outputvideosensitivecontentdetected datainspectionfailed provider_moderation_error prohibited_content
    public_error_unsafe_generation moderation_error
    """
)
NO_MODEL = words(
    """
    model_not_found model_not_available model_not_allowed
    """
)
UNAUTHORIZED = words(
    """
    invalid_api_key authentication_error invalid_token access_denied account_deactivated
    """
)
REFUSED = words(
    """
    invalid_request invalid_request_error invalid_json missing_model invalid_size model_price_error
    invalid_channel_id read_request_body_failed unsupported_resolution invalid_duration invalid_resolution
    invalid_value missing_required_parameter unknown_parameter
    """
)
RATE_LIMITED = words(
    """
    rate_limit_exceeded rate_limit_error too_many_requests
    """
)

REJECTIONS: dict[str, Reason] = {
    **dict.fromkeys(NO_BALANCE, Reason.NO_BALANCE),
    **dict.fromkeys(MODERATED, Reason.MODERATED),
    **dict.fromkeys(NO_MODEL, Reason.NO_MODEL),
    **dict.fromkeys(UNAUTHORIZED, Reason.UNAUTHORIZED),
    **dict.fromkeys(REFUSED, Reason.REFUSED),
    **dict.fromkeys(RATE_LIMITED, Reason.RATE_LIMITED),
}

NO_SUCH_TASK = (
    r"task_not_exist|task_not_found|\btask\b.{0,160}\b(not found|not exist)|\bno such task|任务不存在"
    r"|\bnot_found\b.*\b(video|task|job)\b|\bvideo\b.{0,160}\bnot found"
)
"""How gateways of the new-api family, and those that follow OpenAI, say that they do not know a task."""
