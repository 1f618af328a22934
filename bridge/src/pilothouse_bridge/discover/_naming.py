"""Names and places of things in the program, in words that people recognise."""

import functools
import inspect
import os
import sys
from types import CodeType
from typing import Any, cast


def source_of(handler: object) -> str | None:
    """``file:line`` of a handler, as near as it can be told."""
    code = _code_of(handler)
    return None if code is None else f"{_short(code.co_filename)}:{code.co_firstlineno}"


def attribute_of(instance: object, maker: str | None) -> str | None:
    """``module:attribute`` under which a module-level instance can be found."""
    modules = [maker] if maker is not None else []
    modules += [name for name in list(sys.modules) if name != maker]
    for name in modules:
        module = sys.modules.get(name)
        # vars() of the module itself: getattr would wake lazy modules.
        members = getattr(module, "__dict__", None)
        if not isinstance(members, dict):
            continue
        for attribute, value in list(cast("dict[str, object]", members).items()):
            if value is instance:
                return f"{_module_name(name)}:{attribute}"
    return None


def _module_name(name: str) -> str:
    if name != "__main__":
        return name
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return os.path.basename(file).removesuffix(".py") if isinstance(file, str) else name  # noqa: PTH119


def _code_of(handler: Any) -> CodeType | None:
    """The code of whatever answers requests: wrapped, bound, partial, a class of handlers, an object with a call."""
    for _ in range(20):
        if isinstance(handler, functools.partial):
            handler = cast("Any", handler).func
        elif inspect.ismethod(handler):
            handler = handler.__func__
        elif hasattr(handler, "__wrapped__"):
            handler = handler.__wrapped__
        else:
            break
    if inspect.isclass(handler):
        methods = [member for member in vars(handler).values() if inspect.isfunction(member)]
        return min((method.__code__ for method in methods), key=lambda code: code.co_firstlineno, default=None)
    code: object = getattr(handler, "__code__", None) or getattr(type(handler).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None


@functools.lru_cache(maxsize=4096)
def _short(file: str) -> str:
    """Relative to the working directory or to the nearest import path, else as it is."""
    try:
        roots = [os.getcwd()]  # noqa: PTH109
    except OSError:
        roots = []
    # The working directory first, then the longest import path: the one nearest to the file.
    roots += sorted((root for root in sys.path if os.path.isabs(root)), key=len, reverse=True)  # noqa: PTH117
    for root in roots:
        if file.startswith(root.rstrip(os.sep) + os.sep):
            return file[len(root.rstrip(os.sep)) + 1 :]
    return file


def listener_name(protocol: str, host: str, port: int | None, *, dynamic: bool) -> str:
    """The same after a restart: made of what is configured, never of the order of discovery."""
    if port is None:
        return f"{protocol.lower()}-unix-{host.replace(chr(92), '/').rpartition('/')[2]}"
    # Port 0 means "any free one": the number differs after each start, the name may not.
    return f"{protocol.lower()}-dynamic" if dynamic else f"{protocol.lower()}-{port}"
