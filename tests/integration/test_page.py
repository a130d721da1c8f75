"""The page in a real browser, over a real ``skyshard serve``: signed in, watched, used by keyboard, on a phone."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from tests.support.brought_tables import bring, columns
from tests.support.browser import Browser, chromium, open_browser
from tests.support.served import Served, served

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.registry.access.tokens import Scope
from skyshard.testbed import Testbed

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="needs a browser: apt-get install chromium"),
]

DATABASE = "user_page"
OBJECTS = "".join(f"{n},{(359.5 + n % 20 / 20) % 360:.2f},{n % 40 / 40 - 0.5:.3f}\n" for n in range(1, 2001))
PLACE = {
    "is_partitioned": "1", "is_director": "1", "longitude_col_name": "ra", "latitude_col_name": "decl",
    "id_col_name": "objectId",
}  # fmt: skip
TYPES = columns(objectId="BIGINT", ra="DOUBLE", decl="DOUBLE")
MARK = "<img src=x onerror=alert(1)>"
"""What would be an image, were it no text."""
SUM = " + ".join(f"CRC32(REPEAT({n}, 100000 + objectId % 7))" for n in range(200))
SLOW = f"SELECT '{MARK}' AS mark, {SUM} AS slow FROM Object"
"""Some hundredths of a second a row."""
ENTER = ("Enter", 13)
WORKLOAD = f"""
version: 1
name: watched
description: One statement again and again.
database: {DATABASE}
seed: 1
check_answers: false
phases:
  - name: steady
    classes:
      - class: FTSObj
        templates: [watched]
        arrivals: {{loop: closed, clients: 1, think_time_s: 0.1}}
        count: 100000
"""
TEMPLATE = """-- class: FTSObj
-- description: All rows, counted where they are
-- why: to be watched
SELECT COUNT(*) FROM Object WHERE decl < 1
"""


@pytest.fixture(scope="module")
def token(own_cluster: PrivateCluster) -> Iterator[str]:
    with Testbed(own_cluster.folder) as testbed:
        yield testbed.registry.tokens.create("page", Scope.ADMIN)
        testbed.registry.tokens.revoke("page")


@pytest.fixture(scope="module")
def server(own_cluster: PrivateCluster) -> Iterator[Served]:
    with served(own_cluster.folder, "--http", "127.0.0.1:0") as made:
        yield made


@pytest.fixture(scope="module")
def client(server: Served, token: str) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=server.doors["http"].rstrip("/"), timeout=120, headers=headers) as made:
        try:
            yield made
        finally:
            if server.process.poll() is None:
                made.delete(f"/ingest/database/{DATABASE}?version=55")


@pytest.fixture(scope="module")
def browser(server: Served, token: str) -> Iterator[Browser]:
    """Signed in, after a wrong token was refused."""
    with open_browser() as made:
        made.look(1100, 900)
        made.open(f"{server.doors['http']}ui/")
        for word in ("wrong", token):
            made.wait_for("document.querySelector('input[name=token]')")
            made.evaluate(f"document.querySelector('input[name=token]').value = '{word}'")
            made.leave_by("document.querySelector('form button').click()")
            if word == "wrong":
                made.wait_for("location.search === '?wrong' && !document.getElementById('wrong').hidden")
        made.wait_for("document.getElementById('link')?.dataset.kind === 'live'")
        yield made


@pytest.fixture(scope="module")
def catalog(client: httpx.Client) -> None:
    """There, also where a test runs alone: the first test brings it under the page's eyes."""
    if client.get(f"/ui/data/sky/{DATABASE}/Object").status_code != 200:
        assert bring(client, DATABASE, "Object", TYPES, OBJECTS, **PLACE) == ""


def shown(browser: Browser, section: str, *words: str) -> None:
    """Wait until a section says all of the words."""
    for word in words:
        browser.wait_for(f"document.getElementById({section!r}).innerText.includes({word!r})")


def test_an_ingest_is_seen_without_reading_the_page_again(browser: Browser, client: httpx.Client) -> None:
    """The catalog with its rows, its chunks on the map, the transaction, and the next one, which fails, with why."""
    shown(browser, "nodes", "node1", "node2", "active")
    browser.evaluate("window.isSamePage = true")
    assert bring(client, DATABASE, "Object", TYPES, OBJECTS, **PLACE) == ""
    shown(browser, "catalogs", DATABASE, "2\u202f000")
    shown(browser, "ingest", DATABASE, "finished")
    browser.wait_for(f"[...document.getElementById('sky-table').options].some(o => o.value === '{DATABASE}.Object')")
    browser.evaluate(f"""(() => {{
        const choice = document.getElementById('sky-table');
        choice.value = '{DATABASE}.Object';
        choice.dispatchEvent(new Event('change'));
        document.getElementById('sky-map').focus();
    }})()""")
    shown(browser, "sky", "2\u202f000 rows", "0 out of reach")
    browser.press("ArrowRight", 39)
    shown(browser, "sky", "right ascension")
    assert "no number" in bring(client, DATABASE, "Bad", TYPES, "1,10.0,0.5\n2,no number,0.5\n", **PLACE)
    shown(browser, "ingest", "aborted", "no number")
    assert browser.evaluate("window.isSamePage")
    assert browser.faults == []


