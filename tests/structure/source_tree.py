"""Reading C++ sources for the rules of this folder, and running a rule as a program.

A rule is a function from the root of a tree to a list of lines, each "file:line: what is wrong".
"""
import pathlib
import re
import sys
import tempfile

CPP = (".h", ".cpp", ".cu", ".cuh")

_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)


def cpp_files(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in CPP)


def code_lines(path):
    """(number, line) with comments and the insides of quotes blanked; #include lines are kept whole."""
    text = path.read_text(encoding="utf-8")
    includes = {i: line for i, line in enumerate(text.split("\n"), 1) if re.match(r"\s*#\s*include", line)}

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    for number, line in enumerate(_TOKENS.sub(blank, text).split("\n"), 1):
        yield number, includes.get(number, line)


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(rule, cases):
    """`cases`: (files of a planted tree, complaints that the rule must make of it)."""
    if sys.argv[1:] == ["--self-test"]:
        for files, expected in cases:
            with tempfile.TemporaryDirectory() as folder:
                root = pathlib.Path(folder)
                plant(root, files)
                found = rule(root)
            if found != expected:
                sys.exit("self-test: expected\n  {}\nfound\n  {}".format("\n  ".join(expected), "\n  ".join(found)))
        print(f"{len(cases)} planted trees judged as they should be")
        return
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} ROOT | --self-test")
    found = rule(pathlib.Path(sys.argv[1]))
    if found:
        sys.exit("\n".join(found))
    print("nothing to complain of")
