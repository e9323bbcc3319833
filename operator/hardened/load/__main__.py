"""`python -m hardened.load`: one run. Its report is JSON on stdout, what it does is told on stderr.

Exit status: 0 passed, 1 error, 2 invalid, 99 thresholds failed.
"""

import asyncio
import gc
import json
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import assert_never

import uvloop

from hardened.load.arguments import arguments, load_of, mark_of, target_of, thresholds_of
from hardened.load.engine import Engine, Load
from hardened.load.errors import BadLoad, CannotStart
from hardened.load.figures import Figures, Stop
from hardened.load.reply import ServerReply
from hardened.load.report import reasons, report
from hardened.load.target import LoadTarget
from hardened.load.verdict import Invalid, LoadFailed, LoadPassed, Verdict, judge


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what the arguments say; the exit status."""
    args = arguments(argv)
    try:
        target, load, limits = target_of(args), load_of(args), thresholds_of(args)
    except BadLoad as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _allow_files(load.max_in_flight + load.connections)
    gc.freeze()  # what is loaded by now stays: going through it again and again would make requests late
    verdict: Verdict
    figures: Figures | None = None
    try:
        rng = None if args.poisson is None else Random(args.poisson)
        figures = uvloop.run(_run(target, load, rng, mark_of(args), args.wait))
    except CannotStart as error:
        verdict = Invalid(f"the generator did not start: {error}")
    else:
        verdict = judge(figures, limits)
    text = json.dumps(report(verdict, figures, is_brief=args.brief))
    print(text)
    if args.report:
        Path(args.report).write_text(text)
    print("; ".join([verdict.word, *reasons(verdict)]), file=sys.stderr)
    return exit_status(verdict)


def exit_status(verdict: Verdict) -> int:
    """As k6's, so that pipelines can stay as they are."""
    match verdict:
        case LoadPassed():
            return 0
        case LoadFailed():
            return 99
        case Invalid():
            return 2
        case _ as other:
            assert_never(other)


async def _run(target: LoadTarget, load: Load, rng: Random | None, mark: Callable[[ServerReply], str] | None, wait: float) -> Figures:
    if wait:
        await _accepted(target, wait)
    engine = Engine(target, load, rng=rng, mark=mark)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, engine.stop, Stop.TERMINATED)
    print(f"{load.schedule.requests:.0f} requests in {load.schedule.seconds:g} s to {target.host}:{target.port}", file=sys.stderr)
    return await engine.run()


async def _accepted(target: LoadTarget, within: float) -> None:
    """Waits until the target accepts a connection. Raises CannotStart where it does not, within so many seconds."""
    try:
        async with asyncio.timeout(within):
            while True:
                try:
                    _, writer = await asyncio.open_connection(target.host, target.port)
                except OSError:
                    await asyncio.sleep(0.1)  # the pace at which it is tried again
                else:
                    writer.close()
                    return
    except TimeoutError:
        raise CannotStart(f"{target.host}:{target.port} accepted no connection within {within:g} s") from None


def _allow_files(count: int) -> None:
    """Lets this process have so many connections, as far as it may decide that itself: the usual 1024 are a second of a frozen server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * count + 64
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":
    sys.exit(main())
