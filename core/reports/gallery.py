"""One page beside the videos of a batch, to look at them all. It needs nothing but itself and them."""

from __future__ import annotations

import base64
import hashlib
import posixpath
from html import escape
from urllib.parse import quote

from prefect_omnivideo.core.records.model import StoredFile, VideoRecord, VideoState
from prefect_omnivideo.core.reports.report import BatchReport, plain, reason, what_to_do

_GROUPS = {
    VideoState.STORED: "stored",
    VideoState.SUBMITTING: "pending",
    VideoState.SUBMITTED: "pending",
    VideoState.FINISHED: "pending",
    VideoState.FAILED: "failed",
    VideoState.UNKNOWN: "unknown",
}

# The filter is a row of radio buttons and style alone: a page without a script can run no one else's either.
_STYLE = """
:root { color-scheme: light dark; --page: #f6f6f4; --card: #fff; --text: #1c1c1a; --soft: #62625c; --line: #dcdcd6;
  --stored: #1d7a46; --pending: #2a5fb4; --failed: #b3261e; --unknown: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --page: #141413; --card: #1f1f1d; --text: #edede8; --soft: #a3a39b;
  --line: #383834; --stored: #6fd39a; --pending: #8db8ff; --failed: #ff9a92; --unknown: #f0bf62; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem clamp(.75rem, 3vw, 2.5rem) 3rem; max-width: 110rem; background: var(--page);
  color: var(--text); font: 1rem/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; }
header p { margin: .25rem 0 1rem; color: var(--soft); }
input { position: absolute; opacity: 0; pointer-events: none; }
label { display: inline-block; margin: 0 .4rem .5rem 0; padding: .4rem .9rem; border: 1px solid var(--line);
  border-radius: 99px; background: var(--card); cursor: pointer; }
label b { font-variant-numeric: tabular-nums; }
main { display: grid; gap: 1rem; margin-top: .5rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
article { display: flex; flex-direction: column; border: 1px solid var(--line); border-radius: .7rem; overflow: hidden;
  border-top: 3px solid var(--state);
  background: var(--card); }
video { display: block; width: 100%; aspect-ratio: 16 / 9; background: #000; }
.text { padding: .75rem .9rem .9rem; }
.text p { margin: 0 0 .5rem; overflow-wrap: anywhere; }
.prompt { max-height: 9rem; overflow: auto; }
.facts { color: var(--soft); font-size: .85rem; }
.text p:last-child { margin: 0; }
.state { font-weight: 600; font-size: .85rem; }
.state, .why { color: var(--state); }
.stored { --state: var(--stored); }
.pending { --state: var(--pending); }
.failed { --state: var(--failed); }
.unknown { --state: var(--unknown); }
"""


def gallery(report: BatchReport) -> str:
    """The page `index.html` in the folder of the batch.

    Videos and posters are linked relative to it, so that it works from disk and from a bucket that serves pages. A
    prompt can say whatever it likes: it stays text, and the page may load nothing but media and run no script.
    """
    counts = {"all": len(report.records), **report.counts}
    shown = {group: count for group, count in counts.items() if count or group == "all"}
    style = _STYLE + "".join(_filter_style(group) for group in shown)
    policy = (
        f"default-src 'none'; style-src 'sha256-{_sha256(style)}'; media-src 'self' data: file: https:; "
        "img-src 'self' data: file: https:; base-uri 'none'; form-action 'none'"
    )
    radios = "".join(
        f'<input type="radio" name="show" id="show-{group}"{" checked" * (group == "all")}>\n' for group in shown
    )
    labels = "".join(f'<label for="show-{group}">{group} <b>{count}</b></label>\n' for group, count in shown.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(plain(report.batch))}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{escape(plain(report.batch))}</h1>
<p>{escape(report.summary())}</p>
</header>
{radios}<nav aria-label="Show">
{labels}</nav>
<main>
{"".join(_card(record) for record in report.records)}</main>
</body>
</html>
"""


def _filter_style(group: str) -> str:
    radio, label = f"#show-{group}", f"label[for=show-{group}]"
    return (
        f"{radio}:checked ~ nav {label} {{ background: var(--text); color: var(--page); }}\n"
        f"{radio}:focus-visible ~ nav {label} {{ outline: 3px solid var(--pending); outline-offset: 2px; }}\n"
    ) + (f"{radio}:checked ~ main article:not(.{group}) {{ display: none; }}\n" if group != "all" else "")


def _card(record: VideoRecord) -> str:
    group = _GROUPS[record.state]
    prompt = plain(record.request.prompt) or "(no prompt)"
    players = "".join(_player(file, record) for file in record.files)
    why = f'<p class="why" dir="auto">{escape(reason(record))}</p>\n' if reason(record) else ""
    advice = f'<p class="facts">{escape(what_to_do(record))}</p>\n' if what_to_do(record) else ""
    mismatches = f'<p class="facts" dir="auto">{escape(plain("; ".join(record.mismatches)))}</p>\n'
    return f"""<article class="{group}">
{players}<div class="text">
<p class="state">{group}</p>
<p class="prompt" dir="auto">{escape(prompt)}</p>
{why}{advice}{mismatches if record.mismatches else ""}<p class="facts">{escape(" · ".join(_facts(record)))}</p>
</div>
</article>
"""


def _player(file: StoredFile, record: VideoRecord) -> str:
    # With a poster nothing of the video is needed before somebody plays it, and a batch may have hundreds.
    start = f'preload="none" poster="{_link(file.poster, record)}"' if file.poster else 'preload="metadata"'
    label = escape(plain(record.request.prompt)[:120])
    return f'<video controls playsinline {start} src="{_link(file.name, record)}" aria-label="{label}"></video>\n'


def _link(name: str, record: VideoRecord) -> str:
    # Quoted, so that a colon cannot make a scheme of what comes before it.
    return escape(quote(posixpath.relpath(name, record.batch)))


def _facts(record: VideoRecord) -> list[str]:
    """What is known of the video, in a few words each."""
    facts = [record.attempt.gateway]
    if record.request.take > 1:
        facts.append(f"take {record.request.take}")
    for file in record.files:
        seconds, width, height = (file.media.get(name) for name in ("duration", "width", "height"))
        if isinstance(seconds, int | float):
            facts.append(f"{seconds:.1f} s")
        if isinstance(width, int) and isinstance(height, int):
            facts.append(f"{width}×{height}")
        facts.append(f"{file.size / 1e6:.1f} MB")
    if record.cost is not None:
        facts.append(f"cost {record.cost:.10g}")
    if told := [attempt.credits for attempt in record.attempts if attempt.credits is not None]:
        facts.append(f"{sum(told):.10g} credits")
    return [*facts, record.key]


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
