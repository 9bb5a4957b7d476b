"""
Measures and prints: ``make bench``, or ``PYTHONPATH=tests python -m benchmark``.
"""

import argparse
import platform
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from .contestants import CORES, versions
from .lines import KINDS
from .measure import CountError
from .parts import PARTS, Bench, print_limits


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmark", description=__doc__)
    parser.add_argument(
        "size", metavar="SIZE", nargs="?", type=float, default=200, help="of a log, in MB (200)"
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("build/bench"),
        help="where the logs are kept (build/bench); they take some 15 times SIZE",
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each program is timed (5)")
    parser.add_argument(
        "--part", choices=PARTS, action="append", help="measure this only; may be given again"
    )
    parser.add_argument(
        "--log", choices=KINDS, action="append", help="compare on this log only; may be given again"
    )
    parser.add_argument(
        "--new", type=int, default=100_000, help="how many new machines a run finds (100000)"
    )
    parser.add_argument(
        "--known",
        metavar="NUMBER",
        type=int,
        default=0,
        help="also measure a run that updates so many known machines",
    )
    parser.add_argument(
        "--machines",
        metavar="NUMBER",
        type=int,
        default=100_000,
        help="of how many machines the largest log is, up to a million (100000)",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Measure and print; give the exit status, which is 1 if a program counted wrongly."""
    options = read_arguments(arguments)
    told, missing = versions()
    print(
        f"{CORES} cores, Linux {platform.release()}, Python {platform.python_version()}; "
        f"rounds: {options.rounds}. Versions: "
        f"{', '.join(f'{name} {version}' for name, version in told.items())}."
    )
    if missing:
        print(f"Missing, so left out: {', '.join(missing)}.")
    directory = options.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="work-", dir=directory) as work:
        bench = Bench(
            directory,
            Path(work),
            options.size,
            options.rounds,
            options.new,
            options.known,
            options.machines,
            options.log or tuple(KINDS),
        )
        try:
            for name in options.part or PARTS:
                PARTS[name](bench)
        except CountError as error:
            sys.stdout.flush()
            print(error, file=sys.stderr)
            return 1
    print_limits(bench)
    print("All programs counted what is in the logs.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
