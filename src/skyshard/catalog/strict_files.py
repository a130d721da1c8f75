"""Reads files into strict models; errors are one line: file, line if known, key, remedy.

Rules: a file's version is checked before anything else in it. One of a later version is refused with the advice to
install a newer release. Files that people write (YAML) may leave the version out where their model has a default; files
that Skyshard writes (JSON) may not. A key that is given twice in one mapping of a YAML file is refused.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from skyshard.basics.errors import UserError
from skyshard.basics.lazy import lazy_module
from skyshard.basics.near_names import did_you_mean, near_names
from skyshard.catalog.truth_values import truth_for_number
from skyshard.host.file_versions import refuse_newer

if TYPE_CHECKING:
    import yaml
else:
    yaml = lazy_module("yaml")

M = TypeVar("M", bound=BaseModel)
KeyPath = Sequence[str | int]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys, infinities and NaN; all files of the bench are such models."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NamedKeys(Strict):
    """One whose error about a key that it does not know names the nearest that there is."""

    @model_validator(mode="before")
    @classmethod
    def _has_known_keys(cls, content: Any) -> Any:
        for key in content if isinstance(content, dict) else ():
            if key not in cls.model_fields:
                remedy = did_you_mean(near_names(str(key), cls.model_fields), f"keys are {', '.join(cls.model_fields)}")
                raise broken_rule("there is no such key", [key], remedy)
        return content


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A YAML file that was read, with its text, so that later faults can name their line."""

    path: Path
    text: str

    def fault(self, place: KeyPath, message: str, remedy: str) -> UserError:
        """An error that names file, line and key."""
        line, known = find_key(self.text, place)
        where = ".".join(map(str, known)) or "top level"
        return UserError(f"'{self.path}', line {line}, key '{where}': {message}", remedy=remedy)


def parse_model(model: type[M], path: Path) -> M:
    """Read one YAML file as one strict model; errors are one line with file and key."""
    return validate_model(model, load_yaml(path), path)


def load_yaml(path: Path) -> Any:
    """The content of a YAML file; ``UserError`` names the file that cannot be read."""
    return parse_yaml(read_text(path, "YAML"), f"'{path}'")


