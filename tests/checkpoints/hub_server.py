"""A hub of Hugging Face's make on this machine: its API, and what was asked of it."""

import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Repositories, as {"owner/name": {"config.json": b"…"}}, and the files served.

    Attributes:
        served: paths of the files that were downloaded, "owner/name/config.json".
        gated: names whose files are refused until terms are accepted.
    """

    def __init__(self, repositories: dict):
        self.repositories = repositories
        self.served = []
        self.gated = set()

    def files_of(self, name: str) -> list[str]:
        return [p.removeprefix(f"{name}/") for p in self.served if p.startswith(name)]


@contextlib.contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """The hub's address while the block runs."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(hub))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def handler_of(hub):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(is_head=True)

        def do_GET(self):
            self.answer(is_head=False)

        def answer(self, is_head):
            path = urllib.parse.unquote(urllib.parse.urlparse(self.path).path)
            parts = path.strip("/").split("/")
            if parts[:2] == ["api", "models"]:
                self.describe("/".join(parts[2:4]), parts[4:])
            else:
                owner, name, _, _, *file = parts
                self.give(f"{owner}/{name}", "/".join(file), is_head)

        def describe(self, name, asked):
            """What a revision is, or (asked "tree") its files."""
            kind, revision = asked or ("revision", "main")
            if name not in hub.repositories:
                self.refuse(404, "RepoNotFound")
                return
            if revision not in ("main", COMMIT):
                self.refuse(404, "RevisionNotFound")
                return
            files = hub.repositories[name].items()
            tree = [
                {"type": "file", "path": path, "size": len(content), "oid": COMMIT}
                for path, content in files
            ]
            siblings = [{"rfilename": path} for path, _ in files]
            about = {"id": name, "sha": COMMIT, "siblings": siblings}
            about = tree if kind == "tree" else about
            self.send(json.dumps(about).encode(), {})

        def give(self, name, file, is_head):
            content = hub.repositories.get(name, {}).get(file)
            if content is None:
                self.refuse(404, "EntryNotFound")
            elif name in hub.gated:
                self.refuse(403, "GatedRepo")
            else:
                if not is_head:
                    hub.served.append(f"{name}/{file}")
                about = {"ETag": f'"{hash((name, file)):x}"', "X-Repo-Commit": COMMIT}
                self.send(content, about, is_head)

        def send(self, content, headers, is_head=False):
            self.send_response(200)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if not is_head:
                self.wfile.write(content)

        def refuse(self, status, code):
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    return Handler