@pytest.mark.usefixtures("catalog")
def test_queries_are_watched_and_stopped_by_keyboard(browser: Browser, client: httpx.Client) -> None:
    """One that was submitted and one that is answered at once; both end on the servers, and their clients know."""
    asked = {"query": SLOW, "database": DATABASE}
    number = client.post("/query-async?version=55", json=asked).json()["queryId"]
    answers: list[str] = []
    reader = threading.Thread(target=lambda: answers.append(client.post("/query?version=55", json=asked).text))
    reader.start()
    shown(browser, "running", f"query {number}", "answered at once", "chunks", MARK)
    assert not browser.evaluate("!!document.querySelector('main img')")
    for _ in range(2):
        before = browser.evaluate("document.querySelectorAll('#running article').length")
        browser.wait_for("(document.querySelector('#running button.stop:enabled')?.focus(), "
                         "document.activeElement.matches('#running button.stop'))")  # fmt: skip
        browser.press(*ENTER)
        browser.wait_for(f"document.querySelectorAll('#running article').length < {before}")
    reader.join()
    assert "cancelled" in answers[0]
    assert client.get(f"/query-async/status/{number}?version=55").json()["status"]["status"] == "ABORTED"
    shown(browser, "said", "was stopped")
    shown(browser, "running", "Nothing runs")
    assert browser.faults == []


@pytest.mark.usefixtures("catalog")
def test_the_history_is_searched_and_each_query_has_a_page(browser: Browser, client: httpx.Client) -> None:
    """By state and text; the address keeps it; the query's page has statement, plan and story."""
    asked = {"query": SLOW, "database": DATABASE}
    number = client.post("/query-async?version=55", json=asked).json()["queryId"]
    assert client.delete(f"/query-async/{number}?version=55").json()["success"] == 1
    found = client.get("/ui/data/history", params={"state": "cancelled", "text": "crc32(repeat(7,"}).json()["queries"]
    assert {one["state"] for one in found} == {"cancelled"}
    assert found[0]["number"] == number
    after = {"state": "cancelled", "below": str(number)}
    assert all(one["number"] < number for one in client.get("/ui/data/history", params=after).json()["queries"])
    for nothing in ({"text": "100%_"}, {"database": "user_pag_"}, {"since": "2999-01-01"}, {"until": "1999-01-01"}):
        assert client.get("/ui/data/history", params=nothing).json()["queries"] == []
    browser.evaluate("""(() => {
        const form = document.querySelector('#history form');
        form.elements.state.value = 'cancelled';
        form.elements.text.value = 'Crc32';
        form.requestSubmit();
    })()""")
    browser.wait_for("location.search === '?state=cancelled&text=Crc32'")
    link = f"document.querySelector('#history tbody a[href=\"query/{number}\"]')"
    browser.wait_for(link)
    browser.leave_by(f"{link}.click()")
    browser.wait_for(f"document.title === 'query {number} · Skyshard'")
    shown(browser, "main", "cancelled", "CRC32(REPEAT(0", "chunk statements", "interactive")
    assert browser.faults == []
    browser.leave_by("history.back()")
    browser.wait_for("document.querySelector('#history select')?.value === 'cancelled'")


@pytest.mark.usefixtures("catalog")
def test_a_benchmark_of_another_process_is_shown_until_that_is_gone(
    browser: Browser, own_cluster: PrivateCluster, tmp_path: Path
) -> None:
    """What is asked, of whom, how much of it is done, how long the last ones took; nothing is left of one that was
    killed, though its file is."""
    file = tmp_path / "queries" / "workloads" / "watched.yaml"
    template = tmp_path / "queries" / "sql" / "FTSObj" / "watched.sql"
    for path, text in ((file, WORKLOAD), (template, TEMPLATE)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert browser.evaluate("document.getElementById('benchmarks').hidden")
    words = ["bench", "run", str(file), "--out", str(tmp_path / "trial"), "--cluster", str(own_cluster.folder)]
    with (tmp_path / "said.txt").open("w") as said:
        process = subprocess.Popen([sys.executable, "-m", "skyshard.cli.app", *words], stdout=said, stderr=said)
    try:
        shown(browser, "benchmarks", "watched", "czar", DATABASE, "phase steady", "of 100\u202f000 queries", "FTSObj")
        done = "Number(document.querySelector('#benchmarks progress').value)"
        before = browser.evaluate(done)
        browser.wait_for(f"{done} > {before}")
        assert browser.faults == []
    finally:
        process.kill()
        process.wait()
    browser.wait_for("document.getElementById('benchmarks').hidden")
    assert len(list((own_cluster.folder / "bench").iterdir())) == 1


@pytest.mark.usefixtures("catalog")
def test_phone_and_screen_reader_get_all_of_it(browser: Browser) -> None:
    """Nothing is wider than 320 pixels; all that can be used has a name; each part of the page is a landmark."""
    browser.wait_for("document.getElementById('link')?.dataset.kind === 'live'")
    browser.look(320, 800, "dark")
    shown(browser, "catalogs", DATABASE)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 320
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    used = [one for one in nodes if one.get("role", {}).get("value") in ("button", "link", "combobox", "searchbox")]
    assert len(used) > 10
    assert [one for one in used if not one.get("name", {}).get("value")] == []
    roles = {one.get("role", {}).get("value") for one in nodes}
    assert {"banner", "navigation", "main", "region", "search", "status", "table", "heading"} <= roles


def test_a_lost_connection_is_said_and_the_process_ends_meanwhile(browser: Browser, server: Served) -> None:
    """A page that is open keeps nobody from ending."""
    assert server.end(signal.SIGTERM) == 0
    browser.wait_for("document.getElementById('link').dataset.kind === 'lost'")
