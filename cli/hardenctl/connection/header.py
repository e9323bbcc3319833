"""Values from a kubeconfig as HTTP headers. What cannot be sent is named by its field, and never shown: it may be a secret."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from hardenctl.output.outcome import CommandEnd, usage

#: What else may stand in the name of a header, by RFC 9110, beside letters, digits and `_.-~`.
_NAME_CHARACTERS = "!#$&'*+^`|"


def value(text: str, field: str) -> str:
    """A header's value: without white space around it, in UTF-8, as a string of its bytes. field: where it comes from, for the error.

    Raises CommandEnd (usage) for a control character, which no header can hold.
    """
    text = text.strip()
    if any(c < " " or c == "\x7f" for c in text):
        raise _unsendable(field)
    try:
        return text.encode(errors="surrogateescape").decode("latin-1")
    except UnicodeEncodeError:
        raise _unsendable(field) from None


def impersonation(user: Mapping[str, Any], flag: str) -> Iterator[tuple[str, str]]:
    """The headers of acting as somebody else, one for each value, as kubectl sends them. flag: --as, before the kubeconfig's own.

    Groups, uid and the rest count only beside a name. Raises CommandEnd (usage) for what no header can hold.
    """
    name = flag or str(user.get("as") or "")
    if not name:
        return
    yield "Impersonate-User", value(name, "--as" if flag else "the kubeconfig's as")
    if user.get("as-uid"):
        yield "Impersonate-Uid", value(str(user["as-uid"]), "the kubeconfig's as-uid")
    for at, group in enumerate(user.get("as-groups") or ()):
        yield "Impersonate-Group", value(group, f"the kubeconfig's as-groups[{at}]")
    for key, values in (user.get("as-user-extra") or {}).items():
        for each in values or ():
            yield f"Impersonate-Extra-{_name(str(key))}", value(each, f"the kubeconfig's as-user-extra.{key}")


def _name(key: str) -> str:
    try:
        return quote(key, safe=_NAME_CHARACTERS)
    except UnicodeEncodeError:
        raise _unsendable("a key of the kubeconfig's as-user-extra") from None


def _unsendable(field: str) -> CommandEnd:
    return usage(f"{field} cannot be sent: it has a control character in it", "it is not shown, since it may be a secret")
