"""Sheets become requests: every format, every form, and what is said about rows that are no good."""

import csv
import io
import json
import sys
from datetime import time
from typing import Any

import pytest
from openpyxl import Workbook

from prefect_omnivideo import APIMartCredentials, JimmyAICredentials, SoraCompatibleCredentials, VideoRequest
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.sheets.expansion import Expansion, expand
from prefect_omnivideo.core.sheets.readers import read_table
from prefect_omnivideo.core.sheets.rows import MAX_VIDEOS
from prefect_omnivideo.core.sheets.source import SheetFile

APIMART = APIMartCredentials.model_validate({"api_key": "key"}).account()
SORA = SoraCompatibleCredentials.model_validate({"api_key": "key", "base_url": "https://gateway.example"}).account()
JIMMYAI = JimmyAICredentials.model_validate({"api_key": "key"}).account()


def sheet(name: str, text: str | bytes, *accounts: Any, content_type: str = "", **settings: Any) -> Expansion:
    file = SheetFile(name, text.encode() if isinstance(text, str) else text, content_type)
    given: dict[str, Any] = {"template": None, "on_bad_row": "stop", "limit": None} | settings
    return expand(read_table(file), accounts=accounts or (JIMMYAI,), **given)


def refused(name: str, text: str | bytes, *accounts: Any, **settings: Any) -> str:
    with pytest.raises(RequestError) as caught:
        sheet(name, text, *accounts, **settings)
    return str(caught.value)


def workbook(*rows: list[Any]) -> bytes:
    book = Workbook()
    worksheet = book.active
    assert worksheet is not None
    for row in rows:
        worksheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


WANTED = [
    VideoRequest(prompt='a "red" apple, macro', aspect_ratio="16:9", duration=6),
    VideoRequest(prompt="海边日落\nat dusk"),
]
ROWS = [{"prompt": 'a "red" apple, macro', "aspect_ratio": "16:9", "duration": 6}, {"prompt": "海边日落\nat dusk"}]
CELLS = [["prompt", "aspect_ratio", "duration"], ['a "red" apple, macro', "16:9", "6"], ["海边日落\nat dusk", "", ""]]


def separated(delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(CELLS)
    return out.getvalue()


YAML = 'rows:\n- prompt: a "red" apple, macro\n  aspect_ratio: 16:9\n  duration: 6\n- "海边日落\\nat dusk"\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", separated(",")),
        ("a.csv", "\ufeff" + separated(";")),
        ("A.CSV", separated(",").replace("\r\n", "\n").rstrip("\n")),
        ("a.tsv", separated("\t")),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS)) + "\n\n"),
        ("a.json", json.dumps(ROWS)),
        ("a.json", "\ufeff" + json.dumps({"rows": ROWS})),
        ("a.yaml", YAML),
        ("a.yml", YAML),
        ("a.xlsx", workbook(CELLS[0], [WANTED[0].prompt, time(16, 9), 6.0], [WANTED[1].prompt])),
    ],
)
def test_every_format_gives_the_same_requests(name: str, text: str | bytes) -> None:
    assert sheet(name, text).requests == WANTED


def test_the_server_names_the_format_of_an_address_without_an_ending() -> None:
    assert sheet("export", separated(","), content_type="text/csv").requests == WANTED
    assert ".xlsx" in refused("export", separated(","), content_type="text/html")


def test_nested_fields_lists_and_takes() -> None:
    found = sheet(
        "a.csv",
        "model,prompt,images,options.watermark,options.extra.style,options.seconds,options,takes\n"
        'm,one,https://a.example/1.png | https://a.example/2.png,TRUE,noir,"""8""","{""n"": 1}",2\n'
        'm,two,"[""https://a.example/1|2.png""]",false,007,8,,\n',
        SORA,
    ).requests
    assert [request.take for request in found] == [1, 2, 1]
    assert found[0].images == ("https://a.example/1.png", "https://a.example/2.png")
    assert found[0].options == {"n": 1, "watermark": True, "extra": {"style": "noir"}, "seconds": "8"}
    assert found[2].images == ("https://a.example/1|2.png",)
    assert found[2].options == {"watermark": False, "extra": {"style": "007"}, "seconds": 8}


