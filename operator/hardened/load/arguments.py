"""The command line of `python -m hardened.load`."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from hardened.load.engine import Load
from hardened.load.errors import BadLoad
from hardened.load.recorder import Burst
from hardened.load.reply import ServerReply
from hardened.load.schedule import Schedule, Stage
from hardened.load.target import LoadTarget
from hardened.load.verdict import Thresholds

_ABOUT: Final = "GET requests at a fixed pace, over plain HTTP. Exit status: 0 passed, 1 error, 2 invalid, 99 thresholds failed."
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Wrong arguments are an error: argparse's own 2 would say that the run was invalid."""
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n")


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The words, parsed; None: those of this process. Ends it with status 1 where they cannot be."""
    parser = _Parser(prog="python -m hardened.load", description=_ABOUT, allow_abbrev=False)
    add = parser.add_argument
    add("--host", required=True, help="name or address of the target")
    add("--port", required=True, type=int)
    add("--path", default="/", help="with its query (default: /)")
    add("--authority", default="", metavar="NAME", help="what the Host header says (default: host and port)")
    add("--header", action="append", default=[], metavar="'NAME: VALUE'", help="sent with each request; again for another")
    add("--rate", type=float, metavar="N", help="requests per second")
    add("--duration", type=_seconds, metavar="30s", help="how long")
    add("--stage", action="append", default=[], type=_stage, metavar="RATE:DURATION", help="instead of both, again for the next stage")
    add("--poisson", type=int, metavar="SEED", help="arrivals at random, the same ones for the same seed")
    add("--connections", type=int, default=0, metavar="N", help="kept alive and used in turn (default: a new one for each request)")
    add("--retry-idle-close", action="store_true", help="send again what a kept connection swallowed, and count it")
    add("--timeout", type=_seconds, default=10.0, metavar="10s", help="for each request (default: 10s)")
    add("--wait", type=_seconds, default=0.0, metavar="30s", help="until a connection is accepted (default: not at all)")
    add("--max-in-flight", type=int, default=2000, metavar="N", help="further requests fail unsent (default: 2000)")
    add("--stop-after", type=_burst, metavar="FAILURES/DURATION", help="end early when so many fail within so long")
    add("--mark-header", metavar="NAME", help="count replies by this header")
    add("--mark-json", metavar="FIELD", help="count replies by this field of their JSON body")
    add("--max-error-ratio", type=float, metavar="0.001")
    for figure in ("mean", "p50", "p95", "p99"):
        add(f"--max-{figure}", type=_seconds, metavar="500ms")
    add("--min-rate", type=float, metavar="N", help="replies per second; below the rate of the schedule")
    add("--expect-shed", action="store_true", help="429 and shed requests are no errors")
    add("--brief", action="store_true", help="a report of less than 4 KiB: no time series, no slowest requests")
    add("--report", metavar="FILE", help="the report goes there as well, as a pod's termination message does")
    return parser.parse_args(argv)


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write it as 500ms, 30s, 10m or 1h")
    return float(match[1]) * _UNITS[match[2]]


def _stage(text: str) -> tuple[float, float]:
    rate, _, duration = text.partition(":")
    return float(rate), _seconds(duration)


def _burst(text: str) -> tuple[int, float]:
    failures, _, duration = text.partition("/")
    return int(failures), _seconds(duration)


def target_of(args: argparse.Namespace) -> LoadTarget:
    """Where to. Raises BadLoad."""
    pairs = (text.partition(":") for text in args.header)
    return LoadTarget(args.host, args.port, args.path, {name.strip(): value.strip() for name, _, value in pairs}, args.authority)


def load_of(args: argparse.Namespace) -> Load:
    """How. Raises BadLoad."""
    if bool(args.stage) == (args.rate is not None or args.duration is not None):
        raise BadLoad("say either --rate and --duration, or --stage")
    if not args.stage and (args.rate is None or args.duration is None):
        raise BadLoad("--rate and --duration belong together")
    return Load(
        schedule=Schedule(tuple(Stage(*stage) for stage in args.stage or [(args.rate, args.duration)])),
        timeout=args.timeout,
        connections=args.connections,
        max_in_flight=args.max_in_flight,
        retry_idle_close=args.retry_idle_close,
        burst=Burst(*args.stop_after) if args.stop_after else None,
    )


def thresholds_of(args: argparse.Namespace) -> Thresholds:
    """What it is held against. Raises BadLoad."""
    names = ("max_error_ratio", "max_mean", "max_p50", "max_p95", "max_p99", "min_rate")
    return Thresholds(**{name: getattr(args, name) for name in names}, expects_shed=args.expect_shed)


def mark_of(args: argparse.Namespace) -> Callable[[ServerReply], str] | None:
    """What replies are counted by, if by anything."""
    if args.mark_header:
        name = args.mark_header.lower().encode("latin-1", "replace")
        return lambda reply: reply.headers.get(name, b"").decode("latin-1")
    if args.mark_json:
        field = args.mark_json
        return lambda reply: _field_of(reply.body, field)
    return None


def _field_of(body: bytes, field: str) -> str:
    """Empty where there is no such field, or no JSON: an error page is answered, too."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(found.get(field, "")) if isinstance(found, dict) else ""
