"""What programs print may repeat what they were given: secrets are taken out before anybody sees it."""

import re
from collections.abc import Mapping

_SECRET = re.compile(r"PASSWORD|PASSPHRASE|PASS$|SECRET|TOKEN|KEY|AUTH|CREDENTIAL|SAS$|CONNECTION_STRING|COMMAND$", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+(?=@)")
#: A shorter value would take letters out of every message, and is none that anybody should use.
_LEAST = 3


def secrets_of(env: Mapping[str, str]) -> tuple[str, ...]:
    """The values that are never to be printed, the longest first: one may be a part of another."""
    found = {value.strip() for name, value in env.items() if _SECRET.search(name)}
    logins = {part for value in env.values() for login in _LOGIN.findall(value) for part in login.split(":")[1:]}
    return tuple(sorted((value for value in found | logins if len(value) >= _LEAST), key=len, reverse=True))


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """The text without them, and without who logs in to a URL.

    Example: ("s3:https://me:hidden@host/x: hidden is wrong", ("hidden",)) -> "s3:https://***@host/x: *** is wrong".
    """
    for secret in secrets:
        text = text.replace(secret, "***")
    return _LOGIN.sub("***", text)
