"""What a tool is doing, on stderr: one line that is rewritten on a terminal, plain lines elsewhere."""

import sys


def say(text):
    print(text, file=sys.stderr, flush=True)


def steps(what, items, name=str):
    """Yields the items, saying `what  i/n  name(item)` before each."""
    items = list(items)
    rewriting = sys.stderr.isatty()
    try:
        for place, item in enumerate(items, 1):
            line = f"{what}  {place}/{len(items)}  {name(item)}"
            print(f"\r\033[K{line}" if rewriting else line, end="" if rewriting else "\n", file=sys.stderr, flush=True)
            yield item
    finally:
        if rewriting:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
