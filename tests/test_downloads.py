"""Downloads over a real connection to this machine that breaks: what came is kept, the rest is fetched, and nothing wrong is ever put in place."""

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from utils import data_loaders
from utils.data_loaders import download
from utils.downloads import CHUNK, part_of
from utils.errors import DLFSError

CONTENT = np.random.default_rng(0).bytes(5 * CHUNK + 123)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves server.content, from where a Range says; ends after server.bytes_until_break bytes of it, as a broken connection does."""

    def do_GET(self):
        content, start = self.server.content, 0
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        if asked and self.server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start : start + self.server.bytes_until_break])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A web server on this machine, with what it serves and was asked for."""
    monkeypatch.setattr(data_loaders, "cache_folder", lambda: tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.ranges, server.status, server.asked = CONTENT, True, 200, []
        server.bytes_until_break = len(CONTENT)
        thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01))
        thread.start()
        server.url = f"http://127.0.0.1:{server.server_port}/set/file.gz"
        yield server
        server.shutdown()
        thread.join()


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("ranges", [True, False], ids=["goes-on", "server-begins-anew"])
def test_a_broken_download_goes_on(server, tmp_path, ranges):
    server.ranges, server.bytes_until_break = ranges, 3 * CHUNK + 7
    path = tmp_path / "set" / "file.gz"
    with pytest.raises(
        DLFSError, match=r"^no set/file.gz in DLFS_DATA .*\(the connection broke\)\. 0\.2 MiB are kept: the same"
    ):
        download(server.url, SHA256, path)
    assert files(tmp_path) == ["file.gz.part"]
    kept = part_of(path).read_bytes()
    assert CONTENT.startswith(kept) and len(kept) >= 3 * CHUNK
    server.bytes_until_break = len(CONTENT)
    assert download(server.url, SHA256, path).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={len(kept)}-"]
    assert files(tmp_path) == ["file.gz"]


def test_a_download_that_breaks_again_and_again_arrives(server, tmp_path):
    server.bytes_until_break = 2 * CHUNK
    path = tmp_path / "file.gz"
    for _ in range(2):
        with pytest.raises(DLFSError, match="are kept"):
            download(server.url, SHA256, path)
    assert download(server.url, SHA256, path).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={2 * CHUNK}-", f"bytes={4 * CHUNK}-"]


def test_a_whole_part_is_put_in_place(server, tmp_path):
    """The process was ended between the last byte and the renaming."""
    path = tmp_path / "file.gz"
    part_of(path).write_bytes(CONTENT)
    assert download(server.url, SHA256, path).read_bytes() == CONTENT
    assert files(tmp_path) == ["file.gz"]


@pytest.mark.parametrize("length", [CHUNK, len(CONTENT), len(CONTENT) + 9], ids=["shorter", "as-long", "longer"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
def test_a_part_of_another_file_is_never_put_in_place(server, tmp_path, length, ranges):
    server.ranges = ranges
    path = tmp_path / "file.gz"
    part_of(path).write_bytes(bytes(length))
    if ranges:
        with pytest.raises(
            DLFSError, match="is not the original: its sha256 is not .* It was thrown away; the same command"
        ):
            download(server.url, SHA256, path)
        assert files(tmp_path) == []
    assert download(server.url, SHA256, path).read_bytes() == CONTENT  # the same command again, as the message says
    assert files(tmp_path) == ["file.gz"]


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_server_that_refuses_leaves_the_part_as_it_is(server, tmp_path, status):
    server.status = status
    path = tmp_path / "file.gz"
    with pytest.raises(DLFSError, match=rf"\({status} .*\)\. Works offline"):
        download(server.url, SHA256, path)
    assert files(tmp_path) == []
    part_of(path).write_bytes(CONTENT[:CHUNK])
    with pytest.raises(DLFSError, match=rf"\({status} .*\)\. 0\.1 MiB are kept"):
        download(server.url, SHA256, path)
    assert part_of(path).read_bytes() == CONTENT[:CHUNK]


def test_two_at_once_do_not_disturb_each_other(server, tmp_path):
    """One goes on where the other is writing: the same bytes at the same places."""
    path, other = tmp_path / "file.gz", tmp_path / "other"
    part_of(path).write_bytes(CONTENT[:CHUNK])
    os.link(part_of(path), part_of(other))  # one file under two names, so that each can be moved
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda place: download(server.url, SHA256, place).read_bytes(), (path, other)))
    assert found == [CONTENT, CONTENT]
