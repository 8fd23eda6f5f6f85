"""Signed links of many vendors, in every disguise an answer gives them: nothing that signs is left."""

import html
import json
import string
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.redaction import HIDDEN, redact, redact_json, shorten

SECRET = "c0ffee5ec4e7Zq9Yw3"
LINKS = {
    "Amazon v2": f"b.s3.amazonaws.com/1.mp4?AWSAccessKeyId=AKIA{SECRET}&Expires=1795285395&Signature=a%2B{SECRET}%3D",
    "Amazon v4": (
        f"b.s3.us-east-1.amazonaws.com/1.mp4?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA{SECRET}%2F20261121"
        f"&X-Amz-Expires=3600&X-Amz-Security-Token=IQo{SECRET}&X-Amz-Signature={SECRET}"
    ),
    "Google v2": f"storage.googleapis.com/b/1.mp4?GoogleAccessId=x@{SECRET}.example&Expires=1&Signature={SECRET}%2F",
    "Google v4": f"storage.googleapis.com/b/1.mp4?X-Goog-Credential=x%40{SECRET}&X-Goog-Signature={SECRET}",
    "OSS v1": f"b.oss-cn-hangzhou.aliyuncs.com/1.mp4?Expires=1&OSSAccessKeyId=LTAI{SECRET}&Signature={SECRET}%3D",
    "OSS v4": f"b.oss-cn-hangzhou.aliyuncs.com/1.mp4?x-oss-credential=LTAI{SECRET}%2F2026&x-oss-signature={SECRET}",
    "COS": f"b-1.cos.ap-guangzhou.myqcloud.com/1.mp4?q-sign-algorithm=sha1&q-ak=AKID{SECRET}&q-signature={SECRET}",
    "TOS": f"b.tos-cn-beijing.volces.com/1.mp4?X-Tos-Credential=AKLT{SECRET}%2F2026&X-Tos-Signature={SECRET}",
    "OBS": f"b.obs.cn-north-4.myhuaweicloud.com/1.mp4?AccessKeyId=HW{SECRET}&Expires=1&Signature={SECRET}%3D",
    "BOS": f"b.bj.bcebos.com/1.mp4?authorization=bce-auth-v1%2F{SECRET}%2F2026-11-21T00%3A00%3A00Z%2Fhost%2F{SECRET}",
    "Azure SAS": f"a.blob.core.windows.net/c/1.mp4?sv=2024-05-04&se=2026-11-22T00%3A00Z&sr=b&sp=r&sig={SECRET}%3D",
    "CloudFront": f"d1.cloudfront.net/1.mp4?Expires=1&Signature={SECRET}~x_&Key-Pair-Id=K{SECRET}&Policy=eyJ{SECRET}",
    "Qiniu": f"cdn.example/1.mp4?e=1795285395&token=AK{SECRET}:{SECRET}=",
    "Akamai": f"v.akamaized.net/1.mp4?hdnea=st=1~exp=2~acl=/*~hmac={SECRET}",
    "Akamai, two tokens": f"v.akamaized.net/1.mp4?__token__=exp=2~acl=/*~hmac={SECRET}&hdnts=exp=1~hmac={SECRET}",
    "Kling": f"v4-kling.kechuangai.com/bs2/1.mp4?x-kcdn-pid=1&ksSecret={SECRET}&ksTime=6a1b",
    "Alibaba CDN": f"cdn.example/1.mp4?auth_key=1795285395-0-0-{SECRET}",
    "Tencent CDN": f"cdn.example/1.mp4?t=6a1b&sign={SECRET}",
    "fal": f"v3.fal.media/files/b/1.mp4?token={SECRET}",
    "Replicate": f"stream.replicate.com/v1/files/a/1.mp4?expiry=1&owner=o&signature={SECRET}%3D",
    "a fragment": f"cdn.example/1.mp4#access_token={SECRET}",
    "signs of a query": f"cdn.example/1.mp4?k=(a,b);c='d'&sig={SECRET}",
}
DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "escaped slashes": lambda url: url.replace("/", "\\/"),
    "escaped ampersands": lambda url: url.replace("&", "\\u0026"),
    "escaped twice": lambda url: url.replace("/", "\\\\/").replace("&", "\\\\u0026"),
    "percent-encoded": lambda url: quote(url, safe=""),
    "percent-encoded twice": lambda url: quote(quote(url, safe=""), safe=""),
    "as a parameter": lambda url: f"https://gateway.example/get?url={quote(url, safe='')}",
    "HTML-escaped": html.escape,
    "in an attribute": lambda url: f'<a href="{html.escape(url)}">video</a>',
    "in a sentence": lambda url: f"The file is at {url}, until noon.",
    "in Chinese": lambda url: f"视频地址：{url}。请下载",
    "in Markdown": lambda url: f"[video]({url})",
    "in JSON": lambda url: json.dumps({"data": {"url": url}}),
    "JSON in a text": lambda url: json.dumps({"data": json.dumps({"url": url})}),
    "JSON in a text in a text": lambda url: json.dumps({"data": json.dumps({"data": json.dumps({"url": url})})}),
    "in a repr": lambda url: repr({"url": url, "id": "task_1"}),
    "without a scheme": lambda url: url.removeprefix("https://"),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("vendor", LINKS)