def test_options_of_documents_keep_their_types() -> None:
    found = sheet(
        "a.json",
        json.dumps([{"model": "m", "prompt": "one", "options.seconds": "8", "options": {"watermark": True}}]),
        SORA,
    )
    assert found.requests[0].options == {"watermark": True, "seconds": "8"}


def test_a_template_is_filled_in_from_the_columns() -> None:
    text = "product,Art style,aspect_ratio\nmug,noir,16:9\ncup,{x.__class__},9:16\n"
    found = sheet("a.csv", text, template="A {product} in {Art style} {{{aspect_ratio}}}")
    assert [request.prompt for request in found.requests] == ["A mug in noir {16:9}", "A cup in {x.__class__} {9:16}"]
    assert [request.aspect_ratio for request in found.requests] == ["16:9", "9:16"], "a field may be used twice"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{prodct}", "no column for {prodct} (accepted: product, style)"),
        ("{product.__class__}", "no column for {product.__class__}"),
        ("{product!r}", "more than a column's name"),
        ("{product:>99999999}", "more than a column's name"),
        ("{0}", "no column for {0}"),
        ("{}", "more than a column's name"),
        ("{product", "template"),
        ("{product}", "style: there is no such field"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(template: str, said: str) -> None:
    assert said in refused("a.csv", "product,style\nmug,noir\n", template=template)


def test_the_prompt_column_is_never_dropped_behind_a_template() -> None:
    assert "prompt: the template makes the prompt" in refused("a.csv", "prompt,x\na,b\n", template="{x}")
    found = sheet("a.csv", "prompt,x\na,b\n", template="{prompt}, {x}")
    assert [request.prompt for request in found.requests] == ["a, b"]


def test_a_matrix_is_every_combination_but_the_excluded() -> None:
    text = """
template: "{product} in {style}"
matrix:
  product: [mug, cup]
  style: [noir, on]
  aspect_ratio: [16:9, 9:16]
exclude:
- {product: cup, style: noir}
defaults: {duration: 6}
takes: 2
"""
    found = sheet("a.yaml", text).requests
    assert len(found) == (2 * 2 * 2 - 2) * 2
    assert found[0] == VideoRequest(prompt="mug in noir", aspect_ratio="16:9", duration=6)
    assert found[1].take == 2
    assert {request.prompt for request in found} == {"mug in noir", "mug in on", "cup in on"}
    assert {request.aspect_ratio for request in found} == {"16:9", "9:16"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"matrix": {"prompt": []}}, "matrix.prompt: it is empty"),
        ({"matrix": {"prompt": ["a"]}, "exclude": [{"x": "b"}]}, "x='b' is not in the matrix (accepted: prompt)"),
        ({"matrix": {"prompt": ["a"]}, "exclude": [{"prompt": "b"}]}, "prompt='b' is not in the matrix (accepted: a)"),
        ({"matrix": {"prompt": ["a"]}, "exclude": [{}]}, "would exclude everything"),
        ({"matrix": {"prompt": ["a"]}, "rows": []}, "neither rows nor matrix, or both"),
        ({"matrix": {"prompt": ["a"]}, "exlude": []}, "exlude"),
        ({"matrix": {"prompt": ["a"], "sed": [1]}}, "sed: there is no such field (accepted: seed?)"),
        ({"matrix": {name: list(range(200)) for name in ("prompt", "seed", "take")}}, "8000000 combinations"),
        ("a text", "the document is a str"),
        ([7], "row 1: it is a int"),
    ],
)  # fmt: skip
def test_documents_without_sense_are_refused(document: object, said: str) -> None:
    assert said in refused("a.json", json.dumps(document))


