"""Functions that depend on more than their arguments: which statements one server must answer for them. No I/O."""

from __future__ import annotations

from sqlglot import exp

from skyshard.czar.bind.bound_statement import Bound
from skyshard.czar.sql.function_places import Place, place_of


def one_server_reason(bound: Bound) -> str:
    """Why a statement cannot be answered chunk by chunk because of a function in it; empty if it can."""
    places = {name: place_of(name) for name in sorted(bound.functions)}
    for name, place in places.items():
        if place is Place.ONE_SERVER:
            return f"{name}() is computed by one server"
    varying = [name for name, place in places.items() if place is Place.EACH_CALL]
    if not varying:
        return ""
    if any(_is_seeded(node) for node in bound.tree.find_all(exp.Anonymous)):
        return "RAND() with a seed is one series"
    select = bound.blocks[0].select
    if select.args.get("having") is not None or select.args.get("group") is not None:
        return f"{varying[0]}() beside GROUP BY or HAVING, which read its value again"
    return ""


def is_steady(node: exp.Expr) -> bool:
    """True when no call in a tree gives another value for the same arguments."""
    names = (call.name or "CURRENT_USER" for call in node.find_all(exp.Anonymous, exp.CurrentUser))
    return all(place_of(name) in (Place.ANYWHERE, Place.ONCE) for name in names)


def _is_seeded(node: exp.Anonymous) -> bool:
    """RAND(5): the same numbers wherever it begins. RAND(column) begins again with each row."""
    return node.name.upper() == "RAND" and bool(node.expressions) and not any(node.find_all(exp.Column))
