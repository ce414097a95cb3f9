#!/usr/bin/env python3
"""Files are named by the one idea that they hold, lie in a known folder, and are short enough to read."""
import re

from source_tree import main

FORBIDDEN = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "managers", "types", "stuff"}
FOLDERS = {"src", "configs", "slurm", "tools", "tests", "benchmarks"}
LONGEST = 400  # lines
LONG = {
    "tests/mpi/step_test.cpp": "one world of ranks, one table of settings that N ranks must step through as one does",
}
PAGE = "src/serve/page/"  # what a browser loads
TEXTS = {".h", ".cpp", ".cu", ".cuh", ".py", ".sh", ".cmake", ".js", ".css", ".html", ""}


def ignored_folders(root):
    """Folders that .gitignore names at the top."""
    path = root / ".gitignore"
    lines = path.read_text().split() if path.exists() else []
    return {line.strip("/") for line in lines if line.endswith("/")}


def files_of(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def names(root):
    complaints = []
    ignored = ignored_folders(root)
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in FOLDERS | ignored:
            complaints.append(f"{entry.name}/: the top level holds {' '.join(sorted(FOLDERS))} and plain files")
    for folder in sorted(FOLDERS):
        for path in files_of(root / folder):
            place = path.relative_to(root).as_posix()
            words = [w for part in path.relative_to(root).parts for w in re.split(r"[._-]", part)]
            for word in FORBIDDEN.intersection(words):
                complaints.append(f"{place}: '{word}' names no idea")
            kinds = "html|css|js" if place.startswith(PAGE) else "h|cpp|cu|cuh"
            if folder == "src" and not re.fullmatch(rf"[a-z0-9_]+\.({kinds})|CMakeLists\.txt|README\.md", path.name):
                complaints.append(f"{place}: files of src are snake_case .{', .'.join(kinds.split('|'))}")
            if path.suffix not in TEXTS:
                continue
            lines = path.read_bytes().count(b"\n")
            if lines > LONGEST and place not in LONG:
                complaints.append(f"{place}: {lines} lines; over {LONGEST} needs a reason in tests/structure/names.py")
    for place, reason in LONG.items():
        if not (root / place).exists():
            complaints.append(f"{place}: excused in tests/structure/names.py ({reason}), but not there")
    return complaints


GOOD = {
    **{place: "\n" * 401 for place in LONG},
    "src/io/zip.h": "\n" * 400,
    "src/CMakeLists.txt": "",
    "src/serve/page/page.js": "\n" * 400,
    "tools/quickstart": "",
    "README.md": "",
    ".gitignore": "/build/\n",
    "build/utils.cpp": "",
    ".venv/lib/utils.py": "",
}
CASES = [
    (GOOD, []),
    ({**GOOD, "src/io/utils.cpp": ""}, ["src/io/utils.cpp: 'utils' names no idea"]),
    ({**GOOD, "tests/test_common.py": ""}, ["tests/test_common.py: 'common' names no idea"]),
    ({**GOOD, "tools/helpers/x.py": ""}, ["tools/helpers/x.py: 'helpers' names no idea"]),
    ({**GOOD, "src/serve/page.js": ""}, ["src/serve/page.js: files of src are snake_case .h, .cpp, .cu, .cuh"]),
    ({**GOOD, "src/io/Zip.cpp": ""}, ["src/io/Zip.cpp: files of src are snake_case .h, .cpp, .cu, .cuh"]),
    (
        {**GOOD, "src/io/zip.h": "\n" * 401},
        ["src/io/zip.h: 401 lines; over 400 needs a reason in tests/structure/names.py"],
    ),
    (
        {**GOOD, "docs/x.md": ""},
        ["docs/: the top level holds benchmarks configs slurm src tests tools and plain files"],
    ),
]

if __name__ == "__main__":
    main(names, CASES)