def read_text(path: Path, kind: str) -> str:
    """The text of a file that people write; ``UserError`` names one that cannot be read, or is not of this kind."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror}", remedy="check the path") from None
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}' is not {kind}: {error}", remedy="save it as UTF-8") from None


def parse_yaml(text: str, what: str) -> Any:
    """The content of a text in YAML; ``what`` is how an error names it.

    Raises:
        UserError: it is not YAML, or a key is given twice, which would silently mean its last value.
    """
    loader = node = None
    try:
        loader = _loader(text)(text)
        node = loader.get_single_node()
        _refuse_twice(node, what)
        return None if node is None else loader.construct_document(node)
    except RecursionError:
        raise UserError(f"{what} is nested too deeply", remedy="fix the file") from None
    except (yaml.YAMLError, *_NO_VALUE) as error:
        line, words = _wrong_in_yaml(error, text, loader, node)
        where = f", line {line}" if line else ""
        raise UserError(f"{what}{where}: it is not YAML: {words}", remedy="fix the file") from None
    finally:
        if loader is not None:
            loader.dispose()


def _wrong_in_yaml(error: Exception, text: str, loader: Any, root: yaml.Node | None) -> tuple[int, str]:
    """The line that is at fault, 0 where it is not known, and what is wrong with it."""
    if mark := getattr(error, "problem_mark", None):
        return mark.line + 1, getattr(error, "problem", "")
    if isinstance(error, yaml.reader.ReaderError) and (sign := yaml.reader.Reader.NON_PRINTABLE.search(text)):
        return text.count("\n", 0, sign.start()) + 1, f"the sign #x{ord(sign[0]):02x} cannot be in it"
    for node in _nodes(root):
        if isinstance(node, yaml.ScalarNode):
            try:
                loader.construct_object(node)
            except (yaml.YAMLError, *_NO_VALUE):
                value = node.value if len(node.value) <= _MOST_SHOWN else f"{node.value[:_MOST_SHOWN]}..."
                kind = node.tag.rpartition(":")[2]
                return node.start_mark.line + 1, f"{value!r} is no {_KINDS.get(kind, kind)}"
    return 0, " ".join(str(error).split())


_NO_VALUE = (ValueError, LookupError, AttributeError, ArithmeticError)
"""What a value raises: a date that is none, a number that is empty or too long, a word that a tag calls a truth."""
_KINDS = {"int": "whole number, or too long for one", "float": "number", "timestamp": "date", "bool": "truth value"}
"""By the tag that YAML gives a value, or the file does."""
_MOST_SHOWN = 40


def refuse_twice(text: str, what: str) -> None:
    """UserError for a key that is given twice in a text of YAML or JSON; of JSON that YAML does not read, nothing."""
    with contextlib.suppress(yaml.YAMLError, RecursionError):
        _refuse_twice(yaml.compose(text, _loader(text)), what)


def _refuse_twice(root: yaml.Node | None, what: str) -> None:
    for node in _nodes(root):
        given: set[tuple[str, str]] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None
            if name in given:
                where = f"{what}, line {key.start_mark.line + 1}, key '{key.value}'"
                raise UserError(f"{where}: it is given twice", remedy="keep one of the two")
            given |= {name} if name else set()


def _nodes(root: yaml.Node | None) -> Iterator[yaml.Node]:
    """Every node of a document once: one may be named by aliases, maybe within itself."""
    nodes, seen = [root] if root else [], set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            nodes += [one for pair in node.value for one in pair]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def _loader(text: str) -> Any:
    """The loader in C is ten times as fast, but a text nested some thousand levels deep would end the process."""
    most_levels = text.count("[") + text.count("{") + max(map(len, text.splitlines()), default=0)
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader) if most_levels < _MOST_LEVELS_IN_C else yaml.SafeLoader


_MOST_LEVELS_IN_C = 800
"""A bound of how deeply a text can be nested: flow collections, and columns of its longest line."""


def validate_model(model: type[M], content: Any, path: Path) -> M:
    """Plain values as one strict model; the first wrong key is named."""
    made = _validated(model, content, f"'{path}'", "fix the key")
    if place := truth_for_number(model, content):
        where = ".".join(map(str, place))
        raise UserError(f"'{path}', key '{where}': {_TRUTH_FOR_NUMBER[0]}", remedy=_TRUTH_FOR_NUMBER[1])
    return made


def _validated(model: type[M], content: Any, what: str, remedy: str) -> M:
    refuse_newer(content, known_versions(model), what)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "top level"
        raise UserError(f"{what}, key '{where}': {first['msg']}", remedy=remedy) from None


def broken_rule(message: str, place: KeyPath = (), remedy: str = "fix the key") -> PydanticCustomError:
    """The error of a validator: a sentence, the key at fault below its model, and the remedy."""
    return PydanticCustomError("rule", "{message}", {"message": message, "place": tuple(place), "remedy": remedy})


def read_located(model: type[M], path: Path) -> M:
    """Read one YAML file as one strict model.

    Raises:
        UserError: unreadable, not YAML, or a wrong key: file, line, key, remedy.
    """
    content = load_yaml(path)
    return validate_located(model, content, path.read_text(encoding="utf-8"), f"'{path}'")


def validate_located(model: type[M], content: object, text: str, what: str) -> M:
    """Content as one strict model; ``text`` is the YAML that it was read from, ``what`` its file.

    Raises:
        UserError: a wrong key: file, line, key, remedy.
    """
    refuse_newer(content, known_versions(model), what)
    try:
        made = model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        context = first.get("ctx", {})
        place = [part for part in first["loc"] if part != "[key]"]
        line, known = find_key(text, (*place, *context.get("place", ())))
        where = ".".join(map(str, known)) or "top level"
        message, remedy = _WORDS.get(first["type"], (str(first["msg"]).removeprefix("Value error, "), "fix the key"))
        remedy = f"write {context['expected']}" if "expected" in context else remedy
        remedy = str(context.get("remedy", remedy))
        raise UserError(f"{what}, line {line}, key '{where}': {message}", remedy=remedy) from None
    if misread := truth_for_number(model, content):
        line, known = find_key(text, misread)
        where = ".".join(map(str, known))
        raise UserError(f"{what}, line {line}, key '{where}': {_TRUTH_FOR_NUMBER[0]}", remedy=_TRUTH_FOR_NUMBER[1])
    return made


def known_versions(model: type[BaseModel]) -> tuple[int, ...]:
    """The versions of a file that a model reads; none where the model has no version."""
    field = model.model_fields.get("version")
    return get_args(field.annotation) if field is not None else ()


def parse_written(model: type[M], content: Any, what: str, remedy: str) -> M:
    """Content that Skyshard wrote, as its model, version first.

    Args:
        what: how an error names it.
        remedy: what to do when it is torn, or says no version.

    Raises:
        UserError: a later version, none, or a wrong key, which is named.
    """
    if isinstance(content, Mapping) and "version" not in content:
        raise UserError(f"{what}, key 'version': it is missing", remedy=remedy)
    return _validated(model, content, what, remedy)


def read_written(model: type[M], path: Path, remedy: str, *, if_missing: str = "") -> M:
    """A JSON file that Skyshard wrote (packed when its name ends in ``.gz``), as its model.

    Args:
        remedy: what to do when it is torn, or says no version.
        if_missing: what to do when it is not there; ``remedy`` if not given.

    Raises:
        UserError: it cannot be read, or as ``parse_written``.
    """
    try:
        packed = path.read_bytes()
        content = json.loads(gzip.decompress(packed) if path.suffix == ".gz" else packed)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise UserError(f"cannot read '{path}': {reason}", remedy=if_missing or remedy) from None
    except (ValueError, EOFError, RecursionError) as error:
        raise UserError(f"'{path}' is not JSON: {' '.join(str(error).split())}", remedy=remedy) from None
    return parse_written(model, content, f"'{path}'", remedy)


_TRUTH_FOR_NUMBER = (
    "it is a truth value, as YAML reads yes, no, on and off",
    "write a number, or the word in quotes",
)
_WORDS = {
    "extra_forbidden": ("there is no such key", "drop it, or write its name as the documentation has it"),
    "model_type": ("keys and values are needed", "write them as 'key: value'"),
    "missing": ("it is missing", "add it"),
    "string_type": ("a text is needed", "write one, in quotes if need be"),
    "dict_type": ("keys and values are needed", "write them as 'key: value'"),
    "list_type": ("a list is needed", "write it as [a, b]"),
    "int_type": ("a whole number is needed", "write one, without quotes or a point"),
    "float_type": ("a number is needed", "write one, without quotes"),
    "bool_type": ("a truth value is needed", "write true or false"),
    "string_pattern_mismatch": ("it has other signs than letters, digits, '_', '.' and '-'", "drop them"),
    "too_short": ("it is empty", "name at least one"),
}
"""By pydantic's kind of error: what is wrong, and what to do."""


def find_key(text: str, place: KeyPath) -> tuple[int, list[str | int]]:
    """The line of a key, or of the nearest key above it in the text; and the key's path without names of models."""
    node = yaml.compose(text)
    line, known = 1, []
    for position, part in enumerate(place):
        child = _child(node, part)
        if child is None:
            is_missing_leaf = position == len(place) - 1
            known += [part] if is_missing_leaf else []
            continue
        line, node = child
        known.append(part)
    return line, known


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None
