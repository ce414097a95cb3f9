"""The closing line of tools/test, from JUnit files as ctest writes them."""

import pytest

import test_summary

PASSED = '<testcase name="a" status="run"><system-out>fine</system-out></testcase>'
FAILED = '<testcase name="b" status="fail"><failure message=""/><system-out>no</system-out></testcase>'
SKIPPED = '<testcase name="c" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out>begin\nno root\n</system-out></testcase>'
ABSENT = '<testcase name="d" status="notrun"><skipped message="Unable to find executable: x"/></testcase>'
DISABLED = '<testcase name="e" status="disabled"><skipped message="Disabled"/></testcase>'


@pytest.mark.parametrize(("cases", "code", "line"), [
    ([PASSED], 0, "1 passed, 0 failed"),
    ([PASSED, FAILED], 1, "failed: b\n1 passed, 1 failed"),
    ([PASSED, PASSED, SKIPPED], 0, "skipped: c: no root\n2 passed, 0 failed, 1 skipped"),
    ([PASSED, ABSENT], 1, "failed: d\n1 passed, 1 failed"),
    ([PASSED, DISABLED], 0, "skipped: e: it did not say why\n1 passed, 0 failed, 1 skipped"),
    ([SKIPPED], 1, "skipped: c: no root\n0 passed, 0 failed, 1 skipped"),
    ([], 1, "0 passed, 0 failed"),
])
def test_counts(tmp_path, capsys, cases, code, line):
    path = tmp_path / "junit.xml"
    path.write_text(f"<testsuite>{''.join(cases)}</testsuite>")
    assert test_summary.main(path) == code
    assert capsys.readouterr().out == line + "\n"


@pytest.mark.parametrize("content", [None, "<testsuite>"])
def test_no_results(tmp_path, capsys, content):
    path = tmp_path / "junit.xml"
    if content:
        path.write_text(content)
    assert test_summary.main(path) == 1
    assert "ctest left no results" in capsys.readouterr().err
