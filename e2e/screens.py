"""`python -m e2e.screens`: what the live view of hardenctl looks like, as pictures for the documentation, from releases that were recorded.

python -m e2e.screens                          # docs/screens/*.svg
python -m e2e.screens record shop/web good     # follows a release on the cluster of KUBECONFIG to its end, into a recording
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI, TerminalTheme

from hardenctl.following.facts import Facts
from hardenctl.following.frame import frame
from hardenctl.following.passage import Passage, grown
from hardenctl.release.pods import PodReading
from hardenctl.release.stacks import RunningStack
from hardenctl.release.verdict import verdict_of

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT / "cli/tests/following/recorded"
SCREENS = ROOT / "docs/screens"
#: As rich has it, without its fonts, which whoever looks at a picture would have to load from elsewhere.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" xml:space="preserve">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, "DejaVu Sans Mono", monospace; font-size: {char_height}px;
  line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


@dataclass(frozen=True)
class Screen:
    """One picture."""

    recording: str
    """Where its facts come from."""
    step: str
    """The first moment in which the release is in this step is shown after all changes of it; "" for the last of all."""
    width: int
    """In columns."""
    theme: TerminalTheme
    """Dark or light."""


SCREENS_BY_NAME = {
    "release": Screen("good", "VerifyAfter", 80, MONOKAI),
    "release-light": Screen("good", "VerifyAfter", 80, DEFAULT_TERMINAL_THEME),
    "promoted": Screen("good", "", 120, MONOKAI),
    "rejected": Screen("failing", "", 80, MONOKAI),
}


def moments(recording: str) -> Iterator[tuple[Facts, datetime]]:
    """What was known in each moment of a recording, and when that was."""
    known: tuple[Passage, ...] = ()
    for line in (RECORDINGS / f"{recording}.jsonl").read_text().splitlines():
        each = json.loads(line)
        now, live = datetime.fromisoformat(each["now"]), each["live"]
        known = grown(known, live, now)
        stacks = [RunningStack(**stack) for stack in each["stacks"]]
        pods = [PodReading(**{**pod, "stopped": frozenset(pod["stopped"])}) for pod in each["pods"]]
        yield Facts(live, verdict_of(live, now), known, stacks, pods), now


def moment(recording: str, step: str) -> tuple[Facts, datetime]:
    """The last moment of a step, "" for the last of all."""
    found = [each for each in moments(recording) if step in ("", each[0].passages[-1].step if each[0].passages else "")]
    return found[-1]


def drawn(screen: Screen) -> str:
    """The picture, as SVG: the same from the same recording."""
    facts, now = moment(screen.recording, screen.step)
    console = Console(record=True, width=screen.width, file=open_nowhere(), force_terminal=True, color_system="standard")
    console.print(frame([facts], screen.width, now))
    meta = facts.live["metadata"]
    title = f"hardenctl status {meta['name']} -n {meta['namespace']} -w"
    return console.export_svg(title=title, theme=screen.theme, code_format=_SVG, unique_id="screen")


def open_nowhere() -> Any:
    """Where nothing is shown."""
    import io

    return io.StringIO()


def record(namespace: str, name: str) -> list[dict[str, Any]]:
    """Looks twice a second until a release has begun and ended, or two minutes have passed."""
    from hardenctl.cluster.session import Flags, Session
    from hardenctl.output import moments as clock
    from hardenctl.output.console import Console as Output
    from hardenctl.release.lookup import find
    from hardenctl.release.pods import live_pods_of, reading_of
    from hardenctl.release.stacks import stacks_of

    session, until = Session(Flags(namespace=namespace), Output.standard()), time.monotonic() + 120
    found: list[dict[str, Any]] = []
    has_begun = False
    while time.monotonic() < until:
        whole = find(session, name)
        meta = {key: whole["metadata"].get(key) for key in ("name", "namespace", "generation", "creationTimestamp")}
        live = {"metadata": meta, "spec": whole["spec"], "status": whole.get("status") or {}}
        pods = [{**asdict(pod), "stopped": sorted(pod.stopped)} for pod in map(reading_of, live_pods_of(session, live))]
        found.append({"now": clock.now().isoformat(), "live": live, "stacks": [asdict(s) for s in stacks_of(session, whole)], "pods": pods})
        is_final = verdict_of(whole, clock.now()).is_final
        if is_final and has_begun:
            break
        has_begun = has_begun or not is_final
        time.sleep(0.5)
    return [each for at, each in enumerate(found) if at == 0 or {**each, "now": ""} != {**found[at - 1], "now": ""}]


def main(arguments: list[str]) -> None:
    """Draws all, or records one."""
    if arguments[:1] == ["record"]:
        namespace, _, name = arguments[1].partition("/")
        lines = [json.dumps(each, sort_keys=True, separators=(",", ":")) for each in record(namespace, name)]
        (RECORDINGS / f"{arguments[2]}.jsonl").write_text("".join(f"{line}\n" for line in lines))
        return
    SCREENS.mkdir(exist_ok=True)
    for name, screen in SCREENS_BY_NAME.items():
        (SCREENS / f"{name}.svg").write_text(drawn(screen))


if __name__ == "__main__":
    main(sys.argv[1:])
