"""The conditions of rules: ``drug and not bone and (pain or pus)``, ``wall == "over"``.

A condition is a text of criteria, terms, ``and``, ``or``, ``not``, brackets and equality;
nothing else is read. It is evaluated over arrays at once: one axis an unknown criterion.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@cache
def parsed(condition: str) -> ast.expr:
    """Return a condition as a tree.

    Raises
    ------
    ValueError
        If it holds anything but what a condition may.
    """
    try:
        tree = ast.parse(condition, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{error.msg} in the condition {condition!r}") from None
    strange = _strange(tree)
    if strange is not None:
        raise ValueError(f"{ast.unparse(strange)!r} in the condition {condition!r}")
    return tree


def _strange(tree: ast.expr) -> ast.expr | None:
    """Return the first part that is none of a condition."""
    match tree:
        case ast.BoolOp(values=parts):
            return next(filter(None, map(_strange, parts)), None)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _strange(operand)
        case ast.Compare(
            left=ast.Name(),
            ops=[ast.Eq()],
            comparators=[ast.Constant(value=str() | int())],
        ):
            return None
        case ast.Name():
            return None
        case _:
            return tree


def names(tree: ast.expr) -> frozenset[str]:
    """Return the criteria and terms that a condition names."""
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def comparisons(tree: ast.expr) -> frozenset[tuple[str, str | int]]:
    """Return each name that a condition compares, with what it is compared with."""
    return frozenset(
        (node.left.id, node.comparators[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Name)
        and isinstance(node.comparators[0], ast.Constant)
        and isinstance(node.comparators[0].value, str | int)
    )


def truths(tree: ast.expr) -> frozenset[str]:
    """Return the names that a condition takes as true or false by themselves."""
    compared = {id(node.left) for node in ast.walk(tree) if isinstance(node, ast.Compare)}
    return frozenset(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and id(node) not in compared
    )


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
