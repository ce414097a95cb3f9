"""Prints what a ctest JUnit file counts: each skipped test with its reason, each failed one, and the line "N passed, N failed".

A test that could not be run at all (ctest calls it skipped too) counts as failed; only what skipped itself is skipped.
"""

import sys
import xml.etree.ElementTree


def main(path):
    try:
        cases = list(xml.etree.ElementTree.parse(path).getroot().iter("testcase"))
    except (FileNotFoundError, xml.etree.ElementTree.ParseError) as error:
        print(f"error: {path}: ctest left no results ({error})", file=sys.stderr)
        return 1
    outcomes = {"passed": [], "failed": [], "skipped": []}
    for case in cases:
        outcomes[outcome(case)].append(case)
    for case in outcomes["skipped"]:
        print(f"skipped: {case.get('name')}: {reason(case)}")
    for case in outcomes["failed"]:
        print(f"failed: {case.get('name')}")
    line = f"{len(outcomes['passed'])} passed, {len(outcomes['failed'])} failed"
    print(line + (f", {len(outcomes['skipped'])} skipped" if outcomes["skipped"] else ""))
    return 1 if outcomes["failed"] or not outcomes["passed"] else 0


def outcome(case):
    if case.get("status") == "run":
        return "passed"
    skipped = case.find("skipped")
    if case.get("status") == "disabled" or (skipped is not None and skipped.get("message", "").startswith("SKIP_")):
        return "skipped"
    return "failed"


def reason(case):
    """The last line that the test printed."""
    lines = (case.findtext("system-out") or "").strip().splitlines()
    return lines[-1] if lines else "it did not say why"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
