"""`python -m training_day serve | doctor | version`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from training_day import __version__
from training_day.errors import TrainingDayError

_DOCTOR = """\
The doctor looks at a loader of yours; call it where you make one:

    import training_day
    training_day.doctor(loader)

It reads for 30 seconds at most, changes nothing and needs no node. Or name a function that makes
the loader:

    python -m training_day doctor my_module:make_loader
"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training_day")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser(
        "serve", help="start a cache node on this host", add_help=False, prefix_chars="\0"
    )
    serve.add_argument("rest", nargs=argparse.REMAINDER)
    doctor = commands.add_parser("doctor", help="say whether a loader is data-bound")
    doctor.add_argument("loader", nargs="?", help="MODULE:FUNCTION that returns a DataLoader")
    commands.add_parser("version", help="print the version")
    parsed = parser.parse_args(arguments)
    try:
        if parsed.command == "serve":
            from training_day.node import serve as start

            start(parsed.rest)
        elif parsed.command == "doctor":
            if parsed.loader is None:
                print(_DOCTOR, end="")
                return 0
            from training_day.diagnosis import doctor as look
            from training_day.diagnosis import loader_of

            look(loader_of(parsed.loader))
        else:
            print(__version__)
    except TrainingDayError as e:
        print(f"training_day: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
