"""The report of an evaluation as one HTML file that needs nothing else."""

import base64
import html

from embedding_evaluation import scores

_STYLE = """:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #f4f5f7; margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 10px; }
p { margin: 6px 0; } .quiet { color: #667; } ul { margin: 6px 0; padding-left: 20px; }
.tiles, .pictures { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0; align-items: flex-start; }
.pictures img { max-width: 100%; height: auto; padding: 8px; box-sizing: border-box; }
.pictures img, table, .box { background: #fff; border: 1px solid #dde1e6; border-radius: 6px; }
.box { padding: 10px 16px; } .box b { display: block; font-size: 19px; }
table { border-collapse: collapse; } td, th { padding: 5px 12px; text-align: left; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid #dde1e6; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.no { color: #8a5a00; font-weight: 600; } .yes { color: #00704d; font-weight: 600; } .none { color: #667; font-size: 13px; }"""


def page(title, facts, said, consistency, qualities, classes, pictures):
    """`facts`: name -> text; `said`: sentences; `consistency`: scores or []; `qualities`: embedding -> scores; `classes`: a DataFrame or
    None; `pictures`: name -> (PNG bytes, caption)."""
    tiles = "".join(f'<div class="box"><b>{_text(value)}</b>{_text(name)}</div>' for name, value in facts.items())
    body = f'<h1>{_text(title)}</h1>\n<div class="tiles">{tiles}</div>\n'
    if said:
        body += "<ul>" + "".join(f"<li>{_text(sentence)}</li>" for sentence in said) + "</ul>\n"
    if consistency:
        body += "<h2>Consistency with the baseline</h2>\n" + _table({"value": consistency}, scores.CONSISTENCY)
    if qualities:
        body += "<h2>Quality against the labels</h2>\n" + _table(qualities, scores.QUALITY)
        body += '<p class="quiet">&ldquo;Called good&rdquo; is what the authors of this choice of metrics (EhsanKA/ispo) say of perturbations; the published model on SciPlex2 gets there with none of these figures.</p>\n'
    if pictures:
        shown = "".join(f'<img alt="{_text(caption)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">\n' for png, caption in pictures.values())
        body += f'<h2>Pictures</h2>\n<div class="pictures">{shown}</div>\n'
    if classes is not None:
        body += "<h2>Classes</h2>\n" + _class_table(classes)
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n'
            f"<body>\n<main>\n{body}</main>\n</body>\n</html>\n")


def _text(value):
    return html.escape(str(value))


def _table(columns, meanings):
    rows = "".join(f'<th class="number">{_text(name)}</th>' for name in columns)
    rows = f"<tr><th>metric</th>{rows}<th>called good</th><th>what it is</th></tr>\n"
    by_column = [{score.name: score for score in found} for found in columns.values()]
    for name, (meaning, limit) in meanings.items():
        cells = "".join(_value(found[name]) for found in by_column)
        rows += f"<tr><td>{_text(name)}</td>{cells}<td>{'' if limit is None else f'&gt; {limit:g}'}</td><td>{_text(meaning)}</td></tr>\n"
    return f"<table>{rows}</table>\n"


def _value(score):
    if score.value is None:
        return f'<td class="none">{_text(score.reason)}</td>'
    return f'<td class="number {scores.within(score)}">{number(score.value)}</td>'


def number(value):
    """As many digits as a reader needs: those behind a row of nines, too."""
    nines = 0.999 <= abs(value) < 1
    return f"{value:.7f}" if nines else f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def _class_table(classes):
    head = "".join(f'<th class="number">{_text(name)}</th>' for name in classes.columns)
    rows = f"<tr><th>class</th>{head}</tr>\n"
    for name, row in classes.iterrows():
        texts = ["" if value != value else f"{value:,.0f}" if column == "cells" else number(value) for column, value in row.items()]
        cells = "".join(f'<td class="number">{text}</td>' for text in texts)
        rows += f"<tr><td>{_text(name)}</td>{cells}</tr>\n"
    return f"<table>{rows}</table>\n"
