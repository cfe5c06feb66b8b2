"""Bicep without its compiler, which PyPI, npm and Debian have not: its grammar, a check of names.

The grammar is tree-sitter's for Bicep. On top of it: every name that is used is declared, every
parameter and variable is used, modules get the parameters that they have, and are asked for outputs
that they have. What only Azure's own type definitions know, the properties of resources, stays
unchecked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

__all__ = ["Expression", "Template", "faults", "read_template"]

_PARSER = Parser(Language(tree_sitter_bicep.language()))
_DECLARATIONS = {
    "parameter_declaration": "parameters",
    "variable_declaration": "variables",
    "resource_declaration": "resources",
    "module_declaration": "modules",
    "output_declaration": "outputs",
}


class Expression(str):
    """What is no literal: a name, a call, an operator, as it is written."""


@dataclass
class Template:
    """What one file declares and uses.

    Attributes:
        parameters: name -> whether it must be given.
        defaults: parameter -> what it is when it is not given.
        decorators: parameter -> its decorators, name -> first argument, None where it has none.
        modules: name -> (file, parameters that it is given).
        conditions: module -> when it is deployed, as written.
        resources: name -> type with version; those inside of others, too.
        bodies: resource -> what it says: objects and lists, strings without their quotation marks,
            numbers, booleans, and every other thing as an Expression.
        asked: (module, output) that is read.
        texts: every string that has nothing to fill in.
        mistakes: what the grammar does not allow, as line and text.
    """

    parameters: dict[str, bool] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    decorators: dict[str, dict[str, Any]] = field(default_factory=dict)
    variables: set[str] = field(default_factory=set)
    resources: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    modules: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    loops: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    asked: set[tuple[str, str]] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)


def read_template(text: str) -> Template:
    """Reads a file; mistakes are in the answer."""
    template = Template()
    for node in _walk(_PARSER.parse(text.encode()).root_node):
        if node.type == "ERROR" or node.is_missing:
            template.mistakes.append(f"line {node.start_point[0] + 1}: {_text(node)[:60]}")
        elif node.type in _DECLARATIONS:
            _declare(template, node)
        elif node.type == "for_statement":
            template.loops.add(_text(node.child_by_field_name("initializer")))
        elif node.type == "identifier" and _is_use(node):
            template.used.add(_text(node))
        elif node.type == "call_expression":
            template.called.add(_text(node.child_by_field_name("function")))
        elif node.type == "string" and all(c.type != "interpolation" for c in node.children):
            template.texts.append(_text(node).strip("'"))
        elif node.type == "member_expression":
            parts = _text(node).split(".")
            if len(parts) == 3 and parts[1] == "outputs":
                template.asked.add((parts[0], parts[2]))
    return template


def faults(templates: dict[str, Template]) -> list[str]:
    """What does not fit together, as sentences; file name -> what it holds."""
    found = []
    for file, each in templates.items():
        found += [f"{file}, {mistake}" for mistake in each.mistakes]
        declared = {*each.parameters, *each.variables, *each.resources, *each.modules, *each.loops}
        found += [f"{file}: {name} is not declared" for name in sorted(each.used - declared)]
        idle = ({*each.parameters} | each.variables) - each.used
        found += [f"{file}: {name} is not used" for name in sorted(idle)]
        for name, (target, given) in each.modules.items():
            if target not in templates:
                found.append(f"{file}: there is no {target}")
                continue
            wanted = templates[target].parameters
            needed = {parameter for parameter, must in wanted.items() if must}
            found += [f"{file}: {name} has no parameter {one}" for one in given - set(wanted)]
            found += [f"{file}: {name} needs {one}" for one in sorted(needed - given)]
        for name, output in each.asked:
            target = each.modules.get(name, ("", set()))[0]
            if target in templates and output not in templates[target].outputs:
                found.append(f"{file}: {name} has no output {output}")
    return found


def _declare(template: Template, node: Node) -> None:
    name = _text(next(child for child in node.children if child.type == "identifier"))
    strings = [_text(child).strip("'") for child in node.children if child.type == "string"]
    match _DECLARATIONS[node.type]:
        case "parameters":
            template.parameters[name] = all(child.type != "=" for child in node.children)
            template.decorators[name] = _decorators(node)
            if not template.parameters[name]:
                template.defaults[name] = _value(node.children[-1])
        case "variables":
            template.variables.add(name)
        case "resources":
            template.resources[name] = strings[0]
            template.bodies[name] = _value(_body(node))
        case "modules":
            template.modules[name] = (strings[0], _given(node))
            for child in node.children:
                if child.type == "if_statement":
                    template.conditions[name] = _text(child.named_children[0])
        case _:
            template.outputs.add(name)


def _given(module: Node) -> set[str]:
    for item in _body(module).children:
        if item.type == "object_property" and _text(item.children[0]) == "params":
            given = item.children[-1]
            return {_text(one.children[0]) for one in given.children if one.type.endswith("erty")}
    return set()


def _body(declaration: Node) -> Node:
    """What follows the sign of equality, without a condition or a loop around it."""
    node = declaration
    while node.type != "object":
        node = next(
            child
            for child in node.children
            if child.type in ("object", "if_statement", "for_statement")
        )
    return node


def _decorators(parameter: Node) -> dict[str, Any]:
    before = parameter.prev_named_sibling
    found: dict[str, Any] = {}
    if before is not None and before.type == "decorators":
        for decorator in before.named_children:
            call = decorator.named_children[0]
            arguments = call.child_by_field_name("arguments")
            given = arguments.named_children if arguments else []
            found[_text(call.child_by_field_name("function"))] = _value(given[0]) if given else None
    return found


def _value(node: Node) -> Any:
    if node.type == "object":
        items = [item for item in node.children if item.type == "object_property"]
        # A resource inside of a resource is in `resources` by its own name.
        pairs = [item.named_children for item in items if len(item.named_children) == 2]
        return {_text(name).strip("'"): _value(value) for name, value in pairs}
    if node.type == "array":
        return [_value(item) for item in node.named_children if item.type != "comment"]
    if node.type == "string":
        return _text(node)[1:-1]
    if node.type == "number":
        return int(_text(node))
    if node.type == "boolean":
        return _text(node) == "true"
    return Expression(_text(node))


def _is_use(node: Node) -> bool:
    parent = node.parent
    assert parent is not None
    if parent.type in _DECLARATIONS:
        first = next(child for child in parent.children if child.type == "identifier")
        return node.start_byte != first.start_byte
    if parent.type == "object_property":
        return node.start_byte != parent.children[0].start_byte
    if parent.type == "for_statement":
        return node.start_byte != _start(parent.child_by_field_name("initializer"))
    if parent.type == "resource_expression":
        return node.start_byte == parent.start_byte
    return parent.type not in ("call_expression", "type", "decorator") or (
        parent.type == "call_expression"
        and node.start_byte != _start(parent.child_by_field_name("function"))
    )


def _start(node: Node | None) -> int:
    return node.start_byte if node else -1


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _text(node: Node | None) -> str:
    assert node is not None and node.text is not None
    return node.text.decode()
