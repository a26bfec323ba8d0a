"""The conditions of rules: ``drug and not bone and (pain or pus)``, ``wall == "over"``.

A condition is a text of criteria, terms, ``and``, ``or``, ``not``, brackets and equality;
nothing else is read. It is evaluated over arrays at once: one axis an unknown criterion.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def parsed(condition: str) -> ast.expr:
    """Return a condition as a tree.

    Raises
    ------
    ValueError
        If it holds anything but what a condition may.
    """
    tree = ast.parse(condition, mode="eval").body
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"{ast.dump(node)} in the condition {condition!r}")
    return tree


_ALLOWED = (
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.Name,
    ast.Load,
    ast.Compare,
    ast.Eq,
    ast.Constant,
)


def names(tree: ast.expr) -> frozenset[str]:
    """Return the criteria and terms that a condition names."""
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def evaluate(
    tree: ast.expr, values: Mapping[str, NDArray[np.object_] | NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Return where a condition holds.

    Parameters
    ----------
    tree : ast.expr
        From `parsed`.
    values : mapping of str to array
        The value of each name, broadcastable against each other.
    """
    match tree:
        case ast.BoolOp(op=operator, values=parts):
            held = [evaluate(part, values) for part in parts]
            join = np.logical_and if isinstance(operator, ast.And) else np.logical_or
            result = held[0]
            for other in held[1:]:
                result = join(result, other)
            return result
        case ast.UnaryOp(operand=operand):
            return np.logical_not(evaluate(operand, values))
        case ast.Compare(left=ast.Name(id=name), comparators=[ast.Constant(value=one)]):
            return np.asarray(values[name] == one, dtype=bool)
        case ast.Name(id=name):
            return np.asarray(values[name], dtype=bool)
        case _:
            raise ValueError(f"{ast.dump(tree)} in a condition")
