#!/usr/bin/env python3
"""A directory of src includes only itself and the directories on its own line of src/CMakeLists.txt.

That file is the diagram: cellmill_library(NAME DEPENDS a b USES ...). What a dependency depends on
must be named too.
"""
import re

from source_tree import code_lines, cpp_files, main


def allowed_includes(cmake):
    allowed = {}
    for name, rest in re.findall(r"^cellmill_library\((\w+)([^)]*)\)", cmake, re.MULTILINE):
        depends = re.search(r"\bDEPENDS\b(.*?)(?:\bUSES\b|$)", rest, re.DOTALL)
        allowed[name] = set(depends.group(1).split()) if depends else set()
    return allowed


def cycle(allowed):
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name):] + [name]
        if name in done:
            return None
        path.append(name)
        for below in sorted(allowed.get(name, ())):
            found = visit(below)
            if found:
                return found
        done.add(path.pop())
        return None

    for name in sorted(allowed):
        found = visit(name)
        if found:
            return found
    return None


def layering(root):
    source = root / "src"
    allowed = allowed_includes((source / "CMakeLists.txt").read_text())
    complaints = []
    found = cycle(allowed)
    if found:
        complaints.append("src/CMakeLists.txt: a cycle: " + " -> ".join(found))
    for path in cpp_files(source):
        place = path.relative_to(root).as_posix()
        home = path.relative_to(source).parts[0]
        if home not in allowed:
            complaints.append(f"{place}: src/CMakeLists.txt has no line for {home}")
            continue
        for number, line in code_lines(path):
            match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if not match:
                continue
            quote, included = match.groups()
            to = included.split("/")[0] if "/" in included else ""
            if quote == "<":
                if to in allowed and (source / included).exists():
                    complaints.append(f'{place}:{number}: ours is included as "{included}"')
            elif to not in allowed:
                complaints.append(f'{place}:{number}: "{included}" does not begin with a directory of src')
            elif not (source / included).exists():
                complaints.append(f"{place}:{number}: there is no src/{included}")
            elif to != home and to not in allowed[home]:
                line = " ".join(sorted(allowed[home])) or "nothing"
                complaints.append(f"{place}:{number}: {home} may not include {included} (it may: {line})")
    return complaints


CMAKE = """cellmill_library(base     USES spdlog)
cellmill_library(io   DEPENDS base  USES hdf5)
cellmill_library(data DEPENDS io)
cellmill_library(app  DEPENDS data)
"""
GOOD = {
    "src/CMakeLists.txt": CMAKE,
    "src/base/log.h": "#include <string>\n",
    "src/io/file.h": '#include "base/log.h"\n',
    "src/data/a.h": '#include "data/b.h"\n#include "io/file.h"\n// #include "base/log.h"\n',
    "src/data/b.h": "",
    "src/app/main.cpp": '#include "data/a.h"\n',
}
CASES = [
    (GOOD, []),
    (
        {**GOOD, "src/data/b.h": '#include "base/log.h"\n'},
        ["src/data/b.h:1: data may not include base/log.h (it may: io)"],
    ),
    (
        {**GOOD, "src/base/log.h": '\n#include "data/b.h"\n'},
        ["src/base/log.h:2: base may not include data/b.h (it may: nothing)"],
    ),
    ({**GOOD, "src/app/x.h": '#include "io/file.h"\n'}, ["src/app/x.h:1: app may not include io/file.h (it may: data)"]),
    ({**GOOD, "src/io/x.h": "#include <base/log.h>\n"}, ['src/io/x.h:1: ours is included as "base/log.h"']),
    ({**GOOD, "src/io/x.h": '#include "file.h"\n'}, ['src/io/x.h:1: "file.h" does not begin with a directory of src']),
    ({**GOOD, "src/io/x.h": '#include "io/none.h"\n'}, ["src/io/x.h:1: there is no src/io/none.h"]),
    ({**GOOD, "src/stray/x.h": ""}, ["src/stray/x.h: src/CMakeLists.txt has no line for stray"]),
    (
        {**GOOD, "src/CMakeLists.txt": CMAKE.replace("(base ", "(base DEPENDS data ")},
        ["src/CMakeLists.txt: a cycle: data -> io -> base -> data"],
    ),
]

if __name__ == "__main__":
    main(layering, CASES)
