"""How the Python tools fail: what, where and with which values, then a hint; the exit codes of src/base/error.h."""

import argparse
import sys

USAGE, DATA, NO_INPUT, IO, CONFIG = 64, 65, 66, 74, 78


class Failure(Exception):
    """`what` happened in `file` at `where`; `expected`, `found` and `hint` may be empty."""

    def __init__(self, code, what, *, file="", where="", expected="", found="", hint=""):
        place = ": ".join(str(part) for part in (file, where) if str(part))
        text = f"{place}: {what}" if place else what
        text += f"; expected {expected}" if expected else ""
        text += f"; found {found}" if found else ""
        super().__init__(text + (f"\n  hint: {hint}" if hint else ""))
        self.code = code

    @classmethod
    def retold(cls, code, text):
        """One whose text has been put together elsewhere."""
        failure = cls(code, "")
        failure.args = (text,)
        return failure


class Arguments(argparse.ArgumentParser):
    """A parser of the command line that leaves with 64."""

    def error(self, message):
        raise Failure(USAGE, message, hint=f"{self.prog} --help")


RawHelp = argparse.RawDescriptionHelpFormatter


def run(main):
    """Calls main() and leaves with its exit code; a Failure or a refusal of the system is printed without a traceback."""
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(_say(failure, failure.code))
    except OSError as error:
        sys.exit(_say(error, NO_INPUT if isinstance(error, FileNotFoundError) else IO))
    except KeyboardInterrupt:
        sys.exit(_say("interrupted; nothing half-written is left behind", 130))


def _say(error, code):
    print(f"error: {error}", file=sys.stderr)
    return code
