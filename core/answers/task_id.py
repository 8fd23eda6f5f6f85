"""Finds the task id in an answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from pydantic import JsonValue

from prefect_omnivideo.core.answers.json_paths import Node, first_text, objects, plain, text_of
from prefect_omnivideo.core.gateways.specification import Gateway
from prefect_omnivideo.core.gateways.validation import is_link
from prefect_omnivideo.core.gateways.words import STATUSES, normalise, words

_NAMES = words(
    """
    taskid jobid videoid generationid predictionid operationid taskuuid renderid
    """
)
_JOB_FIELDS = words(
    """
    status state taskstatus object progress created createdat urls
    """
)
_CONTAINERS = words(
    """
    data result results output response task job video generation payload
    """
)
"""Keys that may hold a bare id."""
_ELSEWHERE = words(
    """
    account channel detail error errors input inputs message msg parameters params request usage user
    """
)
"""Objects that are not about the job; a message may quote a vendor's answer with the vendor's own id."""
_ENVELOPE_WORDS = frozenset({"success", "succeed", "succeeded", "ok", "200", "0"})
_REQUEST_ID = re.compile(r"(req|request|trace|span|log)[-_:]", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9][\w.:=+/@~-]{0,511}")
_BARE_ID = re.compile(r"(?=.*\d)[A-Za-z0-9][\w.:=+~-]{7,255}|(task|job|video|gen)[-_][\w-]{4,}")
_LEAST_NUMBER = 100_000
"""A smaller number in `id` is the row of a database (docs/gateways.md, The new-api family, Status)."""


def find_task_id(gateway: Gateway, body: JsonValue, sent: Collection[str] = ()) -> str:
    """The task id in an answer; empty if there is none.

    A field that names a task goes first, then the `id` of an object that describes a job, then any other `id`, then a
    bare string in place of a job, if it looks like an id.

    Args:
        sent: strings of the request itself, which the answer may repeat.
    """
    if reported := first_text(body, gateway.id_paths):
        return reported
    found = list(objects(body, but=_ELSEWHERE))
    for node in found:
        if named := named_id(node.value, sent):
            return named
        if isinstance(node.value, dict) and _is_job(node.value) and (own := _own_id(node.value, sent)):
            return own
    for node in found:
        if isinstance(node.value, dict) and not node.value.get("error") and (own := _own_id(node.value, sent)):
            return own
    return _bare_id(body, found, sent)


def named_id(value: JsonValue, sent: Collection[str] = ()) -> str:
    """The id in a field named for it, such as `task_id` or `videoId`."""
    if not isinstance(value, dict):
        return ""
    for name, item in value.items():
        if plain(name) in _NAMES and _is_id(text := text_of(item)) and text not in sent:
            return text
        # A long-running operation of Google's APIs has its path as its name.
        if plain(name) == "name" and isinstance(item, str) and re.search(r"(^|/)operations/[^/\s]+$", item):
            return item
    return ""


def ids_of(value: Mapping[str, JsonValue]) -> set[str]:
    """Every possible id of an object."""
    return {text_of(item) for name, item in value.items() if plain(name) in _NAMES or plain(name) in ("id", "name")}


def _is_job(value: Mapping[str, JsonValue]) -> bool:
    names = {plain(name) for name in value}
    word = normalise(text_of(value.get("status")))
    return bool(names & _JOB_FIELDS) and not (word in _ENVELOPE_WORDS and not names & (_JOB_FIELDS - {"status"}))


def _own_id(value: Mapping[str, JsonValue], sent: Collection[str]) -> str:
    own = value.get("id")
    if isinstance(own, int | float) and not (_is_job(value) and own >= _LEAST_NUMBER):
        return ""
    text = text_of(own)
    return text if _is_id(text) and text not in sent else ""


def _is_id(text: str) -> bool:
    return bool(_ID.fullmatch(text)) and not _REQUEST_ID.match(text) and not is_link(text)


def _bare_id(body: JsonValue, found: list[Node], sent: Collection[str]) -> str:
    places: list[JsonValue] = [body] if isinstance(body, str) else []
    for node in found:
        if isinstance(node.value, dict):
            for name, item in node.value.items():
                if plain(name) in _CONTAINERS:
                    places += item if isinstance(item, list) else [item]
    for place in places:
        text = text_of(place)
        if _BARE_ID.fullmatch(text) and _is_id(text) and normalise(text) not in STATUSES and text not in sent:
            return text
    return ""
