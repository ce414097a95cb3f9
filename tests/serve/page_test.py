"""The page at "/" in a headless Chromium."""
import base64
import json
import os
import pathlib

from browser import browser, needs_chromium
from serving import server, tokens_file

pytestmark = needs_chromium
GENES = 60


def table(genes_down):
    names = ["a", "b", "c"]
    rows = [[f"GENE{g}", *(str((g * (s + 2)) % 5) for s in range(3))] for g in range(0, GENES, 2)]
    rows = [["gene", *names], *rows]
    if not genes_down:
        rows = list(map(list, zip(*rows)))
    return "\n".join(",".join(row) for row in rows)


def test_a_dropped_table_is_answered(tmp_path):
    tokens = tokens_file(tmp_path / "tokens", ana="secret")
    with server(genes=GENES, tokens=tokens) as one, browser(tmp_path / "profile") as page:
        page.open(one.url + "/")
        page.run("new Promise(done => setTimeout(done, 300))")
        assert "token" in page.text("error")
        page.run("document.getElementById('token').value = 'secret'; document.getElementById('error').textContent = ''; models()")
        answers = []
        for genes_down in (True, False):
            page.run(f"take(new File([{json.dumps(table(genes_down))}], 'x.csv'))")
            assert page.text("error") == ""
            assert f"30 of the model's {GENES} genes" in page.text("state")
            answers.append(page.run("document.getElementById('answer').innerText"))
            assert page.run("document.querySelectorAll('#answer tbody tr').length") == 3
        assert answers[0] == answers[1] and "CL:" in answers[0] and "75 %" in answers[0]
        assert page.run("document.querySelectorAll('#answer circle title').length") == 3
        colours = "new Set([...document.querySelectorAll('#answer .plot > svg circle')].map(c => c.getAttribute('fill'))).size"
        before = page.run(colours)
        page.run("document.getElementById('colour').value = 'p:sex'; document.getElementById('colour').onchange()")
        assert 1 <= page.run(colours) <= 2 and before >= 1
        page.run("""const given = new DataTransfer(); given.items.add(new File(["gene,dropped\\nGENE1,3\\nGENE2,4"], "x.csv"));
            document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: given, bubbles: true, cancelable: true}))""")
        page.run("new Promise(done => (function look() { document.querySelectorAll('#answer tbody tr').length === 1 ? done() : setTimeout(look, 10) })())")
        assert page.run("document.querySelector('#answer td').textContent") == "dropped"
        picture = page.ask("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(os.environ.get("CELLMILL_PICTURE") or tmp_path / "page.png").write_bytes(base64.b64decode(picture))
        page.run("take(new File(['gene,a\\nGENE1,-3\\nGENE2,4'], 'x.csv'))")
        assert "inputs[0].counts[1]: must be a whole number" in page.text("error")
        page.run("take(new File(['gene,a\\nGENE1,3\\nGENE1,4\\nGENE2,4'], 'x.csv'))")
        assert "2 of the model's" in page.text("state") and page.text("error") == ""
        page.run("take(new File(['gene,a\\nother,3\\nthing,4'], 'x.csv'))")
        assert "No gene name" in page.text("error") and "found other, thing" in page.text("error")
        page.run("take(new File([''], 'x.csv'))")
        assert "names in its first line" in page.text("error")


def test_the_page_loads_nothing_else_and_runs_no_script_of_others(tmp_path):
    with server(genes=GENES) as one, browser(tmp_path / "profile") as page:
        for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript"), ("/bytes.js", "text/javascript"), ("/hdf5.js", "text/javascript"), ("/h5ad.js", "text/javascript")):
            status, headers, _ = one.call("GET", path)
            assert status == 200 and headers["Content-Type"].startswith(kind)
            assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
        page.open(one.url + "/")
        assert page.run("[...document.styleSheets].length") == 1
        page.run("window.bad = 0; const s = document.createElement('script'); s.textContent = 'window.bad = 1'; document.head.append(s)")
        assert page.run("window.bad") == 0
        assert one.call("GET", "/page.cpp")[0] == 404 and one.call("POST", "/page.js")[0] == 405
