"""labels.h5, the label codes that the trainer reads in place of pickles (format cellmill-labels-1).

  attributes      format = "cellmill-labels-1"; vocabulary_digest = XXH3-64 of the bytes of the vocabulary, hexadecimal
  /fields         strings: the fields that have categories, in the order of the vocabulary
  /chunks/number  int64 [chunks], rising: the number in the file's name
  /chunks/rows    int64 [chunks]
  /chunks/source, /chunks/source_digest   strings [chunks]: file name, XXH3-64 of its bytes
  /codes/<number> int32 [rows, fields]: the category's place in the vocabulary, -1 = missing

labels.digests.json beside it: {"bytes": of labels.h5, "blocks": [XXH3-64 of each 4 MiB], "xxh3": XXH3-64 of this object without it}
"""

import json

import h5py
import xxhash

FORMAT = "cellmill-labels-1"


BLOCK_BYTES = 4 << 20


def digests(path):
    """The text of labels.digests.json for a finished labels.h5."""
    blocks, size = [], 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            blocks.append(xxhash.xxh3_64_hexdigest(block))
            size += len(block)
    content = {"bytes": size, "blocks": blocks}
    seal = xxhash.xxh3_64_hexdigest(json.dumps(content, separators=(",", ":")).encode())
    return json.dumps({**content, "xxh3": seal}, separators=(",", ":"))


class Writer:
    """Takes the chunks in rising order of number; write with close()."""

    def __init__(self, path, fields, vocabulary_digest):
        self._file = h5py.File(path, "w")
        self._file.attrs["format"] = FORMAT
        self._file.attrs["vocabulary_digest"] = vocabulary_digest
        self._file.create_dataset("fields", data=fields, dtype=h5py.string_dtype())
        self._chunks = []

    def add(self, number, codes, source, source_digest):
        options = {"chunks": True, "compression": "gzip", "compression_opts": 1, "shuffle": True} if codes.size else {}
        self._file.create_dataset(f"codes/{number}", data=codes, dtype="int32", **options)
        self._chunks.append((number, len(codes), source, source_digest))

    def close(self):
        kinds = {"number": "int64", "rows": "int64", "source": h5py.string_dtype(), "source_digest": h5py.string_dtype()}
        for place, (name, kind) in enumerate(kinds.items()):
            self._file.create_dataset(f"chunks/{name}", data=[chunk[place] for chunk in self._chunks], dtype=kind)
        self._file.close()