def test_bad_rows_are_reported_by_the_number_the_sheet_shows() -> None:
    text = "prompt,duration,aspect_ratio\ngood,6,16:9\n\nlong,600,16:9\nsoon,soon,wide\n"
    message = refused("a.csv", text)
    assert "2 bad rows, nothing submitted" in message
    assert message.splitlines()[1:] == [
        "row 4: duration: 600 is not one of the values (accepted: 4, 6, 8 or 10)",
        "row 5: duration: 'soon' is not a number; aspect_ratio: 'wide' is not a ratio of width to height, such as 16:9",
    ]
    lines = '{"prompt": "good"}\n\n{"prompt": "x", "take": 0}\n{broken\n[1]\n'
    message = refused("a.jsonl", lines)
    assert "row 3: take" in message
    assert "row 4: it is not JSON" in message
    assert "row 5: it is a list" in message
    assert "row 3: duration" in refused("a.xlsx", workbook(["prompt", "duration"], ["x", 6], ["y", "soon"]))


def test_bad_rows_are_left_out_when_asked_and_never_all_of_them() -> None:
    found = sheet("a.csv", "prompt,duration\ngood,6\nbad,soon\n", on_bad_row="skip")
    assert [request.prompt for request in found.requests] == ["good"]
    assert len(found.skipped) == 1
    assert found.skipped[0].startswith("row 3: duration: ")
    assert "row 2: duration" in refused("a.csv", "prompt,duration\nbad,soon\n", on_bad_row="skip")


def test_the_first_thirty_bad_rows_are_listed() -> None:
    message = refused("a.csv", "prompt,seed\n" + "x,y\n" * 35)
    assert message.startswith("sheet (35 bad rows, nothing submitted) not acceptable:\nrow 2: seed: 'y' is not")
    assert message.count("\n") == 31
    assert message.endswith("and 5 more with problems")


def test_every_problem_of_a_row_is_listed_the_gateway_s_too() -> None:
    message = refused("a.csv", "prompt,aspect_ratio,duration,seed,options.watermark\nx,wide,5,7,true\n", APIMART)
    said = message.splitlines()[1]
    assert said.startswith("row 2: aspect_ratio: 'wide' is not a ratio of width to height, such as 16:9; ")
    assert all(f"; {part}: " in said for part in ("duration", "seed", "options.watermark"))
    assert said.count("aspect_ratio: ") == 1
    assert not set("\\^$") & set(message), "no regular expression"


def test_a_field_that_is_wrong_by_itself_hides_no_other_problem_and_makes_none() -> None:
    """What depends on the prompt, or on the mode, is not judged without it."""
    assert refused("a.csv", "prompt,mode\nx,fly\n", APIMART).count(": ") == 2 + 1
    assert "neither" not in refused("a.json", json.dumps([{"prompt": [], "seed": "x"}]), APIMART)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompt,aspct_ratio\nx,16:9\n", "aspct_ratio: there is no such field (accepted: aspect_ratio?)"),
        ("Prompt\nx\n", "Prompt: there is no such field (accepted: prompt?)"),
        ("prompt,campaign\nx,summer\n", "campaign: there is no such field (accepted: prompt, "),
        ("prompt,options.\nx,1\n", "options.: there is no such field"),
        ("prompt,prompt\nx,y\n", "more than one column is called prompt"),
        ("prompt,seed\na cat, sitting,7\n", "row 2: the cell '7' is in column 3, which has no name"),
        ('prompt\n"never closed\nx\ny\n', "row 2 is broken"),
        ("prompt\n#REF!\n", "holds the error #REF!"),
        ("prompt,take,takes\nx,1,2\n", "the row has a take too"),
        ("prompt,takes\nx,0\n", "1 to 100"),
        ("prompt,takes\nx,many\n", "1 to 100"),
        ("prompt,options.a,options.a.b\nx,1,2\n", "options.a.b: it is given twice"),
        ("prompt,options\nx,7\n", "options: 7 is not an object"),
        ("prompt,images\nx,[broken\n", "images"),
    ],
)
def test_mistakes_in_tables_are_named(text: str, said: str) -> None:
    assert said in refused("a.csv", text)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b"x", "no supported format (accepted: .csv"),
        ("a.csv", "prompt\nGrün\n".encode("latin-1"), "not in UTF-8 (line 2)"),
        ("a.xlsx", b"no archive", "not an XLSX workbook"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"[" * 100_000, "not JSON"),
        ("a.yaml", b"a: [", "not YAML"),
        ("a.yaml", b"rows: []\nrows: []", "duplicate key"),
    ],
)
def test_files_that_are_not_what_they_say(name: str, data: bytes, said: str) -> None:
    assert said in refused(name, data)


