"""Rules of IF, CASE and functions: values of which one is taken have one type. No I/O."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from skyshard.czar.columns.proof_rule import Proving, in_range, truth_of
from skyshard.czar.columns.terms import (
    Kind,
    NotProven,
    Term,
    as_double,
    as_number,
)


def _one_of(terms: list[Term]) -> tuple[list[str], Term]:
    """Values of which one is taken: their texts in one type, and what that is."""
    numbers = [as_number(term) for term in terms]
    if any(term.kind is Kind.DECIMAL for term in numbers):
        raise NotProven("a choice of DECIMALs")
    if any(term.is_real for term in numbers):
        most = max(term.greatest for term in numbers)
        return [as_double(term) for term in numbers], Term("", Kind.DOUBLE, most=most)
    low, high = min(term.low for term in numbers), max(term.high for term in numbers)
    unsigned = any(term.is_unsigned for term in numbers)
    made = in_range(Term("", Kind.WHOLE, low, high, unsigned, "BIGINT"))
    return [f"CAST({term.text} AS BIGINT)" for term in numbers], made


def choose_if(node: exp.Expr, prover: Proving) -> Term:
    if node.args.get("false") is None:
        raise NotProven("IF of two arguments")
    (yes, no), made = _one_of([prover.term(node.args["true"]), prover.term(node.args["false"])])
    return replace(made, text=f"(CASE WHEN {truth_of(prover.term(node.this))} THEN {yes} ELSE {no} END)")


def choose_case(node: exp.Expr, prover: Proving) -> Term:
    if node.this is not None:
        raise NotProven("CASE of a value")
    branches, default = node.args["ifs"], node.args.get("default")
    values = [one.args["true"] for one in branches] + ([default] if default is not None else [])
    texts, made = _one_of([prover.term(value) for value in values])
    conditions = [prover.truth(one.this) for one in branches]
    whens = " ".join(f"WHEN {one} THEN {text}" for one, text in zip(conditions, texts, strict=False))
    otherwise = f" ELSE {texts[-1]}" if default is not None else ""
    return replace(made, text=f"(CASE {whens}{otherwise} END)")


def absolute(*terms: Term) -> Term:
    one = as_number(_only(terms))
    if one.is_real:
        return Term(f"abs({as_double(one)})", Kind.DOUBLE, least=one.least, most=one.greatest)
    if not one.is_whole:
        raise NotProven("arithmetic of DECIMALs")
    low = 0 if one.low <= 0 <= one.high else min(abs(one.low), abs(one.high))
    most = max(abs(one.low), abs(one.high))
    return in_range(Term(f"abs(CAST({one.text} AS BIGINT))", Kind.WHOLE, low, most, one.is_unsigned, "BIGINT"))


def root(*terms: Term) -> Term:
    one = as_number(_only(terms))
    text, most = as_double(one), max(1.0, one.greatest)
    return Term(f"(CASE WHEN {text} >= 0e0 THEN sqrt({text}) END)", Kind.DOUBLE, most=most)


def first(*terms: Term) -> Term:
    texts, made = _one_of(list(terms))
    return replace(made, text=f"coalesce({', '.join(texts)})")


def _only(terms: tuple[Term, ...]) -> Term:
    if len(terms) != 1:
        raise NotProven("a function of several arguments")
    return terms[0]
