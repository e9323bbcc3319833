"""Which service somebody means by a NAME at the prompt."""

from hardenctl.output.outcome import usage
from hardenctl.output.program import PROG
from hardened.api import names

#: What may stand before the slash: as kubectl takes it, and as its `-o name` prints it.
_KINDS = frozenset(
    {"hs", *(f"{word}{group}" for word in (names.SINGULAR, names.PLURAL) for group in ("", f".{names.GROUP}", f".v1alpha1.{names.GROUP}"))}
)


def service_name(text: str) -> str:
    """The name alone. Examples: "shop" -> "shop"; "hs/shop" -> "shop"; "hardenedservice.hardened.dev/shop" -> "shop".

    Raises CommandEnd (usage) for nothing, for an object of another kind, and for what no object can be called.
    """
    kind, slash, rest = text.partition("/")
    name = rest if slash else text
    if slash and kind.lower() not in _KINDS:
        raise usage(f"NAME {text!r} is no {names.KIND}", f"write it as {rest or 'shop'}, or hs/{rest or 'shop'}")
    if not name.strip():
        raise usage("NAME is empty", f"name a service: {PROG} get lists them")
    if name in (".", "..") or any(c in "/%" or not c.isprintable() or c.isspace() for c in name):
        raise usage(f"NAME {text!r} cannot be the name of a service", "it has lower case letters, digits and - only")
    return name