def test_nothing_of_a_signature_is_left(vendor: str, disguise: str) -> None:
    text = DISGUISES[disguise](f"https://{LINKS[vendor]}")
    told = redact(text)
    assert SECRET not in told
    assert HIDDEN in told
    assert redact(told) == told


@pytest.mark.parametrize(
    "disguise", ["plain", "escaped slashes", "percent-encoded", "percent-encoded twice", "in JSON"]
)
def test_a_login_within_a_url_is_hidden(disguise: str) -> None:
    told = redact(DISGUISES[disguise](f"https://user:{SECRET}@cdn.example/1.mp4"))
    assert SECRET not in told
    assert "cdn.example" in told


@pytest.mark.parametrize(
    "text",
    [
        "a red apple; camera = slow dolly, mood=melancholic, design=baroque, 9:16",
        "task_01JABCDEFGHJKMNPQRSTVWXYZ",
        "6f1c1c8e-5e0e-4e43-9b7f-2f6f2f1d2c3b",
        "cost=0.0123 USD, 1,280 x 720 at 24 fps",
        "https://img.12ai.org/videos/task_1.mp4",
        r"https:\/\/img.12ai.org\/videos\/task_1.mp4",
        "https%3A%2F%2Fimg.12ai.org%2Fvideos%2Ftask_1.mp4",
        "see https://doc.12ai.org/docs/api/omni, or write to help@12ai.org.",
        "视频已生成：https://img.12ai.org/videos/task_1.mp4。请下载",
        "Is it 50% of 25%? Yes.",
        "the bearer of the token walks on",
        '{"id": "task_1", "status": "failed", "message": "asked too often: 3/min"}',
        "",
    ],
)
def test_what_is_harmless_stays(text: str) -> None:
    assert redact(text) == text


def test_what_stands_beside_a_link_stays() -> None:
    told = redact('{"id":"task_1","url":"https://cdn.example/1.mp4?sig=abcdefgh","status":"completed"}')
    assert told == f'{{"id":"task_1","url":"https://cdn.example/1.mp4?{HIDDEN}","status":"completed"}}'
    assert "请下载" in redact("地址：https://cdn.example/1.mp4?sig=abcdefgh。请下载")


def test_keys_are_hidden_wherever_they_stand() -> None:
    assert redact("key abc!", "abc", "") == f"key {HIDDEN}!"
    assert "live" not in redact("Authorization: Bearer live.0123456789")
    assert "0123456789" not in redact("Incorrect API key: sk-proj-0123456789abcdef")
    assert redact_json({"abc": ["abc", 1, None, {"x": "abc"}]}, "abc") == {HIDDEN: [HIDDEN, 1, None, {"x": HIDDEN}]}


def test_a_text_that_is_cut_is_redacted_first() -> None:
    assert SECRET[:6] not in shorten(f"https://cdn.example/1.mp4?sig={SECRET}", 40)


@given(st.text() | st.text(alphabet="htps:/\\?#&=%253AFu0026'\" @.*~sig-"))
def test_any_text(text: str) -> None:
    told = redact(text)
    assert redact(told) == told


_UNRESERVED = string.ascii_letters + string.digits + "-._~"


@given(
    secret=st.text(alphabet=string.ascii_letters + string.digits, min_size=12, max_size=40),
    before=st.text(alphabet=_UNRESERVED + "!$&'()*+,;=:@/?%", max_size=30),
    name=st.text(alphabet=_UNRESERVED, min_size=1, max_size=12),
    disguise=st.sampled_from(sorted(set(DISGUISES) - {"without a scheme", "in a repr"})),
)
def test_any_secret_in_a_query(secret: str, before: str, name: str, disguise: str) -> None:
    told = redact(DISGUISES[disguise](f"https://cdn.example/v/1.mp4?{before}&{name}={secret}"))
    assert secret not in told


@pytest.mark.parametrize(
    "piece",
    [
        "a red apple ",
        "http://",
        "https%3A%2F%2F",
        "QUJDREVGR0hJ",
        "\\",
        "https://a:b:",
        "s3://?",
        "sk-",
        "sig=",
        "'",
        "%25",
    ],
)
def test_megabytes_take_no_longer_than_their_length(piece: str) -> None:
    """A pattern that goes back over what it read would need hours for these."""
    text = "https://cdn.example/" + piece * (1_000_000 // len(piece))
    begun = time.process_time()
    redact(text)
    assert time.process_time() - begun < 2
