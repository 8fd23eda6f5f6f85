"""Storyboards: read from files and sheets, checked before anything is spent, each shot with an identity of its own."""

import io
import json
from pathlib import Path

import pytest
from openpyxl import Workbook

from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.sheets.source import SheetFile
from prefect_omnivideo.core.storyboards.reading import boards_of, read_storyboards
from prefect_omnivideo.core.storyboards.storyboard import Shot, Storyboard, arrange


def board_in(name: str, text: str) -> list[Storyboard]:
    return read_storyboards(SheetFile(name, text.encode()))


def shape(board: Storyboard) -> list[tuple[str, str, str]]:
    return [(shot.shot, shot.prompt, shot.after) for shot in board.shots]


THREE = [("1", "a door", ""), ("2", "it opens", "1"), ("3", "a hall", "2")]


def workbook() -> bytes:
    book, out = Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in (["shot", "prompt"], [1, "a door"], [2, "it opens"], [3, "a hall"]):
        sheet.append(row)
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "file",
    [
        SheetFile("a.csv", b"shot,prompt\n1,a door\n2,it opens\n3,a hall\n"),
        SheetFile("a.csv", b"shot;prompt;storyboard\n1;a door;sequence\n\n2;it opens;sequence\n3;a hall;sequence\n"),
        SheetFile("a.tsv", b"prompt\tshot\tafter\na door\t1\t\nit opens\t2\t1\na hall\t3\t2\n"),
        SheetFile("a.json", json.dumps(["a door", {"prompt": "it opens"}, {"shot": 3, "prompt": "a hall"}]).encode()),
        SheetFile("a.json", json.dumps({"sequence": ["a door", "it opens", "a hall"]}).encode()),
        SheetFile("a.yaml", b"- a door\n- prompt: it opens\n- {shot: 3, prompt: a hall, after: 2}\n"),
        SheetFile("a.yml", b"rows: [{x: a door}, {x: it opens}, {x: a hall}]\ntemplate: '{x}'\n"),
        SheetFile("a.jsonl", b'"a door"\n{"prompt": "it opens"}\n{"prompt": "a hall"}\n'),
        SheetFile("a.xlsx", workbook()),
        SheetFile("storyboard", b"- a door\n- it opens\n- a hall\n", "application/yaml"),
    ],
)
def test_every_format_of_sheets_holds_a_storyboard(file: SheetFile) -> None:
    (board,) = read_storyboards(file)
    assert (board.name, shape(board)) == ("sequence", THREE)


def test_a_file_holds_several_storyboards() -> None:
    boards = board_in("all.yaml", "day:\n  - sun\n  - noon\nnight:\n  - {shot: m, prompt: moon, duration: 8}\n")
    assert [(board.name, shape(board)) for board in boards] == [
        ("day", [("1", "sun", ""), ("2", "noon", "1")]),
        ("night", [("m", "moon", "")]),
    ]
    assert boards[1].shots[0].duration == 8
    rows = "storyboard,shot,prompt,continue_by\nday,1,sun,\nnight,m,moon,\nday,2,noon,last_frame\nday,3,dusk,cut\n"
    day, night = board_in("all.csv", rows)
    assert [(shot.shot, shot.continue_by, shot.after) for shot in day.shots] == [
        ("1", "auto", ""),
        ("2", "last_frame", "1"),
        ("3", "cut", ""),
    ]
    assert (night.name, shape(night)) == ("night", [("m", "moon", "")])


def test_a_shot_may_continue_any_earlier_one() -> None:
    board = arrange("b", ["a", Shot(prompt="b"), Shot(prompt="c", after="1", shot="c"), Shot(prompt="d")])
    assert [shot.after for shot in board.shots] == ["", "1", "1", "c"]


