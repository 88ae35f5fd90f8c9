"""Which answers may stand for others: who answers, and what is asked.

A researcher of ours says so itself. A function from a cell is known by its code, the
values that it has closed over, and the globals that it names: constants, modules, and
other functions in turn. The code is what Python has compiled: a source tells neither
two lambdas of one line apart nor what a decorator does, and a file may be another since
it was read. What cannot be told is None, and then no stored result is taken for a new
one: a client object, a random generator, a module of one's own.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib.util
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

MAX_FUNCTIONS = 50  # that call one another; more are no cell
# This package too, which may be installed as a link to its folder.
_LIBRARIES = tuple(os.path.dirname(file) + os.sep for file in (os.__file__, __file__))
_INSTALLED = ("site-packages", "dist-packages")
_CONSTANTS = (str, bytes, int, float, complex, bool, type(None), type(...))


class _UnknownError(Exception):
    """Something that decides about the answer cannot be told."""


def fingerprint_of(researcher: Callable[..., Any]) -> str | None:
    """Gives what tells a researcher from others; None when nobody can say.

    Args:
        researcher: An object with a `fingerprint` (a text or None), or a function.
    """
    said = getattr(researcher, "fingerprint", None)
    if isinstance(said, str):
        return said
    if not isinstance(researcher, types.FunctionType | functools.partial):
        return None
    try:
        parts = list(_parts(researcher, seen={}))
    except (_UnknownError, OSError, TypeError, ValueError, RecursionError):
        return None
    name = getattr(researcher, "__name__", "function")
    return f"{name}|{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"


def provider_of(researcher: Callable[..., Any]) -> str | None:
    """Names whose limits a researcher meets; None when nobody can say.

    Args:
        researcher: An object with `provider` (a text), or with a fingerprint.
    """
    said = getattr(researcher, "provider", None)
    return said if isinstance(said, str) else fingerprint_of(researcher)


def terms_of(researcher: Callable[..., Any]) -> str | None:
    """Says at which prices who is asked what; None when that is not known.

    Args:
        researcher: An object with `terms` (a text), or with a fingerprint.
    """
    said = getattr(researcher, "terms", None)
    if isinstance(said, str):
        return said
    fingerprint = fingerprint_of(researcher)
    if fingerprint is None:
        return None
    return f"{fingerprint}|{getattr(researcher, 'prices', None)}"


def _parts(value: object, *, seen: dict[int, int]) -> Iterator[str]:
    """Writes all that decides what a value does.

    Raises:
        _UnknownError: It is nothing that could be written.
    """
    if type(value) in _CONSTANTS:  # what is made of one may show less than it is
        yield f"{type(value).__name__}:{value!r}"
    elif isinstance(value, types.FunctionType):
        yield from _function_parts(value, seen=seen)
    elif isinstance(value, types.ModuleType) and _is_library(value):
        yield f"module:{value.__name__}:{getattr(value, '__version__', '')}"
    elif isinstance(value, type | types.BuiltinFunctionType) and _is_library(value):
        yield f"library:{value.__module__}.{value.__qualname__}"
    else:
        items = _items(value)
        yield f"{type(value).__name__}:{len(items)}"
        for item in items:
            yield from _parts(item, seen=seen)


def _items(value: object) -> list[object]:
    """Gives what a container holds, in an order that is always the same."""
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if type(value) is dict:
        return [item for pair in value.items() for item in pair]
    if type(value) in (list, tuple):
        return list(cast("list[object]", value))
    if type(value) in (set, frozenset):
        return sorted(cast("set[object]", value), key=repr)
    raise _UnknownError(type(value).__name__)


def _function_parts(
    function: types.FunctionType, *, seen: dict[int, int]
) -> Iterator[str]:
    if id(function) in seen:
        yield f"function {seen[id(function)]}"
        return
    seen[id(function)] = len(seen)
    if len(seen) > MAX_FUNCTIONS:
        raise _UnknownError
    if _is_of_library(function):
        yield f"library:{function.__module__}.{function.__qualname__}"
        return
    for code in _codes_of(function):
        yield from _code_parts(code, seen=seen)
    attributes = vars(function)
    for value in (function.__defaults__, function.__kwdefaults__ or (), attributes):
        yield from _parts(value, seen=seen)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    # What a decorator has wrapped is one of the closed-over values.
    closed = {name: cell.cell_contents for name, cell in cells}
    for names in (closed, _globals_of(function)):
        for name in sorted(names):
            yield name
            yield from _parts(names[name], seen=seen)


def _codes_of(function: types.FunctionType) -> list[types.CodeType]:
    """Gives its code, and that of the functions and classes inside."""
    codes = [function.__code__]
    for code in codes:
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return codes


def _code_parts(code: types.CodeType, *, seen: dict[int, int]) -> Iterator[str]:
    yield f"code:{code.co_flags}:{code.co_code.hex()}:{code.co_exceptiontable.hex()}"
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield "inner"
        else:
            yield from _parts(value, seen=seen)
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            _check_import(step.argval)


def _check_import(name: str) -> None:
    """Refuses a module of one's own, which may be another the next time."""
    spec = importlib.util.find_spec(name.partition(".")[0]) if name else None
    if spec is None or not _is_of_python(spec.origin):
        raise _UnknownError(name)


def _globals_of(function: types.FunctionType) -> Mapping[str, object]:
    """Gives the globals that its code names, that of inner functions too.

    A name that is nowhere is of Python itself, or an attribute's, or an error when it
    runs.
    """
    named = {name for code in _codes_of(function) for name in code.co_names}
    known = function.__globals__
    return {name: known[name] for name in named if name in known}


def _is_of_library(function: types.FunctionType) -> bool:
    """Whether its name alone says what it does.

    It does not for what a library has made of values that somebody gave it, and a
    decorated function may bear the name of another.
    """
    written = _is_of_python(function.__code__.co_filename)
    return written and function.__closure__ is None and _is_library(function)


def _is_library(value: Any) -> bool:
    """Whether it comes with Python or is installed: it changes with that only."""
    module = inspect.getmodule(value)
    if module is None:
        return getattr(value, "__module__", None) == "builtins"
    file = getattr(module, "__file__", None)
    if file is None:
        return module.__name__ in sys.builtin_module_names
    return _is_of_python(file)


def _is_of_python(file: str | None) -> bool:
    """Whether a file is one of Python's or of what is installed."""
    if file is None:
        return False
    if file in ("built-in", "frozen") or file.startswith("<frozen "):
        return True
    return file.startswith(_LIBRARIES) or any(part in file for part in _INSTALLED)
