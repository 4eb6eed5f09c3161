"""The page at the metrics port: strict HTML, and what people see of it in a browser, where there is one."""

import html.parser
import re
import shutil
import subprocess
import urllib.request

import grpc
import pytest

from hearwire_server import PATIENCE, chirp, pb, pcm

# Debian's packages chromium-headless-shell and chromium. No part of scripts/setup: 100 MB, for one test.
BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")
VOID = {"meta", "br", "link", "img", "hr", "input"}


@pytest.fixture(scope="module")
def busy(server):
    """The server after ten calls, and one that has failed for a name which would be markup."""
    for _ in range(10):
        server.stub.GetTags(pb.GetTagsRequest(clips=[pcm(chirp(1.0))], top_k=1))
    with pytest.raises(grpc.RpcError):
        server.stub.GetTags(pb.GetTagsRequest(network="<b>mn</b>", clips=[pcm(chirp(1.0))]))
    return server


def read(server, path):
    with urllib.request.urlopen(f"http://{server.metrics_address}{path}", timeout=10 * PATIENCE) as reply:
        return reply.read().decode()


class Strict(html.parser.HTMLParser):
    """Every element is closed, in its turn, and no identifier is there twice."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.scripts = [], set(), []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            assert name != "src" and not name.startswith("on"), f"{tag} {name}={value}"
            if name == "id":
                assert value not in self.ids, f"{value} twice"
                self.ids.add(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)


def test_the_page_is_strict_html_and_whole(busy):
    page = Strict()
    page.feed(read(busy, "/"))
    page.close()
    assert page.open == []
    [script] = page.scripts
    assert set(re.findall(r'(?:show|rows|getElementById)\("(\w+)"', script)) == page.ids
    # What it draws is there.
    metrics = read(busy, "/metrics")
    for name in set(re.findall(r'"(hearwire_\w+|process_\w+)"', script)):
        assert re.search(rf"^{name}[ {{]", metrics, re.MULTILINE), name


@pytest.mark.skipif(BROWSER is None, reason="no chromium: apt install chromium-headless-shell")
def test_a_browser_shows_it(busy):
    command = [BROWSER, "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]
    ended = subprocess.run([*command, f"http://{busy.metrics_address}/"], capture_output=True, text=True,
                           timeout=120 * PATIENCE)
    assert ended.returncode == 0, ended.stderr
    shown = re.sub(r"<script>.*</script>|<style>.*</style>", "", ended.stdout, flags=re.DOTALL)
    assert '<span id="state" class="serving">serving</span>' in shown
    assert re.search(r'<span id="version">\d+\.\d+\.\d+</span>', shown)
    assert "<td>hearwire_mn01</td><td>native</td><td>cpu</td><td>float32</td>" in shown
    assert '<td>hearwire_mn01</td><td>GetTags</td><td class="number">10</td><td class="number">0</td>' in shown
    assert "Served: hearwire_mn01, hearwire_mn01_" in shown
    # Others' text is text.
    assert re.search(r"<td>GetTags</td><td>&lt;b&gt;mn&lt;/b&gt;</td><td>NOT_FOUND</td><td>[^<]*&lt;b&gt;", shown), shown
    assert re.search(r'<polyline id="line" points="\d+,', shown)
    assert re.search(r'<dd id="memory">\d+ MiB</dd>', shown)
    assert "Refused to" not in ended.stderr  # Nothing that its policy forbids.
