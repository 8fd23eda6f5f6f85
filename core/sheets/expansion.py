"""Expands a sheet into requests, or reports its bad rows."""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.references.plan import check
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.dropping import sent_to
from prefect_omnivideo.core.sheets.narrowing import COLUMN, Names, is_used, narrow
from prefect_omnivideo.core.sheets.rows import MAX_VIDEOS, Table, check_columns, requests_of, unreadable
from prefect_omnivideo.core.sheets.template import Template

OnBadRow = Literal["stop", "skip"]


class Expansion(NamedTuple):
    """What a sheet asks for."""

    requests: list[VideoRequest]
    """Each video once, in the order of the rows."""
    skipped: list[str]
    """Rows that were left out, with their reasons."""
    repeated: list[str]
    """Rows that repeat the video of an earlier row."""
    only: dict[str, frozenset[int]]
    """The accounts that a row names for its videos, by their keys; what is not among them may go to any."""


def expand(
    table: Table,
    template: str | None,
    accounts: Sequence[Account],
    on_bad_row: OnBadRow,
    limit: int | None,
    names: Names = (),
) -> Expansion:
    """Expand the rows of a table into requests that at least one account supports.

    Args:
        table: the sheet.
        template: the prompt template; the table's own when None.
        accounts: those to use for the videos.
        on_bad_row: `stop` refuses the sheet when a row is bad, `skip` leaves the row out.
        limit: stop reading after that many videos.
        names: what each of the accounts is called.

    Raises:
        RequestError: bad rows, with their labels; unknown columns; or more videos than a run may have.
    """
    text = template or table.template
    prompt = Template(text) if text else None
    columns = [name for name in table.columns or () if name != COLUMN or not is_used(prompt)]
    if columns and (problems := check_columns(columns, prompt)):
        raise RequestError(problems, subject="sheet")
    found: dict[str, VideoRequest] = {}
    bad: dict[str, list[Problem]] = {}
    repeated: list[str] = []
    only: dict[str, frozenset[int]] = {}
    for row in table.rows:
        if limit is not None and len(found) >= limit:
            break
        if not row.cells and not row.faults:
            continue
        row, allowed, unknown = narrow(row, prompt, names)
        requests, problems = requests_of(row, prompt)
        problems += unknown
        if requests and not unknown:
            chosen = accounts if allowed is None else [accounts[index] for index in sorted(allowed)]
            problems += _unsupported(requests[0], chosen, {problem.field for problem in problems})
        if problems:
            bad[row.label] = [problem._replace(item=row.label) for problem in problems]
            continue
        if all(request.key in found for request in requests):
            repeated.append(row.label)
        new = {request.key: request for request in requests if request.key not in found}
        found |= new
        only |= dict.fromkeys(new, allowed) if allowed is not None else {}
        if len(found) > MAX_VIDEOS:
            raise unreadable(f"it asks for more than {MAX_VIDEOS} videos", "several smaller sheets")
    if bad and (on_bad_row == "stop" or not found):
        subject = f"sheet ({len(bad)} bad row{'' if len(bad) == 1 else 's'}, nothing submitted)"
        raise RequestError([problem for problems in bad.values() for problem in problems], subject=subject)
    skipped = [f"{label}: {'; '.join(map(str, problems))}" for label, problems in bad.items()]
    return Expansion(list(found.values())[:limit], skipped, repeated, only)


def able(request: VideoRequest, accounts: Sequence[Account]) -> list[Account]:
    """The accounts whose gateway supports the request."""
    return [account for account in accounts if not _problems(request, account)]


def _unsupported(request: VideoRequest, accounts: Sequence[Account], known: Collection[str]) -> list[Problem]:
    """Why no account makes the request; empty if one does. Fields that are `known` to be wrong are left out."""
    refusals: list[Problem] = []
    for account in accounts:
        problems = [problem for problem in _problems(request, account) if problem.field not in known]
        if not problems:
            return []
        title = f"{account.gateway.title}, " if len(accounts) > 1 else ""
        refusals += [problem._replace(field=f"{title}{problem.field}") for problem in problems]
    return refusals


def _problems(request: VideoRequest, account: Account) -> Sequence[Problem]:
    try:
        check(sent_to(account, request).request, account)
    except RequestError as error:
        return error.problems
    return ()
