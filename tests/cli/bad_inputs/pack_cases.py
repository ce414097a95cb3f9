"""Stores that cellmill pack made."""
import json

from place import NONE, catalogue, cut, flip, replace

CASES, case = catalogue()
FILE, COUNTS = "store.cmpack", ["--set", "data.raw_counts=true"]


def read(place):
    return place.pack(data=FILE)


def places(place):
    header = json.loads((place / FILE).read_bytes()[:512])
    return header["blocks"]  # begin, bytes


@case("store: a flipped bit in a block", 65, f"{FILE}: block 0: is damaged: its digest differs", "hint: copy the file again, or pack it anew")
def block(place):
    begin, size = places(place)
    flip(place / FILE, begin + size // 2)
    return read(place)


@case("store: a flipped bit in the header", 65, f"{FILE}: bytes 0 to 511: ", "hint: copy the file again, or pack it anew")
def header(place):
    flip(place / FILE, 60)
    return read(place)


@case("store: a flipped bit in its tables", 65, f"{FILE}: bytes 512 to ", "its names or tables are damaged", "hint: copy the file again")
def tables(place):
    flip(place / FILE, 1000)
    return read(place)


@case("store: cut short", 65, f"{FILE}: byte ", "is cut short; expected ", "; found ", "hint: copy the file again")
def truncated(place):
    cut(place / FILE, (place / FILE).stat().st_size - 100)
    return read(place)


@case("store: grown", 65, f"{FILE}: byte ", "has grown; expected ", "hint: copy the file again")
def grown(place):
    with open(place / FILE, "ab") as file:
        file.write(b"more")
    return read(place)


@case("store: of a newer cellmill", 65, f"{FILE}: format: was written by a newer cellmill; expected 1; found 7",
      "hint: read it with the cellmill that wrote it")
def newer(place):
    replace(place / FILE, b'"format":1', b'"format":7')
    return read(place)


@case("store: no store at all", 65, f"{FILE}: bytes 0 to 511: is no store, or its header is damaged")
def no_store(place):
    (place / FILE).write_text("cell,gene\n")
    return read(place)


@case("store: a shard is missing", 65, "shards: a shard is missing", "expected 24 cells in 3 shards; found ")
def shard(place):
    done = place.run(place.cellmill("pack", "--input", "npz", "--output", "shards", "--shard-cells", "8", *NONE))
    assert done.code == 0, done.said
    (place / "shards/shard-00002.cmpack").unlink()
    return place.pack(data="shards")


@case("store: shards of two stores", 65, "shard-00001.cmpack: belongs to another store than shards/shard-00000.cmpack", "hint: one folder holds")
def mixed(place):
    for name, order in (("shards", []), ("others", ["--shuffle"])):
        done = place.run(place.cellmill("pack", "--input", "npz", "--output", name, "--shard-cells", "8", *order))
        assert done.code == 0, done.said
    (place / "others/shard-00001.cmpack").replace(place / "shards/shard-00001.cmpack")
    return place.pack(data="shards")


@case("store: no such field", 65, f"{FILE}: ", "no field 'sexx'", "hint: did you mean sex?")
def field(place):
    return place.pack("--set", "data.fields=[sexx]", data=FILE)


@case("store: normalised a second time", 78, "counts.cmpack: raw_counts is true, but the counts were normalised", "hint: set raw_counts")
def twice(place):
    done = place.run(place.cellmill("pack", "--input", "npz", "--output", "counts.cmpack", *NONE, *COUNTS))
    assert done.code == 0, done.said
    return place.pack(*COUNTS, data="counts.cmpack")
