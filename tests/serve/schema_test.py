"""schemathesis reads /openapi.json, makes requests from it that fit and that do not, and holds the answers against it."""
import os
import pathlib
import subprocess
import sys

from client_test import CLIENTS, pip
from serving import server, tokens_file

HERE = pathlib.Path(__file__).parent
# Left out: "positive data" of the schema may well be wrong for the model (the number of genes is the model's own), and a query
# that asks for nothing that a model knows is "negative data" to it.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth"
EXAMPLES = 15


def test_answers_are_as_described(tmp_path):
    folder = CLIENTS / f"schemathesis-py{sys.version_info[1]}"
    if not (folder / "whole").exists():
        pip("install", "--upgrade", "--target", folder, "-r", HERE / "schema_requirements.txt")
        (folder / "whole").touch()
    environment = {**os.environ, "PYTHONPATH": str(folder), "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)}
    with server(genes=20, hold=0.1, tokens=tokens_file(tmp_path / "tokens", ana="secret")) as one:
        done = subprocess.run([sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", f"{one.url}/openapi.json",
                               "--checks", CHECKS, "--max-examples", str(EXAMPLES), "--seed", "1", "--no-shrink", "--phases", "coverage,fuzzing",
                               "--header", "Authorization:Bearer secret", "--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off"],
                              env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=800)  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
        assert "0 failures" not in done.stdout and "passed" in done.stdout, done.stdout[-3000:]
        assert one.call("GET", "/healthz")[0] == 200
