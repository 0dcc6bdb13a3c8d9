"""The server as an ASGI app: TensorFlow Serving's REST API, a page, health, metrics.

GET  /                                      the page
GET  /v1/models                             all models with cards (our own)
GET  /v1/models/NAME[/versions/N]           state
GET  /v1/models/NAME[/versions/N]/metadata  signatures
POST /v1/models/NAME[/versions/N]:predict   answers
GET  /healthz  /metrics                     for machines
"""

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import json
import logging
import re
import time
import uuid
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kbert.server.batcher import Batcher, Overloaded
from kbert.server.loaded_model import DEFAULT
from kbert.server.model_store import ModelNotFound, ModelStore
from kbert.server.rest import (
    Limits,
    inputs_of,
    metadata_of,
    read_json,
    response_of,
    status_of,
)
from kbert.server.telemetry import LOGGER, ServerMetrics

_LOG = logging.getLogger(LOGGER)
_LARGE_BODY = 1 << 16  # bytes; JSON beyond is read and written in a thread
_LARGE_ANSWER = 64  # texts
_HUNG_UP = 499  # as nginx has it; nobody reads it
_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


def create_app(
    store: ModelStore,
    token_budget: int = 4096,
    max_waiting_texts: int = 8192,
    limits: Limits | None = None,
) -> Starlette:
    """The app, for uvicorn or any ASGI server; it starts and stops the store.

    Args:
        store: the models.
        token_budget: of one run of a model; see `Batcher`.
        max_waiting_texts: beyond which requests get the status 503.
        limits: of a request.
    """
    return _Server(store, token_budget, max_waiting_texts, limits or Limits()).app


@dataclasses.dataclass
class _Facts:
    """What the log and the metrics tell of a request."""

    model: str | None = None
    version: int | None = None
    signature: str | None = None
    texts: int | None = None
    bytes: int = 0


