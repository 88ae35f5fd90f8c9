"""Which answers may stand for others: who answers, and what is asked.

A researcher of ours says so itself. A function from a cell is known by its source, the
values that it has closed over, and the globals that it names: constants, modules, and
other functions in turn. What cannot be told is None, and then no stored result is
taken for a new one: a client object, a random generator, code without source.
"""

from __future__ import annotations

import builtins
import functools
import hashlib
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

MAX_FUNCTIONS = 50  # that call one another; more are no cell
_LIBRARY = os.path.dirname(os.__file__) + os.sep
_INSTALLED = ("site-packages", "dist-packages")
_CONSTANTS = (str, bytes, int, float, complex, bool, type(None))


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
        parts = list(_parts(researcher, seen=set()))
    except (_UnknownError, OSError, TypeError, ValueError, RecursionError):
        return None
    name = getattr(researcher, "__name__", "function")
    return f"{name}|{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"


def terms_of(researcher: Callable[..., Any]) -> str | None:
    """Says at which prices who is asked what; None when that is not known."""
    fingerprint = fingerprint_of(researcher)
    if fingerprint is None:
        return None
    return f"{fingerprint}|{getattr(researcher, 'prices', None)}"


def _parts(value: object, *, seen: set[int]) -> Iterator[str]:
    """Writes all that decides what a value does.

    Raises:
        _UnknownError: It is nothing that could be written.
    """
    if isinstance(value, _CONSTANTS):
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


def _function_parts(function: types.FunctionType, *, seen: set[int]) -> Iterator[str]:
    if id(function) in seen:
        return
    seen.add(id(function))
    if len(seen) > MAX_FUNCTIONS:
        raise _UnknownError
    if _is_library(function):
        yield f"library:{function.__module__}.{function.__qualname__}"
        return
    yield inspect.getsource(function)
    for value in (function.__defaults__, function.__kwdefaults__ or ()):
        yield from _parts(value, seen=seen)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    # What a decorator has wrapped is one of the closed-over values.
    closed = {name: cell.cell_contents for name, cell in cells}
    for names in (closed, _globals_of(function)):
        for name in sorted(names):
            yield name
            yield from _parts(names[name], seen=seen)


def _globals_of(function: types.FunctionType) -> Mapping[str, object]:
    """Gives the globals that its code names, that of inner functions too.

    A name that is nowhere may be one of its attributes', or an error when it runs.
    """
    named: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        named.update(code.co_names)
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    known = function.__globals__
    return {
        name: known[name]
        for name in named
        if name in known and not hasattr(builtins, name)
    }


def _is_library(value: Any) -> bool:
    """Whether it comes with Python or is installed: it changes with that only."""
    module = inspect.getmodule(value)
    if module is None:
        return getattr(value, "__module__", None) == "builtins"
    file = getattr(module, "__file__", None)
    if file is None:
        return module.__name__ in sys.builtin_module_names
    return file.startswith(_LIBRARY) or any(part in file for part in _INSTALLED)
