"""Describes what a run would submit, without submitting it."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.gateways.preview import preview
from prefect_omnivideo.core.prices.outlook import Outlook
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.references.plan import check
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.dropping import sent_to, ways

_SHOWN = 5


def describe(
    requests: Sequence[VideoRequest],
    known: Collection[str],
    makers: Mapping[str, Sequence[Account]],
    expected: Outlook,
    notes: Sequence[str] = (),
) -> str:
    """A summary for the log: counts per gateway and model, the first requests, and the first HTTP call.

    Args:
        requests: the requests of the sheet.
        known: keys of the videos that the batch has records of; they are not submitted again.
        makers: the accounts that can make each of the others, by its key.
        expected: what the others will cost.
        notes: more lines about their cost.
    """
    new = [request for request in requests if request.key not in known]
    others = f"; the batch has the other {len(requests) - len(new)}" if len(new) < len(requests) else ""
    lines = [f"Dry run: {len(new)} of {len(requests)} videos would be submitted{others}."]
    where = Counter(_destination(request, makers[request.key]) for request in new)
    lines += [f"  {count} x {destination}" for destination, count in where.items()]
    lines += [f"  Estimate: {line}" for line in expected.lines()]
    lines += [f"  {line[:1].upper()}{line[1:]}" for line in notes]
    lines.append("Nothing was spent.")
    if new:
        lines += ["The first requests:", *(f"  {_words(request)}" for request in new[:_SHOWN])]
        account = makers[new[0].key][0]
        sent = sent_to(account, new[0]).request
        call = preview(account.gateway, check(sent, account), account.base_url, account.route)
        lines += ["The call for the first request:", json.dumps(call, ensure_ascii=False, indent=2)]
    return "\n".join(lines)


def _destination(request: VideoRequest, makers: Sequence[Account]) -> str:
    """Gateway and model; several, if the first account with capacity will take the video."""
    models = [
        f"{account.gateway.title} ({getattr(check(sent, account), 'model', None) or 'default model'})"
        for account, sent in ways(request, makers)
    ]
    return " or ".join(dict.fromkeys(models))


def _words(request: VideoRequest) -> str:
    asked = request.model_dump(mode="json", exclude_defaults=True, exclude={"prompt"})
    text = ", ".join(f"{name}={value}" for name, value in asked.items())
    return shorten(" ".join(request.prompt.split()) or "(no prompt)", 100) + (
        f" [{shorten(text, 100)}]" if text else ""
    )