class _Server:
    def __init__(self, store, token_budget, max_waiting_texts, limits):
        self.store = store
        self.limits = limits
        self.batcher = Batcher(token_budget, max_waiting_texts)
        self.metrics = ServerMetrics(
            lambda: self.batcher.waiting_rows,
            lambda: [(n, store.get(n).version) for n in store.names()],
        )
        self.batcher.on_batch = self.metrics.batch
        self.is_stopping = False
        self.page = read_page()
        place = "/v1/models/{place:path}"
        self.app = Starlette(
            routes=[
                Route("/", self._answered(self._page)),
                Route("/healthz", self._answered(self._health)),
                Route("/metrics", self._answered(self._metrics)),
                Route("/v1/models", self._answered(self._models)),
                Route(place, self._answered(self._about), methods=["GET"]),
                Route(place, self._answered(self._predict), methods=["POST"]),
            ],
            exception_handlers={HTTPException: _http_error},
            lifespan=self._life,
        )

    @contextlib.asynccontextmanager
    async def _life(self, app):
        await asyncio.to_thread(self.store.start)
        yield
        self.is_stopping = True
        await self.batcher.close()
        await asyncio.to_thread(self.store.stop)

    def _answered(self, handler):
        """A handler with errors in TensorFlow Serving's form, a log line and counts."""

        async def answer(request: Request) -> Response:
            start, facts = time.perf_counter(), _Facts()
            try:
                response = await handler(request, facts)
            except HTTPException as error:
                response = _error(error.status_code, error.detail, error.headers)
            except ModelNotFound as error:
                response = _error(404, error)
            except Overloaded as error:
                response = _error(503, error, {"retry-after": "1"})
            except ValueError as error:
                response = _error(400, error)
            except ClientDisconnect:
                response = _error(_HUNG_UP, "The client hung up.")
            except Exception:
                _LOG.exception("a request failed")
                response = _error(500, "The server failed; its log tells why.")
            response.headers["x-content-type-options"] = "nosniff"
            self._count(request, response, facts, time.perf_counter() - start)
            return response

        return answer

    def _count(self, request, response, facts, seconds):
        asked = request.headers.get("x-request-id", "")
        number = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        response.headers["x-request-id"] = number
        model, signature = facts.model or "", facts.signature or ""
        self.metrics.request_bytes.inc(facts.bytes)
        status = response.status_code
        self.metrics.requests.labels(model, signature, str(status)).inc()
        if request.method == "POST":
            self.metrics.seconds.labels(model, signature).observe(seconds)
        if facts.texts and status == 200:
            self.metrics.texts.labels(model, signature).inc(facts.texts)
        fields = {
            "request_id": number,
            "method": request.method,
            "path": request.url.path[:200],
            "status": status,
            "seconds": round(seconds, 6),
            **dataclasses.asdict(facts),
        }
        _LOG.info("request", extra={"fields": fields})

    async def _page(self, request, facts):
        page, headers = self.page
        return Response(page, headers=headers, media_type="text/html")

    async def _health(self, request, facts):
        is_ready = bool(self.store.names()) and not self.is_stopping
        status = "ok" if is_ready else "not ready"
        return _json({"status": status}, 200 if is_ready else 503)

    async def _metrics(self, request, facts):
        return Response(self.metrics.page(), media_type="text/plain; version=0.0.4")

    async def _models(self, request, facts):
        models = []
        for name in self.store.names():
            model = self.store.get(name)
            models.append(
                {
                    "name": name,
                    "versions": [
                        str(status.version)
                        for status in self.store.status(name)
                        if status.state == "AVAILABLE"
                    ],
                    "card": model.card,
                    "signatures": {
                        key: signature.to_config()
                        for key, signature in model.signatures.items()
                        if key != DEFAULT or not model.card
                    },
                }
            )
        return _json({"models": models})

    async def _about(self, request, facts):
        place = request.path_params["place"]
        is_metadata = place.endswith("/metadata")
        name, version = _name_and_version(place.removesuffix("/metadata"))
        if is_metadata:
            model = self.store.get(name, version)
            facts.model, facts.version = name, model.version
            return _json(metadata_of(name, model.version, model.signatures))
        statuses = self.store.status(name, version)
        facts.model = name
        return _json(status_of(statuses))

    async def _predict(self, request, facts):
        place, colon, verb = request.path_params["place"].rpartition(":")
        if not colon or verb != "predict":
            hint = "Only :predict takes requests here" if colon else "Expected :predict"
            raise HTTPException(400, f"{hint}, as /v1/models/NAME:predict.")
        model = self.store.get(*_name_and_version(place))
        facts.model, facts.version = model.name, model.version
        body = await self._body(request, facts)
        is_large = len(body) > _LARGE_BODY
        name, inputs, in_rows = await _maybe_in_thread(is_large, _parsed, body, model)
        facts.signature = name
        facts.texts = self._checked_size(inputs)
        outputs = await self._awaited(request, self.batcher.call(model, name, inputs))
        signature = model.signatures[name]
        is_large = is_large or facts.texts > _LARGE_ANSWER
        answer = await _maybe_in_thread(
            is_large, response_of, outputs, signature, in_rows
        )
        return Response(answer, media_type="application/json")

    async def _body(self, request, facts):
        """The body, read no further than it may be long."""
        most = self.limits.request_bytes
        declared = request.headers.get("content-length", "0")
        parts = []
        if not (declared.isascii() and declared.isdigit()) or int(declared) <= most:
            async for part in request.stream():
                facts.bytes += len(part)
                if facts.bytes > most:
                    break
                parts.append(part)
            else:
                return b"".join(parts)
        raise HTTPException(
            413, f"Expected a request of at most {most:,} bytes; it has more."
        )

    def _checked_size(self, inputs):
        """The number of texts; there may not be too many, nor too long ones."""
        columns = [x for x in inputs.values() if x.ndim]
        count = max((len(column) for column in columns), default=1)
        if count > self.limits.texts:
            raise HTTPException(
                413,
                f"Expected at most {self.limits.texts:,} texts in a request; got "
                f"{count:,}. Send them in several.",
            )
        longest = max(
            (len(x) for c in columns for x in c.flat if isinstance(x, bytes)), default=0
        )
        if longest > self.limits.text_bytes:
            raise HTTPException(
                413,
                f"Expected texts of at most {self.limits.text_bytes:,} bytes; one has "
                f"{longest:,}. Cut it into paragraphs.",
            )
        return count

    async def _awaited(self, request, coroutine):
        """The result; given up if the client hangs up or time runs out."""
        work = asyncio.ensure_future(coroutine)
        hang_up = asyncio.ensure_future(_hung_up(request))
        try:
            await asyncio.wait(
                (work, hang_up),
                timeout=self.limits.seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if work.done():
                return work.result()
            if hang_up.done():
                raise ClientDisconnect
            raise HTTPException(
                504,
                f"Expected an answer within {self.limits.seconds:g} seconds; the model "
                "took longer. Send fewer or shorter texts.",
            )
        finally:
            work.cancel()
            hang_up.cancel()


def read_page() -> tuple[bytes, dict[str, str]]:
    """The page with style and script in it, and headers that allow nothing else."""
    files = resources.files("kbert.server").joinpath("page")
    page, style, script = (
        files.joinpath(f"page.{kind}").read_text("utf-8")
        for kind in ("html", "css", "js")
    )
    page = page.replace("$style", style).replace("$script", script)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    headers = {"content-security-policy": policy, "referrer-policy": "no-referrer"}
    return page.encode("utf-8"), headers


def _hash(text):
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _parsed(body, model):
    """The function's name, its checked inputs, and whether they came as rows."""
    request = read_json(body)
    name = request.get("signature_name") or DEFAULT
    if not isinstance(name, str):
        raise ValueError('Expected a name in "signature_name".')
    if name not in model.signatures:
        model.checked(name, {})  # says which there are
    inputs = inputs_of(request, model.signatures[name])
    return name, model.checked(name, inputs), "instances" in request


async def _maybe_in_thread(is_large, function, *arguments):
    """Long work goes to a thread, so that others are answered meanwhile."""
    if is_large:
        return await asyncio.to_thread(function, *arguments)
    return function(*arguments)


async def _hung_up(request):
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return


def _name_and_version(place):
    """The name, and the version or None.

        >>> _name_and_version("nsmc/versions/3"), _name_and_version("nsmc")
        (('nsmc', 3), ('nsmc', None))

    Raises:
        HTTPException: the address is none of a model.
    """
    name, *rest = place.split("/")
    if not rest:
        return name, None
    if (
        len(rest) == 2
        and rest[0] == "versions"
        and re.fullmatch("[0-9]{1,18}", rest[1])
    ):
        return name, int(rest[1])
    if rest[0] == "labels":
        raise HTTPException(404, "Versions have no labels here: /versions/NUMBER.")
    raise HTTPException(404, "Expected /v1/models/NAME or /v1/models/NAME/versions/N.")


def _json(value, status=200):
    text = json.dumps(value, ensure_ascii=False)
    return Response(text, status, media_type="application/json")


def _error(status, message, headers=None):
    text = json.dumps({"error": str(message)}, ensure_ascii=False)
    return Response(text, status, headers, media_type="application/json")


def _http_error(request, error):
    """Of Starlette itself: no such address, another method."""
    return _error(error.status_code, error.detail, error.headers)
