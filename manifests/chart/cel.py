"""Reads the part of CEL that the rules of the CRD are written in."""

import ast
import re
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Value:
    """A literal."""

    value: str | float | bool


@dataclass(frozen=True)
class Name:
    """A variable, such as `self`, or a type, such as `int`."""

    name: str


@dataclass(frozen=True)
class Select:
    """`of.field`."""

    of: "Node"
    field: str


@dataclass(frozen=True)
class Index:
    """`of[at]`."""

    of: "Node"
    at: "Node"


@dataclass(frozen=True)
class Has:
    """`has(of.field)`."""

    field: Select


@dataclass(frozen=True)
class Call:
    """`of.function(arguments)`; of: None for a function of its own."""

    function: str
    of: "Node | None"
    arguments: tuple["Node", ...]


@dataclass(frozen=True)
class Loop:
    """`over.all(variable, body)`, and the like."""

    kind: Literal["all", "exists", "exists_one"]
    over: "Node"
    variable: str
    body: "Node"


@dataclass(frozen=True)
class Items:
    """A list of expressions."""

    items: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    """`!of`."""

    of: "Node"


@dataclass(frozen=True)
class Binary:
    """`left operator right`."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class Choice:
    """`condition ? then : otherwise`."""

    condition: "Node"
    then: "Node"
    otherwise: "Node"


Node = Value | Name | Select | Index | Has | Call | Loop | Items | Not | Binary | Choice

_TOKENS: Final = re.compile(
    r"""\s*(?:(?P<text>r?'(?:[^'\\]|\\.)*'|r?"(?:[^"\\]|\\.)*")|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<sign>&&|\|\||==|!=|<=|>=|[-!<>+*/?:.,()\[\]]))"""
)
#: From what binds least to what binds most.
_BINARY: Final = (("||",), ("&&",), ("==", "!=", "<=", ">=", "<", ">", "in"), ("+", "-"), ("*", "/"))
_WORDS: Final = {"true": True, "false": False}


def parsed(text: str) -> Node:
    """The tree of an expression. Raises ValueError for what is not in the part of CEL that is known here."""
    reader = _Reader(_tokens(text))
    found = reader.choice()
    if reader.kind:
        raise ValueError(f"{reader.word!r} is left over in {text}")
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKENS.match(text, at)
        if match is None or match.lastgroup is None:
            raise ValueError(f"no CEL that is known here: {text[at:]}")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = [*tokens, ("", "")]
        self._at = 0

    @property
    def kind(self) -> str:
        """That of the next token, "" at the end."""
        return self._tokens[self._at][0]

    @property
    def word(self) -> str:
        """The next token."""
        return self._tokens[self._at][1]

    def choice(self) -> Node:
        """Reads a whole expression."""
        condition = self._binary(0)
        if not self._takes("?"):
            return condition
        then = self.choice()
        self._needs(":")
        return Choice(condition, then, self.choice())

    def _binary(self, level: int) -> Node:
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while self.kind in ("sign", "name") and self.word in _BINARY[level]:
            left = Binary(self._next(), left, self._binary(level + 1))
        return left

    def _unary(self) -> Node:
        return Not(self._unary()) if self._takes("!") else self._member()

    def _member(self) -> Node:
        found = self._primary()
        while True:
            if self._takes("."):
                found = self._after_dot(found)
            elif self._takes("["):
                found = Index(found, self.choice())
                self._needs("]")
            else:
                return found

    def _after_dot(self, of: Node) -> Node:
        name = self._next()
        if not self._takes("("):
            return Select(of, name)
        arguments = self._list(")")
        if name in ("all", "exists", "exists_one"):
            variable, body = arguments
            assert isinstance(variable, Name)
            return Loop(name, of, variable.name, body)  # type: ignore[arg-type]
        return Call(name, of, arguments)

    def _primary(self) -> Node:
        kind, word = self.kind, self._next()
        if kind == "text":
            return Value(ast.literal_eval(word))
        if kind == "number":
            return Value(float(word))
        if word == "(":
            found = self.choice()
            self._needs(")")
            return found
        if word == "[":
            return Items(self._list("]"))
        if kind != "name":
            raise ValueError(f"{word!r} begins no expression")
        return self._named(word)

    def _named(self, word: str) -> Node:
        if word in _WORDS:
            return Value(_WORDS[word])
        if not self._takes("("):
            return Name(word)
        arguments = self._list(")")
        if word == "has":
            assert isinstance(arguments[0], Select)
            return Has(arguments[0])
        return Call(word, None, arguments)

    def _list(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._takes(end):
            found.append(self.choice())
            if self.word != end:
                self._needs(",")
        return tuple(found)

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _takes(self, sign: str) -> bool:
        is_next = self.kind == "sign" and self.word == sign
        self._at += is_next
        return is_next

    def _needs(self, sign: str) -> None:
        if not self._takes(sign):
            raise ValueError(f"{self.word!r} where {sign!r} was expected")
