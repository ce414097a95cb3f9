"""Pickles that try to run something, {name: bytes}: made here, never loaded by pickle itself. What they would run leaves a file
`canary` in the working folder, or takes memory or time without end."""

import os
import pickle
import struct
import subprocess

TOUCH = "touch canary"
WRITE = "open('canary', 'w').close()"


class Calls:
    """Pickles as a call of `function` with `arguments`, and what else __reduce__ may return."""

    def __init__(self, function, *arguments, rest=()):
        self.reduced = (function, arguments, *rest)

    def __reduce__(self):
        return self.reduced


def text(value):
    data = value.encode(errors="surrogatepass")
    return b"\x8c" + bytes([len(data)]) + data  # SHORT_BINUNICODE


def name(module, attribute):
    return text(module) + text(attribute) + b"\x93"  # STACK_GLOBAL


def stream(content, protocol=4):
    return bytes([0x80, protocol]) + content + b"."


SYSTEM = b"cos\nsystem\n"
CALL = b"(" + text(TOUCH) + b"tR"  # MARK argument TUPLE REDUCE


def calls():
    made = {}
    for protocol in range(6):
        made[f"os.system, protocol {protocol}"] = pickle.dumps(Calls(os.system, TOUCH), protocol)
    for protocol in (2, 3, 4, 5):
        made[f"subprocess, protocol {protocol}"] = pickle.dumps(Calls(subprocess.Popen, ["touch", "canary"]), protocol)
        made[f"eval, protocol {protocol}"] = pickle.dumps(Calls(eval, WRITE), protocol)
    made["exec"] = pickle.dumps(Calls(exec, WRITE))
    made["open for writing"] = pickle.dumps(Calls(open, "canary", "w"))
    made["compile and run"] = pickle.dumps(Calls(eval, Calls(compile, WRITE, "x", "eval")))
    made["getattr chain from builtins"] = stream(
        name("builtins", "getattr") + b"(" + name("builtins", "__import__") + b"(" + text("os") + b"tR" + text("system") + b"tR" + CALL)
    made["attributes by dots"] = stream(name("os", "path.os.system") + CALL)
    made["attributes of an allowed class"] = stream(name("pandas", "DataFrame.__init__.__globals__") + CALL)
    made["operator.attrgetter"] = stream(name("operator", "attrgetter") + b"(" + text("system") + b"tR" + CALL)
    made["functools.partial"] = stream(name("functools", "partial") + b"(" + SYSTEM + text(TOUCH) + b"tR)R")
    made["map over system"] = stream(name("builtins", "list") + b"(" + name("builtins", "map") + b"(" + SYSTEM + b"(" + text(TOUCH) + b"ttRtR")
    made["pty.spawn"] = stream(name("pty", "spawn") + CALL)
    made["posix.system by its own name"] = stream(name("posix", "system") + CALL)
    made["nt.system"] = stream(name("nt", "system") + CALL)
    made["runpy"] = stream(name("runpy", "run_path") + CALL)
    made["pandas.read_pickle"] = stream(name("pandas", "read_pickle") + b"(" + text("inner.pkl") + b"tR")
    made["pandas.eval"] = stream(name("pandas", "eval") + b"(" + text(f"@__import__('os').system('{TOUCH}')") + b"tR")
    made["numpy.load with pickles"] = stream(name("numpy", "load") + b"(" + text("x.npy") + b"tR")
    made["numpy's runstring"] = stream(name("numpy.testing._private.utils", "runstring") + b"(" + text(WRITE) + b"}tR")
    made["torch.load"] = stream(name("torch", "load") + b"(" + text("x.pt") + b"tR")
    made["pickle.loads of a pickle"] = stream(name("pickle", "loads") + b"(B" + _long(pickle.dumps(Calls(os.system, TOUCH))) + b"tR")
    made["socket"] = stream(name("socket", "create_connection") + b"(" + text("127.0.0.1") + b"K\x50\x86tR")
    made["ctypes"] = stream(name("ctypes", "CDLL") + b"(NtR")
    made["code object"] = stream(name("types", "CodeType") + b")R")
    return made


