"""Pages of new-api's own software: jobs of a user, log and usage of an API key, prices (docs/gateways.md).

Shaped by its public source: router/api-router.go, middleware/auth.go, controller/{task,log,token,pricing}.go,
model/{task,log}.go.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prefect_omnivideo.sandbox.jobs import Job, Moment, fingerprint
from prefect_omnivideo.sandbox.prices import QUOTA_PER_DOLLAR, charge, price, quota
from prefect_omnivideo.sandbox.settings import Settings

_ITEMS_PER_PAGE: Final = 10
_MOST_PER_PAGE: Final = 100
_RECENT_ITEMS: Final = 1000
"""Most rows that the log of one key tells, newest first."""
_CONSUMED, _REFUNDED = 2, 6


def user(request: Request, settings: Settings) -> str | Response:
    """The fingerprint of the account whose access token and user id the request carries, or the refusal."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not token:
        return _refusal(401, "无权进行此操作，未登录且未提供 access token")
    expected = settings.access_token
    if token != expected and not token.startswith(f"{expected}-"):
        return _refusal(200, "无权进行此操作，access token 无效")
    given = request.headers.get("new-api-user", "")
    if not given:
        return _refusal(401, "无权进行此操作，未提供 New-Api-User")
    if not given.isdecimal():
        return _refusal(401, "无权进行此操作，New-Api-User 格式错误")
    if int(given) != int(settings.user_id):
        return _refusal(401, "无权进行此操作，New-Api-User 与登录用户不匹配")
    return fingerprint(settings.key + token.removeprefix(expected))


def refused_key() -> Response:
    """The answer to an API key that does not exist."""
    return _refusal(401, "无效的令牌")


def tasks(query: Mapping[str, str], rows: Sequence[dict[str, Any]]) -> Response:
    """One page of the task table, newest first, filtered as the query says."""
    start, end = _number(query.get("start_timestamp")), _number(query.get("end_timestamp"))
    found = [
        row
        for row in rows
        if (not start or row["submit_time"] >= start)
        and (not end or row["submit_time"] <= end)
        and all(row[name] == query[name] for name in ("status", "task_id", "platform", "action") if query.get(name))
    ]
    found.sort(key=lambda row: -row["id"])
    page = max(1, _number(query.get("p")))
    size = next((size for name in ("page_size", "ps", "size") if (size := _number(query.get(name)))), 0)
    size = min(size, _MOST_PER_PAGE) if size > 0 else _ITEMS_PER_PAGE
    items = found[(page - 1) * size : page * size]
    return _data({"page": page, "page_size": size, "total": len(found), "items": items})


def log(charges: Sequence[tuple[Job, Moment]], path: str) -> Response:
    """What was charged to a key and given back to it, newest first."""
    rows: list[dict[str, Any]] = []
    for job, moment in charges:
        cost = float(price(job.gateway, job.model))
        other = {"is_task": True, "request_path": path, "model_price": cost, "group_ratio": 1}
        rows.append(_log_row(job, _CONSUMED, job.accepted_at, "操作 generate", other))
        if moment.ended and moment.phase != "succeeded":
            rows.append(_log_row(job, _REFUNDED, job.ends_at or 0, "", {"task_id": job.id, "reason": moment.phase}))
    rows.sort(key=lambda row: -row["created_at"])
    return _data([row | {"id": number} for number, row in enumerate(rows[:_RECENT_ITEMS], 1)])


def pricing(gateway: str, models: Sequence[str]) -> Response:
    """The public price list: every model per call, for one group."""
    rows = [
        {
            "model_name": model,
            "quota_type": 1,
            "model_ratio": 0,
            "model_price": float(price(gateway, model)),
            "owner_by": "",
            "completion_ratio": 0,
            "enable_groups": ["default"],
            "supported_endpoint_types": [],
        }
        for model in models
    ]
    groups: dict[str, object] = {
        "group_ratio": {"default": 1},
        "usable_group": {"default": "default"},
        "auto_groups": [],
    }
    return JSONResponse({"success": True, "data": rows, "vendors": [], "supported_endpoint": {}, **groups})


def status() -> Response:
    """What a quota is."""
    return _data({"quota_per_unit": QUOTA_PER_DOLLAR, "display_in_currency": True, "quota_display_type": "USD"})


def usage(charges: Sequence[tuple[Job, Moment]], granted: Decimal) -> Response:
    """What is left of a key's quota."""
    used = sum(quota(charge(job, moment)) for job, moment in charges)
    facts = {"object": "token_usage", "name": "sandbox", "unlimited_quota": False, "expires_at": 0}
    left = {"total_granted": quota(granted), "total_used": used, "total_available": quota(granted) - used}
    return JSONResponse({"code": True, "message": "ok", "data": facts | left})


def _log_row(job: Job, kind: int, at: float, content: str, other: dict[str, Any]) -> dict[str, Any]:
    return {
        "user_id": 1,
        "created_at": int(at),
        "type": kind,
        "content": content,
        "username": "sandbox",
        "token_name": "sandbox",
        "model_name": job.model,
        "quota": quota(price(job.gateway, job.model)),
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "use_time": 0,
        "is_stream": False,
        "channel": 1,
        "channel_name": "",
        "token_id": 1,
        "group": "default",
        "ip": "",
        "request_id": job.request_id if kind == _CONSUMED else "",
        "other": json.dumps(other),
    }


def _number(text: str | None) -> int:
    """A query's whole number; like the software's, 0 for whatever is none."""
    try:
        return int(text or 0)
    except ValueError:
        return 0


def _data(data: object) -> Response:
    return JSONResponse({"success": True, "message": "", "data": data})


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"success": False, "message": message}, status)
