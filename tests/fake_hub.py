"""A server on this machine that speaks what `huggingface_hub` needs to fetch a file, and can misbehave.

As on the real one, a large file is named by the SHA-256 of its content, and asking for it leads on to another host,
which may not be told who is logged in.
"""

import hashlib
import http.server
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BLOCK = 16384


@dataclass
class FakeHub:
    """What the server has, and how it behaves; may be changed while it runs.

    Attributes:
        files: Contents by repository and name, such as "owner/name/model.pth".
        commit: The version that it has.
        tag: What it says the content is; its SHA-256 when empty.
        size: What it says the size is; the truth when None.
        refusal: Status and error code with which it answers whatever it is asked.
        busy: How many more times it says that it is busy when it is asked for content.
        breaks: For each of the next requests for content, after how many bytes it hangs up.
        stalls: After how many bytes of one request it falls silent, until `release`; None for never.
        mute: What it never answers, until `release`: the method of the requests.
        ranges: Whether it gives parts of files.
        requests: What it was asked: method, path and headers.
    """

    files: dict = field(default_factory=dict)
    commit: str = COMMIT
    tag: str = ""
    size: int | None = None
    refusal: tuple = ()
    busy: int = 0
    breaks: list = field(default_factory=list)
    stalls: int | None = None
    mute: str = ""
    ranges: bool = True
    requests: list = field(default_factory=list)
    address: str = ""
    content_address: str = ""
    silent: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def release(self):
        """Let go of the requests that are kept waiting."""
        self.stalls, self.mute = None, ""
        self.released.set()

    def gotten(self):
        """Where each request for content began."""
        asked = [headers for method, path, headers in self.requests if method == "GET" and path.startswith("/content/")]
        return [int(headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-")) for headers in asked]


def _handler(hub):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self._answer()

        def do_GET(self):
            self._answer()

        def _answer(self):
            hub.requests.append((self.command, self.path, {name.title(): text for name, text in self.headers.items()}))
            if self.command == hub.mute:
                hub.silent.set()
                hub.released.wait(600)
            if hub.refusal:
                status, code = hub.refusal
                return self._head(status, {"Content-Length": "0"} | ({"X-Error-Code": code} if code else {}))
            if self.path.startswith("/content/"):
                return self._content(hub.files[self.path.removeprefix("/content/")])
            repo, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, file = rest.partition("/")
            if not any(name.startswith(f"{repo}/") for name in hub.files):
                return self._head(401, {"Content-Length": "0", "X-Error-Code": "RepoNotFound"})
            if revision not in ("main", hub.commit):
                return self._head(404, {"Content-Length": "0", "X-Error-Code": "RevisionNotFound"})
            if (content := hub.files.get(f"{repo}/{file}")) is None:
                return self._head(404, {"Content-Length": "0", "X-Error-Code": "EntryNotFound"})
            return self._head(
                302,
                {
                    "Location": f"{hub.content_address}/content/{repo}/{file}",
                    "X-Repo-Commit": hub.commit,
                    "X-Linked-Etag": f'"{hub.tag or hashlib.sha256(content).hexdigest()}"',
                    "X-Linked-Size": str(len(content) if hub.size is None else hub.size),
                    "Content-Length": "0",
                },
            )

        def _head(self, status, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def _content(self, content):
            if hub.busy:
                hub.busy -= 1
                return self._head(503, {"Content-Length": "0"})
            begin = 0
            asked = self.headers.get("Range")
            if asked and hub.ranges:
                begin = int(asked.removeprefix("bytes=").rstrip("-"))
            if begin >= len(content):
                return self._head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            headers = {"Content-Length": str(len(content) - begin), "Accept-Ranges": "bytes"}
            if begin:
                headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            self._head(206 if begin else 200, headers)
            ends = begin + hub.breaks.pop(0) if hub.breaks else len(content)
            for at in range(begin, ends, BLOCK):
                if hub.stalls is not None and at - begin >= hub.stalls:
                    hub.silent.set()
                    hub.released.wait(600)
                try:
                    self.wfile.write(content[at : min(at + BLOCK, ends)])
                except OSError:
                    break
            if ends < len(content):
                self.close_connection = True
            return None

    return Handler


@contextmanager
def serving(hub):
    """The server runs for the time of the block; its content comes from what is another host to whoever asks."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    hub.content_address = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.release()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def hub(monkeypatch):
    """A server that has nothing yet; whatever asks the Hugging Face Hub asks it."""
    pytest.importorskip("huggingface_hub")
    with serving(FakeHub()) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setattr("core.models.hub_server.PAUSE", 0.0)
        yield running