def test_a_row_is_good_when_one_account_can_honour_it() -> None:
    text = "prompt,duration\none,6\nnone,30\n"
    assert "row 2" in refused("a.csv", text, APIMART)
    message = refused("a.csv", text, APIMART, JIMMYAI)
    assert "row 3: APIMart, duration" in message
    assert "; JimmyAI, duration" in message
    assert "row 2" not in message


def test_repeated_rows_are_made_once_and_named() -> None:
    found = sheet("a.csv", "prompt,take\nx,\ny,\nx,\nx,2\n")
    assert [(request.prompt, request.take) for request in found.requests] == [("x", 1), ("y", 1), ("x", 2)]
    assert found.repeated == ["row 4"]


def test_a_limit_takes_the_top_of_the_sheet_and_reads_no_further() -> None:
    found = sheet("a.csv", "prompt,takes\na,1\nb,5\nbroken,x\n", limit=3)
    assert [(request.prompt, request.take) for request in found.requests] == [("a", 1), ("b", 1), ("b", 2)]


def test_more_videos_than_a_run_may_have_are_refused() -> None:
    assert f"more than {MAX_VIDEOS}" in refused("a.csv", "prompt,takes\n" + "".join(f"{n},100\n" for n in range(101)))


@pytest.mark.parametrize("text", ["", "\n\n", "prompt\n", "prompt,seed\n,\n \n"])
def test_a_sheet_without_rows_asks_for_nothing(text: str) -> None:
    assert sheet("a.csv", text).requests == []


def test_workbooks_need_an_extra_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "prefect-omnivideo[sheets]" in refused("a.xlsx", b"x")


NAMES = [
    {"prod", "apimart-credentials/prod"},
    {"prod", "jimmyai-credentials/prod"},
    {"spare", "apimart-credentials/spare"},
]


@pytest.mark.parametrize(
    ("cell", "allowed"),
    [
        ("spare", {2}),
        ("prod", {0, 1}),
        ("jimmyai-credentials/prod", {1}),
        ("spare | jimmyai-credentials/prod", {1, 2}),
        ("", None),
    ],
)
def test_a_row_names_accounts_by_their_blocks(cell: str, allowed: set[int] | None) -> None:
    found = sheet("a.csv", f"prompt,account\nx,{cell}\n", APIMART, JIMMYAI, APIMART, names=NAMES)
    assert found.only.get(found.requests[0].key) == allowed
    assert found.requests == [VideoRequest(prompt="x")], "it is no part of what is asked for"


def test_a_row_is_checked_by_the_accounts_that_it_names() -> None:
    rows = "prompt,resolution,account\nx,4k,\ny,4k,spare\nz,,prod nobody\n"
    said = refused("a.csv", rows, APIMART, JIMMYAI, APIMART, names=NAMES)
    assert "row 2" not in said
    assert "row 3: resolution: '4k'" in said
    assert "row 4: account: the run has no account 'nobody'" in said
    assert "accepted: apimart-credentials/prod, jimmyai-credentials/prod, apimart-credentials/spare" in said


def test_a_column_of_the_template_names_no_account() -> None:
    found = sheet("a.csv", "account\nspare\n", APIMART, template="the account of {account}", names=NAMES)
    assert (found.requests[0].prompt, found.only) == ("the account of spare", {})
