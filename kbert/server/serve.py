"""A server of models behind HTTP, on one machine, until it is told to stop."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from kbert.server.rest import Limits
from kbert.server.telemetry import start_log

_GRACE_SECONDS = 10  # for what runs when the server is told to stop
# Of one version, of one model, of several.
_GRAPHS = ("saved_model.pb", "*/saved_model.pb", "*/*/saved_model.pb")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def run_server(
    models: str,
    host: str,
    port: int,
    limits: Limits,
    poll_seconds: float = 1.0,
    num_versions: int = 1,
    token_budget: int = 4096,
    max_waiting_texts: int = 8192,
) -> None:
    """Serves models until a signal; the port is bound before TensorFlow is imported.

    Args:
        models: the directory of models (NAME/VERSION), of one model, or one version.
        host: the address to bind to.
        port: to listen at; 0 takes a free one.
        limits: of a request.
        poll_seconds: how often to look for new versions.
        num_versions: kept of each model, the newest.
        token_budget: tokens run at once, padding counted.
        max_waiting_texts: beyond which requests are turned away (503).

    Raises:
        FileNotFoundError: no such directory, or no model in it that can be loaded.
        OSError: the port is taken.
    """
    listening = _listen(host, port)
    try:
        if not any(next(Path(models).glob(graph), None) for graph in _GRAPHS):
            raise _nothing_to_serve(models)
        from kbert.server.app import create_app
        from kbert.server.model_store import ModelStore

        store = ModelStore(models, poll_seconds, num_versions)
        start_log()
        store.refresh()
        if not store.names():
            raise _nothing_to_serve(models)
        app = create_app(store, token_budget, max_waiting_texts, limits)
        _say(store, host, listening.getsockname()[1])
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        _run(_until_told(uvicorn.Server(config), listening))
    finally:
        listening.close()


def _nothing_to_serve(models):
    return FileNotFoundError(
        f"Expected NAME/VERSION/saved_model.pb in {models}; found no model that can be "
        "loaded. kbert export makes one."
    )


def _run(coroutine):
    """In the faster event loop, where there is one: not on Windows."""
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    run(coroutine)


def _listen(host, port):
    """A socket that is bound: an error is told before models are loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's algorithm, which costs 40 ms, where it sees TCP named.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise OSError(
            f"Expected to listen at {host}:{port}; {error.strerror}. Choose another "
            "with --port, or --port 0 for a free one."
        ) from None
    return listening


async def _until_told(server, listening):
    """Runs the server until a signal; then it is a clean end, and no failure."""
    # uvicorn would raise the signal once more when it is done.
    server.capture_signals = contextlib.nullcontext
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    await server.serve(sockets=[listening])


def _say(store, host, port):
    """What is served, where, and a line to try it with."""
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    for name in store.names():
        model = store.get(name)
        own = model.card.get("default_signature", "")
        print(f"{name} version {model.version} {own}".rstrip(), file=sys.stderr)
    print(f"Page: {url}/", file=sys.stderr)
    example = next((n for n in store.names() if store.get(n).card), None)
    if example:
        card = store.get(example).card
        needed = card["signatures"][card["default_signature"]]["inputs"]
        inputs = {
            name: [
                "영화를 봤다. [MASK]"
                if "[MASK]" in tensor["meaning"]
                else "영화를 봤다."
            ]
            for name, tensor in needed.items()
            if "default" not in tensor
        }
        body = json.dumps({"inputs": inputs}, ensure_ascii=False)
        print(f"curl {url}/v1/models/{example}:predict -d '{body}'", file=sys.stderr)
    if host not in _LOOPBACK:
        print(
            f"Warning: {host} can be reached from other machines, and nobody is asked "
            "who they are.",
            file=sys.stderr,
        )
