"""Runs a function over bytes that nobody vouches for, in a child that can compute, and nothing else.

The child is a fork with all files closed but one pipe; no new file, socket or process can be opened (limits of 0, and where the
kernel has it a seccomp list of the few calls that computing needs: all others fail with EPERM); memory and time are limited. What
comes back is bytes or the words of a Failure, never an object.
"""

import ctypes
import os
import platform
import resource
import select
import signal
import struct
import time
import traceback

from failing import DATA, Failure

_MIB = 1 << 20
# The kernel's name of the machine, and: read write mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn sched_yield mremap madvise
# exit futex clock_gettime exit_group getrandom
_CALLS = {
    "x86_64": (0xC000003E, (0, 1, 9, 10, 11, 12, 13, 14, 15, 24, 25, 28, 60, 202, 228, 231, 318)),
    "aarch64": (0xC00000B7, (63, 64, 222, 226, 215, 214, 134, 135, 139, 124, 216, 233, 93, 98, 113, 94, 278)),
}


def call(function, size, file):
    """What function() returns, bytes, computed in the child. `size` is that of its input: time and memory are limited by it.
    Failure (65) as the function raised it, or naming `file` where the child used up what it may, or died."""
    seconds, memory = 30 + size // _MIB, 512 * _MIB + 64 * size
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            confine(theirs, seconds, memory)
            _send(theirs, _answer(function))
        finally:
            os._exit(0)  # what the parent would flush and clean up is the parent's
    os.close(theirs)
    try:
        answer = _receive(ours, child, time.monotonic() + 4 * seconds)
    finally:
        os.close(ours)
        status = os.waitpid(child, 0)[1]
    if answer[:1] == b"+":
        return answer[1:]
    words = answer[1:].decode(errors="replace")
    if answer[:1] == b"-":
        raise Failure.retold(DATA, words)
    if answer[:1] == b"!":
        raise RuntimeError(words)
    if answer == b"m":
        raise Failure(DATA, f"reading it needs more than {memory // _MIB} MB; nothing was executed", file=file)
    code = os.waitstatus_to_exitcode(status)
    why = f"took more than {seconds} s" if code in (-signal.SIGXCPU, -signal.SIGKILL) else f"broke its reader (signal {-code})"
    raise Failure(DATA, f"{why}; nothing was executed", file=file)


def confine(keep, seconds, memory):
    """From here on this process can compute, write to the descriptor `keep`, and end."""
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    os.closerange(0, keep)
    os.closerange(keep + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
        resource.setrlimit(nothing, (0, 0))
    _allow_computing_only()


def _allow_computing_only():
    machine = _CALLS.get(platform.machine())
    if machine is None:
        return
    audit, calls = machine

    def step(code, value, yes=0, no=0):
        return struct.pack("=HBBI", code, yes, no, value)

    load, equal, end = 0x20, 0x15, 0x06
    refuse, allow = step(end, 0x00050001), step(end, 0x7FFF0000)  # EPERM; go on
    steps = [step(load, 4), step(equal, audit, 0, len(calls) + 1), step(load, 0)]
    steps += [step(equal, call, len(calls) - place) for place, call in enumerate(calls)]
    filled = ctypes.create_string_buffer(b"".join([*steps, refuse, allow]))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]

    program = Program(len(steps) + 2, ctypes.addressof(filled))
    libc = ctypes.CDLL(None)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    libc.prctl(22, 2, ctypes.byref(program))  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER; a kernel without it leaves the limits


def _answer(function):
    try:
        return b"+" + function()
    except Failure as failure:
        return b"-" + str(failure).encode(errors="backslashreplace")
    except MemoryError:
        return b"m"
    except BaseException:
        return b"!" + traceback.format_exc().encode(errors="backslashreplace")


def _send(pipe, answer):
    rest = memoryview(answer)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _receive(pipe, child, deadline):
    """All that comes; nothing from a child that is late, which is killed."""
    parts = []
    while select.select([pipe], [], [], max(0, deadline - time.monotonic()))[0]:
        part = os.read(pipe, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
    os.kill(child, signal.SIGKILL)
    return b""
