"""What the server tells of itself: its log, and what it counts for Prometheus.

The log is one JSON object a line, or a short line at a terminal.
"""

import datetime
import json
import logging
import sys
import traceback

import prometheus_client as prometheus

LOGGER = "kbert.serving"
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class JsonLines(logging.Formatter):
    """time, level, message, and the fields of the record; never a text of a user."""

    def format(self, record):
        when = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        line = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class ShortLines(logging.Formatter):
    """message key=value …, for people."""

    def format(self, record):
        fields = getattr(record, "fields", {})
        shown = " ".join(
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in fields.items()
            if value is not None
        )
        line = f"{record.levelname.lower()}: {record.getMessage()} {shown}".rstrip()
        if record.exc_info:
            line += "\n" + "".join(traceback.format_exception(*record.exc_info))
        return line


def start_log(stream=None) -> None:
    """Logs of the server and of uvicorn to a stream, by default standard error."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ShortLines() if stream.isatty() else JsonLines())
    for name in (LOGGER, "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO if name == LOGGER else logging.WARNING)


class ServerMetrics:
    """Counters and histograms of one server, in a registry of its own.

    Args:
        waiting_rows: gives the number of texts that wait.
        versions: gives (model, version) of all that are loaded.
    """

    def __init__(self, waiting_rows, versions):
        self.registry = prometheus.CollectorRegistry()
        mine = {"registry": self.registry}
        self.requests = prometheus.Counter(
            "kbert_requests", "Requests.", ("model", "signature", "status"), **mine
        )
        self.seconds = prometheus.Histogram(
            "kbert_request_seconds",
            "From the request's head to the end of its answer.",
            ("model", "signature"),
            buckets=_SECONDS,
            **mine,
        )
        self.texts = prometheus.Counter(
            "kbert_texts", "Texts answered.", ("model", "signature"), **mine
        )
        self.request_bytes = prometheus.Counter(
            "kbert_request_bytes", "Bytes of the bodies of requests.", **mine
        )
        self.batch_rows = prometheus.Histogram(
            "kbert_batch_rows", "Texts run together.", buckets=_ROWS, **mine
        )
        self.batch_seconds = prometheus.Histogram(
            "kbert_batch_seconds", "Of one run.", buckets=_SECONDS, **mine
        )
        self.tokens = prometheus.Counter(
            "kbert_batch_tokens",
            "Tokens run, as estimated; padding is what rows are filled up with.",
            ("kind",),
            **mine,
        )
        prometheus.Gauge("kbert_waiting_texts", "Not yet run.", **mine).set_function(
            waiting_rows
        )
        self._loaded = prometheus.Gauge(
            "kbert_model_version_loaded", "1 if it is.", ("model", "version"), **mine
        )
        self._versions = versions

    def batch(self, rows: int, tokens: int, padding: int, seconds: float) -> None:
        """What a `Batcher` tells of a run."""
        self.batch_rows.observe(rows)
        self.batch_seconds.observe(seconds)
        self.tokens.labels("text").inc(tokens)
        self.tokens.labels("padding").inc(padding)

    def page(self) -> bytes:
        """All of it in Prometheus' text format."""
        self._loaded.clear()
        for model, version in self._versions():
            self._loaded.labels(model, str(version)).set(1)
        return prometheus.generate_latest(self.registry)
