"""Reads a command line that is not finished, and says what can stand at its end."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hardenctl.app import GROUPS, VERBS, verb_first
from hardenctl.completing.live_names import Names

#: The shell's own completion of files is to take over.
FILES: Names = {":files": ""}
#: By the words that a place is called by in the help: what is proposed there. Whatever has | in it is a list of words.
_PLACES = {"REVISION": "revision", "R": "revision", "OLD": "revision", "NEW": "revision", "BACKUP": "backup", "FILE": ":files"}
_NAMESPACE = ("--namespace", "-n")
_NAMES = ("NAME", "[NAME]...", "NAME|REASON")

#: Names on the cluster: of a kind, and of the service that they belong to, under the flags that were typed.
Ask = Callable[[Mapping[str, str], str, str], Names]


@dataclass(frozen=True)
class Typed:
    """A command line up to the cursor."""

    verb: tuple[str, ...]
    """() while none was typed."""
    arguments: tuple[str, ...]
    """Those of the verb that stand before the cursor."""
    flags: Mapping[str, str]
    """The options that were typed with a value."""
    option: str
    """The one whose value is at the cursor, "" for none."""
    current: str
    """The word at the cursor, as far as it was typed."""


def proposals(words: Sequence[str], ask: Ask) -> Names:
    """What the last word can become. words: all of them after the program's name; the last one may be empty."""
    verb = _verb_of(words)
    if not verb or (len(verb) == 1 and verb[0] in GROUPS):
        if words[-2:-1] and words[-2] in _NAMESPACE:
            return _beginning(ask({}, "namespace", ""), words[-1])
        return {} if words[-1].startswith("-") else _beginning(_verbs(verb), words[-1])
    params = _params(verb)
    typed = read(words, verb, params)
    found = _at_cursor(typed, params, ask)
    prefix = f"{typed.option}=" if words[-1].startswith("--") and "=" in words[-1] else ""
    return found if found is FILES else {f"{prefix}{name}": about for name, about in _beginning(found, typed.current).items()}


def read(words: Sequence[str], verb: tuple[str, ...], params: Mapping[str, Any]) -> Typed:
    """params: by each of its spellings, the option; the arguments by their place, as "0"."""
    flags, arguments, option, rest = dict[str, str](), list[str](), "", list(_split(words))
    *before, current = rest
    for word in before:
        if option:
            flags[option], option = word, ""
        elif word.startswith("-"):
            option = word if word in params and not params[word].is_flag else ""
        else:
            arguments.append(word)
    return Typed(verb, tuple(arguments[len(verb) :]), flags, option, current)


def _split(words: Sequence[str]) -> list[str]:
    """--flag=value as two words, however the shell cuts it. Example: ["--for", "=", "he"] -> ["--for", "he"]."""
    found: list[str] = []
    for word in words:
        if word == "=" and found:
            found.append("")
            continue
        if found and found[-1] == "" and len(found) > 1 and found[-2].startswith("--"):
            found[-1] = word
            continue
        name, equals, value = word.partition("=")
        found += [name, value] if equals and word.startswith("--") else [word]
    return found


def _verb_of(words: Sequence[str]) -> tuple[str, ...]:
    """The verb that stands before the cursor, with its group. Flags with a value may come first."""
    match verb_first(words[:-1]):
        case [group, verb, *_] if group in GROUPS and verb in _group(group):
            return (group, verb)
        case [verb, *_] if verb in VERBS:
            return (verb,)
    return ()


def _group(name: str) -> Mapping[str, str]:
    found: Mapping[str, str] = importlib.import_module(f"hardenctl.commands.{name}").VERBS
    return found


def _verbs(verb: tuple[str, ...]) -> Names:
    return _group(verb[0]) if verb else {**VERBS, "help": "Show the help of a verb."}


def _params(verb: tuple[str, ...]) -> Mapping[str, Any]:
    """By each of its spellings, an option of the verb; its arguments by their place."""
    from hardenctl.verbs import command

    module: Any = importlib.import_module(f"hardenctl.commands.{'.'.join(verb)}")
    found: dict[str, Any] = {}
    at = 0
    for param in command(" ".join(verb), module, "").params:
        if param.param_type_name == "argument":
            found[str(at)], at = param, at + 1
        else:
            found |= dict.fromkeys((*param.opts, *param.secondary_opts), param)
    return found


def _at_cursor(typed: Typed, params: Mapping[str, Any], ask: Ask) -> Names:
    if typed.option:
        return _of_place(str(params[typed.option].metavar or ""), typed, typed.option, ask)
    if typed.current.startswith("-"):
        options = {name: param for name, param in params.items() if name.startswith("--")}
        return {name: str(param.help or "").partition(". ")[0].rstrip(".") for name, param in options.items()}
    place = params.get(str(len(typed.arguments))) or _last_argument(params)
    return _of_place(str(place.metavar or ""), typed, "", ask) if place else {}


def _last_argument(params: Mapping[str, Any]) -> Any:
    """The one that takes all that follow, if there is one."""
    last = [param for name, param in params.items() if name.isdecimal()]
    return last[-1] if last and last[-1].nargs == -1 else None


def _of_place(place: str, typed: Typed, option: str, ask: Ask) -> Names:
    if option in _NAMESPACE:
        return ask(typed.flags, "namespace", "")
    if place in _NAMES:
        return {**ask(typed.flags, "service", ""), **(_reasons(typed.current) if "REASON" in place else {})}
    kind = _PLACES.get(place, "")
    if kind == ":files":
        return FILES
    if kind:
        return ask(typed.flags, kind, typed.arguments[0]) if typed.arguments else {}
    if place == "VERB":
        from hardenctl.cluster.rights import VERB_RIGHTS

        return dict.fromkeys(VERB_RIGHTS, "")
    return {word: "" for word in place.split("|") if word and not word.isupper()} if "|" in place else {}


def _reasons(current: str) -> Names:
    if not current[:1].isupper():
        return {}
    from hardened.core.model.reasons import MEANING

    return {str(reason): meaning for reason, meaning in MEANING.items()}


def _beginning(found: Names, current: str) -> Names:
    return {name: about for name, about in found.items() if name.startswith(current)}