@pytest.mark.parametrize(
    ("shots", "message"),
    [
        ([], "storyboard b: it has no shots"),
        (["a", Shot(prompt="b", shot="1")], r"shot 1.*an earlier shot has the key '1' too"),
        ([Shot(prompt="a", after="x")], r"there is no shot 'x' \(accepted: no after, as it is the first\)"),
        (["a", Shot(prompt="b", after="9")], r"shot 2.*after: there is no shot '9' \(accepted: an earlier shot: '1'\)"),
        (["a", Shot(prompt="b", after="2")], r"it would continue itself"),
        (["a", Shot(prompt="b", after="3"), Shot(prompt="c", after="2")], r"shot 2.*'3' comes after it, and is made"),
        (["a", Shot(prompt="b", after="1", continue_by="cut")], r"a cut continues nothing, not even '1'"),
        ([Shot(prompt="a", continue_by="extend")], r"continue_by: it is the first shot and continues nothing"),
        (["a", Shot(prompt="b", first_frame="https://x.example/1.jpg")], r"first_frame: it begins with what it"),
        (["a", VideoRequest(prompt="b", extend_from="task_1")], r"extend_from: it begins with what it continues"),
        ([Shot(prompt="a", first_frame="shot:b/1")], r"'shot:b/1' is how records name shots"),
        ([Shot(prompt="a", shot="x/y")], r"'x/y' cannot be its key"),
        ([Shot(prompt="a", shot="x@y")], r"'x@y' cannot be its key"),
    ],
)
def test_bad_storyboards_are_refused(shots: list[Shot | VideoRequest | str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        arrange("b", shots)


def test_all_faults_of_all_storyboards_are_named_at_once() -> None:
    with pytest.raises(RequestError) as caught:
        boards_of({"x": [Shot(prompt="a", after="q")], "y": [Shot(prompt="a", shot="1"), Shot(prompt="b", shot="1")]})
    assert [(problem.item, problem.field) for problem in caught.value.problems] == [
        ("storyboard x, shot 1", "after"),
        ("storyboard y, shot 1", "shot"),
    ]


@pytest.mark.parametrize("name", ["", ".x", "a/b", "a@b", "x" * 61, " x", "a-red-apple-0123456789abcdef"])
def test_a_storyboard_has_a_name_that_can_be_a_file(name: str) -> None:
    with pytest.raises(RequestError, match="storyboard"):
        arrange(name, ["a"])


def test_two_storyboards_never_share_a_file() -> None:
    with pytest.raises(RequestError, match=r"'a-b' and 'a b' would have the same file, a-b\.mp4"):
        boards_of({"a b": ["x"], "a-b": ["x"]})
    with pytest.raises(RequestError, match="there is no storyboard"):
        boards_of({})
    assert len({board.stem for board in boards_of({"über": ["x"], "uber": ["x"], "夜": ["x"]})}) == 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "prompt\na door\n", "it has no column shot, but prompt"),
        ("a.csv", "shot,prompt,mood\n1,a,dark\n", "mood: there is no such field"),
        ("a.csv", "shot,prompt,duration\n1,a,long\n2,b,\n", r"row 2.*duration: 'long' is not a number"),
        ("a.csv", "shot,prompt,continue_by\n1,a,glue\n", "row 2.*continue_by: 'glue' is not one of the values"),
        ("a.csv", "shot,prompt,takes\n1,a,3\n", "row 2.*takes: a shot is one video"),
        ("a.csv", "shot,prompt\n1,\n", "row 2.*the row has nothing but a place"),
        ("a.yaml", "x: 3\n", "the document is a int"),
        ("a.json", "{", "is not JSON"),
        ("a.txt", "x", "is in no supported format"),
    ],
)
def test_files_that_hold_no_storyboard_are_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        board_in(name, text)


def test_redoing_a_shot_changes_no_other_identity() -> None:
    def keys(*shots: Shot | str) -> list[str]:
        board = arrange("b", shots)
        return [board.request(shot).key for shot in board.shots]

    before, after = keys("a", "b", "c"), keys("a", Shot(prompt="b", take=2), "c")
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert keys("a", "new", Shot(prompt="b", after="1", shot="x"))[2] == before[1], "its own key and place do not count"
    assert keys("a", "new", Shot(prompt="b", after="2", shot="x"))[2] != before[1], "it continues another shot"


def test_the_identity_names_the_shot_and_how_it_is_continued() -> None:
    board = arrange("b", ["a", "b", Shot(prompt="c", continue_by="extend"), Shot(prompt="d", continue_by="last_frame")])
    requests = [board.request(shot) for shot in board.shots]
    assert [request.follows for request in requests] == ["", "shot:b/1", "shot:b/2", "shot:b/3"]
    assert [bool(request.first_frame) for request in requests] == [False, False, False, True]
    assert type(requests[0]) is VideoRequest
    assert requests[0].key == VideoRequest(prompt="a").key, "a shot that continues nothing is a video like any other"
    pinned = board.request(board.shots[1], made_after="0123456789abcdef")
    assert pinned.follows == "shot:b/1@0123456789abcdef"
    assert pinned.key != requests[1].key


def test_a_reference_to_a_shot_is_no_file(tmp_path: Path) -> None:
    from prefect_omnivideo.core.gateways.registry import get_gateway
    from prefect_omnivideo.core.gateways.validation import translate
    from prefect_omnivideo.core.references.parse import own_references

    request = VideoRequest(prompt="x", first_frame="shot:b/1")
    assert own_references(request) == []
    for gateway in ("apimart", "sora", "omnirouters", "jimmyai", "12ai"):
        with pytest.raises(RequestError, match=r"'shot:b/1' is a shot of a storyboard.*Generate sequence"):
            translate(get_gateway(gateway), request)
