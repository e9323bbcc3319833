"""Log lines, as they end on a terminal."""

import json
import logging

from hardened.api.text import is_plain
from hardened.shell.logs import JsonFormatter


def test_a_line_holds_what_was_said_and_nothing_that_drives_a_terminal() -> None:
    said = "a webhook said \x07\x1b[2J\x7f\x9b31m\u202e\u2066\u2028é\U000e0041"
    line = JsonFormatter().format(logging.LogRecord("x", logging.INFO, "", 0, "%s", (said,), None))
    assert is_plain(line)
    assert json.loads(line)["msg"] == said
