"""A mistake of this program: told in one line, and with -v where it was made."""

import re
import traceback

from hardenctl.output.outcome import CommandEnd

_USERINFO = re.compile(r"//[^\s'\"]*@")


def told(error: Exception, *, is_verbose: bool) -> CommandEnd:
    """The end of the command that nobody foresaw. is_verbose: where it happened has been shown already."""
    said = next(iter(_without_passwords(str(error)).splitlines()), "")
    text = f"unexpected: {type(error).__name__}" + (f": {said}" if said else "")
    return CommandEnd(text, hint="" if is_verbose else "run again with -v for where")


def where(error: Exception) -> str:
    """The calls that led to it. Not what it was caused by: the words of other programs' errors may hold a token."""
    return _without_passwords("".join(traceback.format_tb(error.__traceback__)).rstrip())


def _without_passwords(text: str) -> str:
    return _USERINFO.sub("//", text)