def _long(data):
    return struct.pack("<I", len(data)) + data


def opcodes():
    state = b"}" + text("__setstate__") + SYSTEM + b"s"
    return {
        "INST": b"\x80\x02(X" + _long(TOUCH.encode()) + b"ios\nsystem\n.",
        "INST of protocol 0": b"(S'touch canary'\nios\nsystem\n.",
        "OBJ": b"\x80\x02(" + SYSTEM + text(TOUCH) + b"o.",
        "NEWOBJ": stream(name("subprocess", "Popen") + text(TOUCH) + b"\x85\x81"),
        "NEWOBJ_EX": stream(name("subprocess", "Popen") + b")}" + text("args") + text(TOUCH) + b"s\x92"),
        "BUILD of a class": stream(name("builtins", "slice") + state + b"b"),
        "BUILD of an object": stream(name("builtins", "slice") + b")R" + state + b"b" + CALL),
        "BUILD with slots": stream(name("builtins", "slice") + b")RN}" + text("__class__") + SYSTEM + b"s\x86b"),
        "REDUCE of a string": stream(text("os.system") + CALL),
        "GLOBAL with a newline's worth of names": b"\x80\x02cos\x00\nsystem\n" + CALL + b".",
        "STACK_GLOBAL of what is no text": stream(b"K\x01K\x02\x93" + CALL),
        "registered extension": b"\x80\x02\x82\x2a" + CALL + b".",
        "extension of four bytes": b"\x80\x02\x84\xff\xff\xff\x7f" + CALL + b".",
        "persistent id": b"\x80\x02Ptouch canary\n.",
        "persistent id from the stack": stream(text(TOUCH) + b"Q"),
        "allowed first, then not": b"\x80\x02cnumpy\ndtype\n0cnumpy\nndarray\n0" + SYSTEM + CALL + b".",
        "inside a list of a dict of a tuple": stream(b"]}" + text("k") + SYSTEM + CALL + b"\x85sa"),
        "as a key": stream(b"}" + SYSTEM + CALL + b"Ns"),
        "from the memo": stream(SYSTEM + b"\x940" + b"h\x00" + CALL),
        "fetched by a frame": stream(b"\x95" + struct.pack("<Q", len(SYSTEM)) + SYSTEM + CALL),
        "out-of-band buffer": stream(b"\x97", 5),
        "two pickles, the second hostile": stream(b"N") + stream(SYSTEM + CALL),
    }


def bombs():
    """Nothing to run; memory, time or the stack to use up."""
    lol = b"](" + text("lol") * 10 + b"e\x94"
    for level in range(9):
        lol = lol + b"](" + b"h" + bytes([level]) * 1 + (b"h" + bytes([level])) * 9 + b"e\x94"
    return {
        "nested lists": stream(b"]" * 200_000 + b"a" * 199_999),
        "nested tuples": stream(b")" + b"\x85" * 500_000),
        "nested reduces": stream(name("builtins", "slice") + b"\x94" + b")" + b"h\x00" * 1 + b"\x85R" * 1 + (b"\x85h\x00\x85" * 100_000)),
        "a memo of four billion": b"\x80\x02Nr\xff\xff\xff\xff.",
        "LONG4 of two gigabytes": b"\x80\x02\x8b\xff\xff\xff\x7f\x01.",
        "BINBYTES8 of an exabyte": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b".",
        "a frame of an exabyte": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",
        "BINUNICODE8 that wraps": b"\x80\x04\x8d" + struct.pack("<Q", (1 << 64) - 1) + b".",
        "BYTEARRAY8 of eight gigabytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 33) + b".",
        "a number of a million digits": b"\x80\x02L" + b"9" * 1_000_000 + b"L\n.",
        "a billion laughs": stream(lol),
        "marks without end": b"\x80\x02" + b"(" * 1_000_000 + b".",
        "a bytearray by its size": stream(name("builtins", "bytearray") + b"J\xff\xff\xff\x7f\x85R"),
    }


def all():
    return {**calls(), **opcodes(), **bombs()}
