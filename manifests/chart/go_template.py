"""CEL as a Go template, for Helm: a rule of the CRD is held by the chart, too, before anything is sent.

Numbers are floats in these templates, as `fromJson` gives them. An expression is written as a pipeline where it can be; what repeats, or
must not be looked at before something else is known, becomes actions before it that fill a variable.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from manifests.chart.cel import Binary, Call, Choice, Has, Index, Items, Loop, Name, Node, Not, Select, Value, parsed


class NotHere(Exception):
    """That a rule cannot be said in a template: the API server alone holds it."""


def template(rule: str) -> str:
    """The actions that print `true` for a value for which the rule holds, and `false` for another. The value is the dot.

    `oldSelf` is that of an object that is new. Raises NotHere.
    """
    writer = _Writer()
    result = writer.expression(parsed(rule))
    return "".join(f"{{{{- {action} }}}}" for action in ["$self := .", *writer.actions, result])


_COMPARED = {"==": "eq", "!=": "ne", "<=": "le", ">=": "ge", "<": "lt", ">": "gt"}
_COUNTED = {"+": "addf", "-": "subf", "*": "mulf", "/": "divf"}
#: Methods whose argument comes first, and functions: by their name in CEL.
_METHODS = {"contains": "contains", "startsWith": "hasPrefix", "endsWith": "hasSuffix", "matches": "regexMatch", "split": "splitList"}
_PARTS = "hardened-service."


@dataclass
class _Writer:
    actions: list[str] = field(default_factory=list)
    """What goes before the expression."""
    names: list[int] = field(default_factory=lambda: [0])
    """How many variables there are."""

    def expression(self, node: Node) -> str:
        """A pipeline in parentheses, or a plain operand."""
        match node:
            case Value(value=value):
                return json.dumps(value)  # of a float, repr
            case Name(name=name):
                return f"${name}"
            case Binary():
                return self._binary(node)
            case Choice():
                return self._choice(node)
            case Loop():
                return self._loop(node)
            case Call():
                return self._call(node)
            case Not(of=of):
                return f"(not {self.expression(of)})"
        return self._part(node)

    def _part(self, node: Select | Has | Index | Items) -> str:
        match node:
            case Select(of=of, field=name):
                return f"(get {self.expression(of)} {json.dumps(name)})"
            case Has(field=Select(of=of, field=name)):
                return f"(hasKey {self.expression(of)} {json.dumps(name)})"
            case Index(of=of, at=Name() as at):
                return f"(index {self.expression(of)} {self.expression(at)})"
            case Index(of=of, at=at):
                return f"(index {self.expression(of)} (int {self.expression(at)}))"
            case Items(items=items):
                return f"(list {' '.join(map(self.expression, items))})"

    def _binary(self, node: Binary) -> str:
        match node:
            case Binary(operator="&&" | "||" as operator, left=left, right=right):
                return self._either(operator, left, right)
            case Binary(operator="in", left=left, right=right):
                return self._within(left, right)
            case Binary(operator="==", left=Call(function="type", arguments=(of,)), right=Name(name="int")):
                return f'(kindIs "float64" {self.expression(of)})'
        if node.operator == "+" and _is_text(node):
            return f'(printf "%s%s" {self.expression(node.left)} {self.expression(node.right)})'
        function = _COMPARED.get(node.operator) or _COUNTED[node.operator]
        return f"({function} {self.expression(node.left)} {self.expression(node.right)})"

    def _either(self, operator: str, left: Node, right: Node) -> str:
        first, then = self.expression(left), self._apart(right)
        if not then.actions:
            return f"({'and' if operator == '&&' else 'or'} {first} {then.result})"
        return self._filled(first, f"if {'' if operator == '&&' else 'not '}$", [*then.actions, f"$ = {then.result}", "end"])

    def _within(self, left: Node, right: Node) -> str:
        one, of = self.expression(left), self.expression(right)
        if isinstance(right, Items):
            return f"(has {one} {of})"
        return self._filled("false", f'if kindIs "map" {of}', [f"$ = hasKey {of} {one}", "else", f"$ = has {one} {of}", "end"])

    def _choice(self, node: Choice) -> str:
        condition, then, otherwise = self.expression(node.condition), self._apart(node.then), self._apart(node.otherwise)
        is_harmless = isinstance(node.then, Value) or (isinstance(node.condition, Has) and node.condition.field == node.then)
        if is_harmless and isinstance(node.otherwise, Value):
            return f"(ternary {then.result} {otherwise.result} {condition})"
        taken = [*then.actions, f"$ = {then.result}", "else", *otherwise.actions, f"$ = {otherwise.result}", "end"]
        return self._filled("false", f"if {condition}", taken)

    def _loop(self, node: Loop) -> str:
        items, body = self._filled(self.expression(node.over), 'if kindIs "map" $', ["$ = keys $", "end"]), self._apart(node.body)
        start, changed = {"all": ("true", f"if not {body.result}"), "exists": ("false", f"if {body.result}")}.get(
            node.kind, ("0", f"if {body.result}")
        )
        after = {"all": "$ = false", "exists": "$ = true"}.get(node.kind, "$ = add1 $")
        found = self._filled(start, f"range ${node.variable} := {items}", [*body.actions, changed, after, "end", "end"])
        return found if node.kind != "exists_one" else f"(eq (int {found}) 1)"

    def _call(self, node: Call) -> str:
        arguments = [self.expression(each) for each in node.arguments]
        if node.of is None:
            return self._function(node.function, arguments)
        if node == Call("hasValue", Name("oldSelf"), ()):
            return "false"
        if node == Call("value", Name("oldSelf"), ()):
            return "dict"
        of = self.expression(node.of)
        if node.function in _METHODS:
            return f"({_METHODS[node.function]} {arguments[0]} {of})"
        methods: dict[str, Callable[[], str]] = {
            "size": lambda: f"(len {of} | float64)",
            "findAll": lambda: f"(regexFindAll {arguments[0]} {of} -1)",
            "compareTo": lambda: f"(subf {of} {arguments[0]})",
            "isInteger": lambda: f"(eq (floor {of}) {of})",
            "getSeconds": lambda: f"(floor (divf {of} 1000.0))",
        }
        if node.function not in methods:
            raise NotHere(node.function)
        return methods[node.function]()

    def _function(self, name: str, arguments: list[str]) -> str:
        functions = {
            "size": "(len {} | float64)",
            "int": "(float64 {})",
            "string": "{}",
            "quantity": f'(include "{_PARTS}amount" {{}} | float64)',
            "duration": f'(include "{_PARTS}milliseconds" {{}} | float64)',
        }
        if name not in functions:
            raise NotHere(name)
        return functions[name].format(*arguments)

    def _apart(self, node: Node) -> "_Apart":
        writer = _Writer(names=self.names)
        result = writer.expression(node)
        return _Apart(writer.actions, result)

    def _filled(self, start: str, block: str, actions: list[str]) -> str:
        """A variable that the block fills. A lone `$` in these is that variable."""
        self.names[0] += 1
        name = f"$v{self.names[0]}"
        written = [f"{name} := {start}", *(_with_name(each, name) for each in (block, *actions))]
        self.actions += written
        return name


@dataclass(frozen=True)
class _Apart:
    """What an expression comes to that is not always looked at."""

    actions: list[str]
    result: str


def _is_text(node: Node) -> bool:
    """Whether a sum is of texts, one of which stands in it."""
    match node:
        case Binary(operator="+", left=left, right=right):
            return _is_text(left) or _is_text(right)
        case Value(value=str()):
            return True
    return False


def _with_name(action: str, name: str) -> str:
    words = action.split(" ")
    return " ".join(name if word == "$" else word for word in words)
