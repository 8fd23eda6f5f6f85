"""`omnivideo try`: one real video, with every exchange shown, and a cassette of it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import JsonValue

from prefect_omnivideo.cli.app import app, report_error, saved_credentials
from prefect_omnivideo.core.answers.explain import explain
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import OmniVideoError
from prefect_omnivideo.core.gateways.preview import preview
from prefect_omnivideo.core.gateways.specification import Answer
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.redaction import redact_json
from prefect_omnivideo.core.reports.commands import jobs_command
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder

BATCH = "try"
_HEADERS = ("content-type", "retry-after", "openai-poll-after-ms", "x-oneapi-request-id", "x-litellm-version")


@app.command(name="try")
def try_(
    block: str,
    *,
    prompt: str = "a red apple on a wooden table",
    model: str | None = None,
    folder: Path = Path("omnivideo-try"),
    deadline: float = 1800,
    yes: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Make one video, the cheapest that the gateway documents, and show what was understood of each of its answers.

    It is paid for once: run again, it goes on where it stopped. The exchanges are written to a cassette, without keys
    and signatures, to be attached to a report.

    Args:
        block: Saved credentials, such as sora-credentials/prod.
        prompt: What the video shows.
        model: The gateway's model name. Empty: the gateway's documented Omni model.
        folder: Where the video, its record and the cassette go.
        deadline: Seconds to wait for the video.
        yes: Do not ask before sending.
    """
    # Here and not above, as in `_make`: the other commands need no S3.
    from prefect_omnivideo.core.references.plan import check

    try:
        account = saved_credentials(block).account()
        request = VideoRequest.model_validate({"prompt": prompt, "model": model, **account.gateway.cheapest})
        call = preview(account.gateway, check(request, account), account.base_url, account.route)
        sys.stdout.write(f"This would be sent, and billed to {account.name}:\n{_pretty(call)}\n")
        if not yes and input("Send it? [y/N] ").strip().lower() not in ("y", "yes"):
            sys.stdout.write("Nothing was sent.\n")
            return 0
        cassette = Cassette(account, folder / f"{account.gateway.name}.cassette.json")
        record = asyncio.run(_make(request, replace(account, heard=cassette.add), Records(Folder(folder)), deadline))
    except OmniVideoError as error:
        shown = f"\nThe exchanges are in {folder}; this shows the record: {jobs_command(str(folder))}"
        return report_error(f"{error}{shown if folder.is_dir() else ''}")
    sys.stdout.write(f"stored {record}\nThe exchanges are in {cassette.path}: read it before you hand it on.\n")
    return 0


class Cassette:
    """The exchanges of one video, written down as they happen."""

    def __init__(self, account: Account, path: Path) -> None:
        self.path = path
        self._account = account
        self._exchanges: list[dict[str, JsonValue]] = []

    def add(self, answer: Answer) -> None:
        """Show an exchange with what was understood of it, and write it down, redacted."""
        key = self._account.api_key.get_secret_value()
        meaning: dict[str, Any] = explain(self._account.gateway, answer)
        asked = "submission" if answer.asked.startswith("POST") else "status query"
        sys.stdout.write(
            f"\n{answer.asked} -> HTTP {answer.status}\n{_pretty(redact_json(answer.body, key))}\n"
            f"understood: {_pretty(meaning[f'as the answer to a {asked}'])}\n"
        )
        self._exchanges.append(
            {
                "asked": answer.asked,
                "http": answer.status,
                "headers": {name: answer.headers[name] for name in _HEADERS if name in answer.headers},
                "body": redact_json(answer.body if answer.body is not None else answer.text, key),
            }
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(_pretty({"gateway": self._account.gateway.name, "exchanges": self._exchanges}) + "\n")


async def _make(request: VideoRequest, account: Account, records: Records, deadline: float) -> str:
    """Submit, wait and store; where the file is."""
    from prefect_omnivideo.core.jobs.deliver import deliver
    from prefect_omnivideo.core.jobs.ownership import check_hopeful
    from prefect_omnivideo.core.jobs.submit import submit
    from prefect_omnivideo.core.jobs.wait import wait

    log = logging.getLogger("omnivideo")
    record = await submit(request, account, records, BATCH, log)
    check_hopeful(record, records.store)
    if not record.files:
        record = await deliver(record, await wait(record, account, deadline, log), account, records, log)
    return record.files[0].uri


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
