"""A results file, read: the newest line of each (table, row, role, name), in the order of the file."""
import json


def read(path):
    found = {}
    with open(path) as file:
        for text in file:
            line = json.loads(text)
            found[line["table"], line["row"], line["role"], line.get("name", "")] = line
    return found


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.3g}"
