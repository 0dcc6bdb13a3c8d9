"""`kbert serve`: the server, once its arguments are known to be right."""

from pathlib import Path

from kbert.checkpoints.hubs import is_handle
from kbert.commands.early_checks import UsageError, check_counts, check_number


def serve(
    models: str = "saved_models",
    host: str = "127.0.0.1",
    port: int = 8501,
    poll_seconds: float = 1.0,
    num_versions: int = 1,
    token_budget: int = 4096,
    max_waiting_texts: int = 8192,
    max_texts: int = 1024,
    max_text_bytes: int = 1048576,
    max_request_bytes: int = 16777216,
    timeout_seconds: float = 60.0,
) -> None:
    """Serve exported models over HTTP, with a page to try them.

    The API is TensorFlow Serving's REST API, so clients can move there unchanged; the
    page is at /, what Prometheus reads at /metrics, health at /healthz. Logs go to
    standard error, one JSON object a line unless that is a terminal; texts are never
    logged. SIGTERM and Ctrl-C let running requests end.

    Args:
        models: the directory of models (NAME/VERSION), of one model, or one version.
        host: the address to bind to. There is no authentication: another than loopback
            is for trusted networks, or behind a proxy.
        port: to listen at; 0 takes a free one.
        poll_seconds: how often to look for new versions.
        num_versions: kept of each model, the newest.
        token_budget: tokens run at once, padding counted: memory against throughput.
        max_waiting_texts: beyond which requests are turned away (503).
        max_texts: in one request.
        max_text_bytes: of one text.
        max_request_bytes: of a request's body.
        timeout_seconds: until a request is given up (504).

    Raises:
        FileNotFoundError: no such directory, or no model in it that can be loaded.
        ImportError: the server's packages are not installed.
        OSError: the port is taken.
    """
    check_number("port", port, least=0, most=65535)
    check_number("poll_seconds", poll_seconds, above=0)
    check_number("timeout_seconds", timeout_seconds, above=0)
    check_counts(
        num_versions=num_versions,
        token_budget=token_budget,
        max_waiting_texts=max_waiting_texts,
        max_texts=max_texts,
        max_text_bytes=max_text_bytes,
        max_request_bytes=max_request_bytes,
    )
    if is_handle(models):
        raise UsageError(
            f"Expected a directory of exported models; got the handle {models}. Export "
            f"it first: kbert export {models}"
        )
    if not Path(models).is_dir():
        raise FileNotFoundError(
            f"Expected a directory of models; {models} does not exist. kbert export "
            "makes one."
        )
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401

        from kbert.server.serve import Limits, run_server
    except ImportError as error:
        raise ImportError(
            f"Expected the packages of the server; {error.name} is not installed: "
            "pip install 'kbert[serve]'"
        ) from None
    run_server(
        models,
        host,
        port,
        Limits(max_request_bytes, max_texts, max_text_bytes, timeout_seconds),
        poll_seconds=poll_seconds,
        num_versions=num_versions,
        token_budget=token_budget,
        max_waiting_texts=max_waiting_texts,
    )
