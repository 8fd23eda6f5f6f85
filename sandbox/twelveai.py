"""12AI Omni (docs/gateways.md, 12AI)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from prefect_omnivideo.sandbox.body import Encoding
from prefect_omnivideo.sandbox.checks import Body, Refused, choice, only, pixels, required, text, urls
from prefect_omnivideo.sandbox.gateway import Answer, Order, Words
from prefect_omnivideo.sandbox.jobs import Clip, Job, Moment
from prefect_omnivideo.sandbox.newapi import NewApi, failure

_WORDS = Words(("queued",), "processing", "completed", "failed")
_MOST_REFERENCES = 7
_SHORT_SIDE = 720


class TwelveAI(NewApi):
    """One model of fixed length and resolution; a closed list of fields."""

    name = "12ai"
    models = ("omni_flash-10s",)
    encodings = frozenset[Encoding]({"json", "form", "multipart"})
    ignored_faults = frozenset({"cancelled", "two-files"})

    def routes(self) -> list[BaseRoute]:
        """The family's routes and DELETE."""
        return [*super().routes(), Route("/v1/videos/{id}", self.delete, methods=["DELETE"])]

    def check(self, body: Body, encoding: Encoding) -> Order:
        """`images` in JSON, `input_reference[]` in a form: at most 7 image or video URLs."""
        references = "images" if encoding == "json" else "input_reference[]"
        only(body, ("model", "prompt", "size", references))
        required(body, "model")
        model = choice(body, "model", self.models)
        required(body, "prompt")
        urls(body, references, _MOST_REFERENCES)
        width, height = pixels(text(body, "size") or "1280x720")
        if min(width, height) != _SHORT_SIDE or max(width, height) > 2 * _SHORT_SIDE or (width | height) % 2:
            raise Refused(
                f"size must be 720p, for example 1280x720 or 720x1280, not {width}x{height}", code="invalid_size"
            )
        return Order(model, Clip(width, height, 10))

    def accepted(self, job: Job) -> Answer:
        """The four documented fields among the family's."""
        return super().accepted(job) | {"size": f"{job.clip.width}x{job.clip.height}"}

    def video(self, job: Job, moment: Moment, request: Request) -> Answer:
        """`id`, `status`, `progress`, and `video_url` or `error` at the end."""
        answer: Answer = {"id": job.id, "status": self.word(job, moment, _WORDS), "progress": moment.progress}
        if moment.phase == "succeeded" and (links := self.links(job)):
            answer["video_url"] = links[0]
        elif moment.phase == "failed":
            code, message = failure(job)
            answer["error"] = {"message": message, "code": code}
        return answer

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/videos/{id}` of the older page: the task is no longer known, but stays billed."""
        account = self.account(request)
        if account is None:
            return self.unauthorized()
        job = self.find(request, account)
        if job is None:
            return self.reply({"error": {"message": "Invalid request, Task not found"}}, 400)
        job.deleted = True
        return self.reply({"message": "deleted", "success": True})
