"""What the server counts, for Prometheus."""

import prometheus_client as prometheus

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


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
