"""What was mapped how, what is ambiguous and what is left: report.json, report.txt, and undecided.yaml to be filled in by a person."""

import json

from harmonization import answers, schema, terms

FORMAT = "cellmill-harmonization-1"
_STATUSES = ("mapped", "ambiguous", "left", "missing")


def content(inputs, plan, mapped_rows, disagreements, decisions):
    """The object of report.json. `inputs`: [{"file", "rows", "xxh3"}]; `mapped_rows`: {field: rows}."""
    used = {name for field in plan.sources for name in schema.fields()[field].ontologies}
    return {
        "format": FORMAT,
        "versions": terms.versions(used),
        "accepted_from_confidence": answers.ACCEPT,
        "inputs": inputs,
        "columns": {column.name: _column(column) for columns in plan.sources.values() for column in columns}
        | {name: {"field": None, "why": why} for name, why in plan.others.items()},
        "fields": {field: {"rows_mapped": mapped_rows[field], "values": _values(plan, field)} for field in plan.sources},
        "disagreements": [{"field": field, "column": key[0], "says": key[1], "other_column": key[2], "other_says": key[3], "rows": rows}
                          for field, counts in disagreements.items() for key, rows in counts.most_common()],
        "unused_decisions": decisions.unused,
    }


def _column(column):
    entry = {"field": column.field, "role": column.role, "confidence": column.confidence, "how": column.how}
    return entry | ({"unit": column.unit} if column.unit else {})


def _values(plan, field):
    entries = []
    for column in plan.sources[field]:
        for (text, unit), rows in plan.texts.get(column.name, {}).most_common():
            answer = plan.answers[column.name][text, unit]
            entries.append({
                "column": column.name, "text": text, **({"unit": unit} if unit else {}), "rows": rows, "status": answer.status,
                **dict(zip(schema.fields()[field].outputs, answer.values, strict=True)), "confidence": answer.confidence, "how": answer.how,
                "alternatives": [{"id": other.id, "label": other.label, "confidence": other.confidence} for other in answer.alternatives]})
    return sorted(entries, key=lambda entry: (_STATUSES.index(entry["status"]), -entry["rows"], entry["column"], entry["text"]))


def text(report, most=40):
    rows = sum(entry["rows"] for entry in report["inputs"])
    lines = [f"{len(report['inputs'])} files, {rows} rows", "", "columns"]
    for name, entry in report["columns"].items():
        said = f"{entry['field']} ({entry['role']}, {entry['how']}, {entry['confidence']:.2f})" if entry["field"] else f"- {entry['why']}"
        lines.append(f"  {name:32} {said}")
    for field, entry in report["fields"].items():
        lines += ["", f"{field}: {entry['rows_mapped']} of {rows} rows mapped"]
        for status in _STATUSES:
            values = [value for value in entry["values"] if value["status"] == status]
            lines += [f"  {status}: {len(values)} values, {sum(value['rows'] for value in values)} rows"] if values else []
            lines += [_line(field, value) for value in values[:most]]
            lines += [f"    and {len(values) - most} more, in report.json"] if len(values) > most else []
    if report["disagreements"]:
        lines += ["", "columns of one field that disagree; the first is believed"]
        lines += ["  {field}: {column} says {says}, {other_column} says {other_says}: {rows} rows".format(**entry)
                  for entry in report["disagreements"][:most]]
    lines += ["", "decisions that met no data", *("  " + line for line in report["unused_decisions"])] if report["unused_decisions"] else []
    versions = report["versions"]
    lines += ["", "versions", "  " + ", ".join(f"{name} {version}" for name, version in (versions["packages"] | versions["ontologies"]).items())]
    return "\n".join(lines) + "\n"


def _line(field, value):
    written = " ".join(part for part in (value["text"], value.get("unit", "")) if part)
    shown = " ".join(dict.fromkeys(value[name] for name in schema.fields()[field].outputs if value[name]))
    alternatives = " | ".join(" ".join(part for part in (f"{other['confidence']:.2f}", other["id"], other["label"]) if part)
                              for other in value["alternatives"][:3])
    said = f"-> {shown}  {value['confidence']:.2f}" if value["status"] == "mapped" else ""
    return f"    {value['rows']:8} {written!r:34} {said}  ({value['how']})" + (f"  or {alternatives}" if alternatives else "")


def undecided(report):
    """A file of decisions with a line for each ambiguous value or value left, all of them still comments."""
    lines = ["# Take away the first # of the lines whose answer you know and of their field's, put the id, a label or null (missing) there,",
             "# and give this file to --decisions.", "values:"]
    for field, entry in report["fields"].items():
        open_ = [value for value in entry["values"] if value["status"] in ("ambiguous", "left")]
        lines += [f"#  {field}:"] if open_ else []
        for value in open_:
            others = value["alternatives"]
            first = json.dumps(others[0]["id"] or others[0]["label"], ensure_ascii=False) if others else "null"
            why = ", or ".join(f"{other['id']} {other['label']}".strip() for other in others[:4]) or value["how"]
            lines.append(f"#    {json.dumps(value['text'], ensure_ascii=False)}: {first}  # {value['rows']} rows: {why}")
    return "\n".join(lines) + "\n"
