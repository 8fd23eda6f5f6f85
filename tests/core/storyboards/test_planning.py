"""Which video a shot is in a run, which account makes it, and when it is stale."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.records.model import Attempt, StoredFile, VideoRecord, new_record, now
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storage.s3 import Bucket
from prefect_omnivideo.core.storyboards.planning import (
    Link,
    able_to_make,
    chains_of,
    is_stale,
    links_of,
    way_of,
)
from prefect_omnivideo.core.storyboards.storyboard import Shot, arrange


def account(gateway: str, name: str = "") -> Account:
    found = get_gateway(gateway)
    return Account(found, name or gateway, "https://gateway.example", SecretStr("sk"), found.routes[0])


def stored(link: Link, task_id: str, continues: str = "", by: Account | None = None) -> VideoRecord:
    by = by or account("apimart")
    attempt = Attempt(
        gateway=by.gateway.name,
        account=by.name,
        base_url=by.base_url,
        submit_path=by.route.submit,
        claim_id=task_id,
        started_at=now(),
        claim_ends_at=now() + timedelta(seconds=60),
        continues=continues,
    )
    record = new_record(link.request, "b", attempt).submitted(task_id).finished(None)
    file = StoredFile(
        name=f"{record.stem}.mp4",
        uri="file:///x",
        size=1,
        sha256=f"sha of {task_id}",
        content_type="video/mp4",
        source_host="x",
        transfer_seconds=1,
    )
    return record.stored((file,))


def links(*shots: Any, known: Sequence[VideoRecord] = (), remake_stale: bool = False) -> list[Link]:
    return links_of(arrange("b", shots), {each.key: each for each in known}, remake_stale=remake_stale)


def stale(found: Sequence[Link], known: Sequence[VideoRecord]) -> list[bool]:
    records = {each.key: each for each in known}
    return [is_stale(records.get(link.request.key), link.before, records) for link in found]


def test_what_follows_a_redone_shot_is_stale_and_made_again_only_when_asked() -> None:
    shots = ("a", "b", "c", "d")
    first = links(*shots)
    known = [stored(link, f"t{number}", f"t{number - 1}" * bool(number)) for number, link in enumerate(first)]
    assert links(*shots, known=known) == first
    assert stale(first, known) == [False] * 4

    redone = ("a", Shot(prompt="b", take=2), "c", "d")
    kept = links(*redone, known=known)
    assert [one == other for one, other in zip(kept, first, strict=True)] == [True, False, False, False]
    assert [link.request for link in kept[2:]] == [link.request for link in first[2:]], "they keep their videos"
    assert stale(kept, known) == [False, False, True, False]

    remade = links(*redone, known=known, remake_stale=True)
    assert [link.request.key in {each.key for each in known} for link in remade] == [True, False, False, False]
    known.append(stored(remade[1], "t1b", "t0"))
    assert stale(kept, known) == [False, False, True, False]
    again = links(*redone, known=known, remake_stale=True)
    assert [link.request for link in again] == [link.request for link in remade], "a run that was killed goes on"
    known += [stored(remade[2], "t2b", "t1b"), stored(remade[3], "t3b", "sha of t2b")]
    for remake_stale in (True, False):
        assert [link.request for link in links(*redone, known=known, remake_stale=remake_stale)] == [
            link.request for link in remade
        ], "found again, whether asked to remake or not"
    assert stale(remade, known) == [False] * 4
    assert [link.request for link in links(*shots, known=known)] == [link.request for link in first], "and back, free"


def test_a_failed_attempt_that_may_be_sent_again_is_not_stale() -> None:
    found = links("a", "b")
    first = stored(found[0], "t0")
    failed = stored(found[1], "t1", "old").failed("no balance", "x", accepted=False)
    assert stale(found, [first, failed]) == [False, False]
    assert stale(found, [first, stored(found[1], "t1", "")]) == [False, False], "what it continues was not recorded"


def test_shots_that_depend_on_each_other_are_made_in_turn_and_the_others_beside_them() -> None:
    found = links("a", "b", Shot(prompt="c", continue_by="cut"), "d", Shot(prompt="e", after="2"))
    chains = [[link.shot for link in chain] for chain in chains_of(found)]
    assert sorted(chains) == [["1", "2", "5"], ["3", "4"]]
    others = links_of(arrange("other", ["c", "d"]), {}, remake_stale=False)
    both = [[(link.storyboard, link.shot) for link in chain] for chain in chains_of([*found, *others])]
    assert sorted(both) == [
        [("b", "1"), ("b", "2"), ("b", "5")],
        [("b", "3"), ("b", "4"), ("other", "1"), ("other", "2")],
    ], "the two share a video, so one account makes both"


@pytest.mark.parametrize(
    ("gateway", "continue_by", "model", "way"),
    [
        ("apimart", "auto", None, "extend"),
        ("apimart", "extend", None, "extend"),
        ("jimmyai", "auto", None, "last_frame"),
        ("jimmyai", "last_frame", None, "last_frame"),
        ("sora", "auto", "veo3.1", "last_frame"),
        ("sora", "extend", "kling-v1-6", "extend"),
    ],
)
def test_how_an_account_continues(gateway: str, continue_by: Any, model: str | None, way: str, folder: Folder) -> None:
    _, link = links(Shot(prompt="a", model=model), Shot(prompt="b", model=model, continue_by=continue_by))
    assert way_of(link, account(gateway), folder) == way


@pytest.mark.parametrize(
    ("gateway", "shot", "message"),
    [
        (
            "12ai",
            Shot(prompt="b"),
            r"12AI, continue_by: it extends no video.*12AI, continue_by: it takes no first frame",
        ),
        ("jimmyai", Shot(prompt="b", continue_by="extend"), r"JimmyAI, continue_by: it extends no video \(accepted"),
        ("apimart", Shot(prompt="b", continue_by="last_frame"), r"APIMart, continue_by: it takes no first frame"),
        ("apimart", Shot(prompt="b", videos=("https://x.example/a.mp4",)), "is given together with extend_from_task"),
        ("jimmyai", Shot(prompt="b", images=("https://x.example/a.jpg",)), "first_frame: cannot be combined with"),
        ("omnirouters", Shot(prompt="b"), r"the last frame of shot 1 is a local file, OmniRouters documents no"),
        ("sora", Shot(prompt="b", continue_by="extend"), "gemini-omni documents no extension"),
        ("sora", Shot(prompt="b", model="kling-v3"), "Kling takes no upload|documents no upload"),
        ("jimmyai", Shot(prompt="b", duration=5), "duration"),
    ],
)
def test_an_account_that_cannot_continue_is_refused_by_shot(
    gateway: str, shot: Shot, message: str, folder: Folder
) -> None:
    (chain,) = chains_of(links("a", shot))
    with pytest.raises(RequestError, match=rf"(?s){message}") as caught:
        able_to_make(chain, [account(gateway)], {}, folder)
    assert {problem.item for problem in caught.value.problems} == {"storyboard b, shot 2"}


def test_a_last_frame_can_go_through_a_store_that_the_gateway_reads_from(moto: Bucket) -> None:
    (chain,) = chains_of(links("a", "b"))
    assert able_to_make(chain, [account("12ai"), account("omnirouters")], {}, moto) == {1}


def test_one_account_makes_all_shots_of_a_chain(folder: Folder) -> None:
    found = links("a", Shot(prompt="b", continue_by="extend"))
    both = [account("jimmyai"), account("apimart", "one"), account("apimart", "two")]
    assert able_to_make(found, both, {}, folder) == {1, 2}
    first = stored(found[0], "t0", by=both[2])
    assert able_to_make(found, both, {first.key: first}, folder) == {2}, "it was begun there"
    with pytest.raises(RequestError, match=r"shot 2: .* made with account 'two' \(accepted: that account\)"):
        able_to_make(found, both[:2], {first.key: first}, folder)
    second = stored(found[1], "t1", "t0", by=both[2])
    known = {each.key: each for each in (first, second)}
    assert able_to_make(found, both[:1], known, folder) == {0}, "nothing is left to be made"


@pytest.fixture
def folder(tmp_path: Any) -> Folder:
    return Folder(tmp_path)
