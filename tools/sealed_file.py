"""Files that end with digests of their blocks (src/io/sealed_file.h has the format)."""

import json
import os

import xxhash

from failing import DATA, Failure

BLOCK = 4 << 20
_HINT = "copy the file again, or make it once more"


def verify(path):
    """Failure (65), with the range of bytes, unless the file is whole and every block as it was written."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(max(0, size - 16))
        footer = file.read(16)
        length = int.from_bytes(footer[:8], "little")
        if footer[8:] != b"CMSEALED" or length > size - 16:
            raise Failure(DATA, "is cut short or damaged at its end", file=path, hint=_HINT)
        content = size - 16 - length
        file.seek(content)
        end = _end(file.read(length))
        if end is None or end.get("bytes") != content or len(end["blocks"]) != -(-content // BLOCK):
            raise Failure(DATA, "is damaged", file=path, where=f"bytes {content} to {size - 1}", hint=_HINT)
        file.seek(0)
        for number, digest in enumerate(end["blocks"]):
            block = file.read(min(BLOCK, content - number * BLOCK))
            if xxhash.xxh3_64_hexdigest(block) != digest:
                raise Failure(DATA, "is damaged", file=path, where=f"bytes {number * BLOCK} to {number * BLOCK + len(block) - 1}", hint=_HINT)


def _end(text):
    """The JSON, or None where its own digest differs: it stands last, of the object without it."""
    seal = b',"xxh3":"'
    at = text.rfind(seal)
    if at < 0 or text[at + len(seal) :] != xxhash.xxh3_64_hexdigest(text[:at] + b"}").encode() + b'"}':
        return None
    return json.loads(text)
