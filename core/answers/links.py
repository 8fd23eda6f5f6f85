"""Finds the video's links in an answer of any structure.

The documented places go first. Then come all other links of the answer, ranked by the keys on their paths; the
download tries them in that order until the bytes are a video.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from pydantic import JsonValue

from prefect_omnivideo.core.answers.json_paths import Node, parsed, plain, search, walk
from prefect_omnivideo.core.gateways.specification import Gateway, Link
from prefect_omnivideo.core.gateways.validation import is_link
from prefect_omnivideo.core.gateways.words import words

_IN_TEXT = re.compile(r"https?://[^\s\"'<>\\^`{|}\u3000-\u303f\uff00-\uffef\u4e00-\u9fff]+", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:amp|quot|apos|lt|gt|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
_TIMES_ESCAPED = 2
_BRACKETS = {")": "(", "]": "["}
_PUNCTUATION = ".,;:!?'*"
_LONGEST = 8192
"""Longest link, in characters; signed links are shorter."""
_LABEL = re.compile(r"([\w-]+)[^\w-]*$")
_NEAR = 48
"""Characters before a link that are searched for the word naming it."""
_INLINE = re.compile(r"data:video/[\w.+-]+(;[\w=.+-]+)*;base64,", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\r\n]{64,}={0,2}")
_BASE64_NAMES = words("videobytes b64json b64 encodedvideo b64video")

_NEVER = words(
    """
    input inputs request params parameters arguments payload reference references source webhook webhookurl
    callback callbackurl notifyhook notifyurl
    logo avatar icon audio audiourl music musicurl subtitle subtitles lyrics firstframe
    firstframeurl startframe startimage inputvideo inputvideourl inputimage inputimageurl videourls imageurls
    referencevideo referenceimages
    """
)
"""Keys that never hold a result: request fields, and other files."""
_PAGES = words(
    """
    get cancel stream web self next prev docs doc documentation help error errors statusurl responseurl queueurl
    cancelurl geturl pollurl pollingurl streamurl weburl fetchurl retrieveurl
    """
)
"""Keys of pages about the job; a link to a video file there is tried last."""
_PICTURES = re.compile(
    r"(?<!dis)(?<!re)cover|thumb|poster|lastframe|firstframe|endframe|image|img|picture|gif|snapshot|storyboard|keyframe",
    re.IGNORECASE,
)
_WATERMARKED = re.compile(r"watermark", re.IGNORECASE)
_CLEAN = re.compile(
    r"(no|without|non|un|free|remove[d]?|clean)_?-?water_?-?mark|watermark_?(free|removed|less)", re.IGNORECASE
)
_PREVIEW = re.compile(
    r"preview|sample|low_?res|proxy|draft|teaser|progress|sharing|share_|(?<!re)source", re.IGNORECASE
)
_VIDEO = re.compile(r"video|mp4|movie|film|clip|media", re.IGNORECASE)
_RESULT = re.compile(
    r"output|result|download|url|file|link|content|resource|work|creation|generat|asset|uri", re.IGNORECASE
)
_VIDEO_FILES = words(
    """
    .mp4 .mov .webm .m4v .mkv .avi .ts .flv .mpg .mpeg .ogv .wmv
    """
)
_OTHER_FILES = words(
    """
    .jpg .jpeg .png .webp .gif .bmp .svg .avif .heic .ico .json .html .htm .txt .md .mp3 .wav .m4a .aac .ogg
    .flac .srt .vtt .css .js .pdf .xml .m3u8 .mpd
    """
)


def find_links(gateway: Gateway, body: JsonValue, job: JsonValue, sent: Collection[str] = ()) -> tuple[Link, ...]:
    """Every possible link to the files of a finished job, best first.

    Args:
        job: the part of the answer that describes the job; documented paths are tried there first.
        sent: strings of the request itself: its references are not results.
    """
    documented: dict[str, Link] = {}
    for expression in gateway.link_paths:
        for root in (job, body):
            for value in search(root, expression):
                if isinstance(value, str) and value not in documented and value not in sent and _is_result(value):
                    documented[value] = Link(value, expression)
        if documented:
            break
    others: dict[str, tuple[tuple[int, ...], Link]] = {}
    for node in walk(body):
        for url, label in _links_in(node):
            if url in documented or url in sent or (rank := _rank(node, url, label)) is None:
                continue
            link = Link(url, node.path, is_documented=False)
            others.setdefault(url, ((*rank, len(others)), link))
    return (*documented.values(), *(link for _, link in sorted(others.values(), key=lambda ranked: ranked[0])))


def is_inline(url: str) -> bool:
    """Whether a link holds the file itself."""
    return url.startswith("data:")


def _is_result(value: str) -> bool:
    """At a documented path: any link, and any inline video."""
    return is_link(value) or bool(_INLINE.match(value))


def _links_in(node: Node) -> Iterator[tuple[str, str]]:
    """The links in a text, each with the word before it in the sentence."""
    text = node.value
    if not isinstance(text, str):
        return
    if _INLINE.match(text):
        yield text, ""
    elif node.keys and _is_base64_name(plain(node.keys[-1])) and _BASE64.fullmatch(text.strip()):
        yield f"data:video/mp4;base64,{text}", ""
    elif "://" in (text := _unescaped(text).strip()):
        if len(text) <= _LONGEST and is_link(text):
            yield text, ""
        elif parsed(text) is None:  # JSON within a string is walked separately
            for found in _IN_TEXT.finditer(text):
                if len(found[0]) <= _LONGEST and is_link(url := _trimmed(found[0])):
                    before = _LABEL.search(text, max(0, found.start() - _NEAR), found.start())
                    yield url, before[1] if before else ""


def _is_base64_name(name: str) -> bool:
    return "base64" in name or name in _BASE64_NAMES


def _unescaped(text: str) -> str:
    """The link with HTML and JSON escapes undone.

    Not `html.unescape` on all of it: that turns `&copy` in `?a=1&copy=2` into a symbol.
    """
    if "\\" in text:
        text = text.replace("\\/", "/").replace("\\u0026", "&")
    for _ in range(_TIMES_ESCAPED):
        if ";" not in text:
            break
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return text


def _trimmed(url: str) -> str:
    """A link without the surrounding punctuation. Underscores stay: a signature may end in one."""
    url = url.rstrip(_PUNCTUATION)
    while (last := url[-1:]) in _BRACKETS and (unopened := url.count(last) - url.count(_BRACKETS[last])) > 0:
        url = url[: -min(unopened, len(url) - len(url.rstrip(last)))].rstrip(_PUNCTUATION)
    return url


def _rank(node: Node, url: str, label: str) -> tuple[int, ...] | None:
    """The smaller, the better; None for a link that cannot be a result, whatever its bytes are.

    Args:
        label: the word before it in a sentence. It may lower a link's rank, but never excludes it.
    """
    names = [plain(key) for key in node.keys]
    last, place = names[-1] if names else "", "_".join(node.keys)
    path = f"{place}_{label}" if label else place
    if any(name in _NEVER for name in names):
        return None
    ending = "" if is_inline(url) else PurePosixPath(urlsplit(url).path).suffix.lower()
    is_video_file = ending in _VIDEO_FILES
    is_page = any(name in _PAGES for name in names)
    if ending in _OTHER_FILES or (is_page and not is_video_file):
        return None
    is_other = is_page or plain(label) in _NEVER | _PAGES
    # The name nearest to the link counts: `no_watermark` may hold a text that names the other copy as well.
    nearest = label if _WATERMARKED.search(label) else path
    marked = bool(_WATERMARKED.search(f"{path} {urlsplit(url).path}")) and not _CLEAN.search(nearest)
    says_picture = bool(_PICTURES.search(path)) and not (_VIDEO.search(last) or (is_video_file and "image" in path))
    if says_picture and not is_video_file and _PICTURES.search(place):
        return None
    second_choice = 6 * is_other + 3 * says_picture + 2 * bool(_PREVIEW.search(path)) + marked
    says_video = bool(_VIDEO.search(path)) or is_inline(url)
    is_whole = isinstance(node.value, str) and len(node.value) <= len(url) + 2
    return (
        second_choice,
        0 if is_video_file or is_inline(url) else 1,
        0 if says_video else 1,
        0 if _CLEAN.search(path) else 1,
        0 if _RESULT.search(path) else 1,
        0 if is_whole else 1,
        len(node.keys),
    )


def looks_like_a_result(link: Link) -> bool:
    """Whether the link alone shows that the job is finished: at a documented path, or named like a video file."""
    if link.is_documented or is_inline(link.url):
        return True
    return PurePosixPath(urlsplit(link.url).path).suffix.lower() in _VIDEO_FILES or bool(_VIDEO.search(link.path))
