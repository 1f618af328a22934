"""How we learn of a framework without importing it: a post-import hook, wrapped constructors, one look at the heap.

Nothing here may change what the program sees: our errors are swallowed, wrappers keep signature and result.
"""

import contextlib
import functools
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast, final

from pilothouse_bridge import _native

if TYPE_CHECKING:  # importlib.abc costs 2 ms, and nothing but its names is wanted
    from importlib.abc import Loader

Hook = Callable[[ModuleType], None]


@final
class Roster:
    """Live instances of some classes, held weakly, each with the module that made it."""

    def __init__(self) -> None:
        """Start empty."""
        # Plain dict operations, no lock: entries are added by whatever thread of the program makes an instance, also
        # while the garbage collector runs, where taking a lock could stop the program.
        self._members: dict[int, tuple[weakref.ref[object], str | None]] = {}

    def add(self, instance: object, maker: str | None) -> None:
        """Remember an instance for as long as it lives."""
        known = self._members.get(id(instance))
        if known is None or known[0]() is not instance or known[1] is None:
            self._members[id(instance)] = (weakref.ref(instance), maker)

    def live(self) -> list[tuple[object, str | None]]:
        """The instances that still exist; forgets the others."""
        alive: list[tuple[object, str | None]] = []
        for key, (reference, maker) in list(self._members.items()):
            instance = reference()
            if instance is not None:
                alive.append((instance, maker))
            elif self._members.get(key, (None,))[0] is reference:
                self._members.pop(key, None)
        return alive


@final
class Watch:
    """Follows the instances of one framework's classes from the moment the framework is there."""

    def __init__(self, module_name: str, class_name: str, on_class: Callable[[type[Any]], None] | None = None) -> None:
        """Name the class; ``on_class`` may wrap more of it."""
        self.roster: Final = Roster()
        self._module_name = module_name
        self._class_name = class_name
        self._on_class = on_class
        self._hooked: type[Any] | None = None
        self._scan_due = False
        self._lock = _native.lock()

    def install(self) -> None:
        """Hook the class now when its module is loaded, else when it will be."""
        if not self._hook_when_loaded():
            when_imported(self._module_name, self._hook)

    def catch_up(self) -> None:
        """Find instances made before we came; called from our own thread, because the look takes some 20 ms, once."""
        self._hook_when_loaded()
        if self._scan_due and self._hooked is not None:
            self._scan(self._hooked)
            self._scan_due = False  # a look that failed is taken again

    def renew_lock(self) -> None:
        """In a forked child: the lock may have been held by a thread that is not here."""
        self._lock = _native.lock()

    def _hook_when_loaded(self) -> bool:
        module = sys.modules.get(self._module_name)
        if self._hooked is None and hasattr(module, self._class_name) and module is not None:
            self._hook(module)
            # A module that is being imported at this moment cannot have made an instance yet.
            self._scan_due = not is_being_imported(module)
        return self._hooked is not None

    def _hook(self, module: ModuleType) -> None:
        with self._lock:
            found = getattr(module, self._class_name, None)
            if self._hooked is not None or not isinstance(found, type):
                return
            watch_constructor(found, self.roster.add)
            if self._on_class is not None:
                self._on_class(found)
            self._hooked = found

    def _scan(self, wanted: type[Any]) -> None:
        for candidate in instances_of(wanted):
            self.roster.add(candidate, None)


def instances_of(wanted: type[Any]) -> list[object]:
    """The living instances of a class and of its subclasses.

    Never ``gc.get_objects()``: for a moment it holds every object there is, and another thread that is building a tuple from
    a generator then fails with a SystemError. Whoever refers to a class is few: its instances among them.
    """
    kinds: list[type[Any]] = [wanted]
    for kind in kinds:
        kinds += [each for each in type.__subclasses__(kind) if each not in kinds]
    # type() and not isinstance(): proxies answer __class__ by running the program's code.
    found = {id(one): one for one in gc.get_referrers(*kinds) if issubclass(type(one), wanted)}
    if gc.get_freeze_count():  # as servers do before they fork: what is frozen is not found as a referrer
        found |= {id(one): one for one in _module_members() if issubclass(type(one), wanted)}
    return list(found.values())


def _module_members() -> Iterator[object]:
    """Whatever the loaded modules have by name."""
    for module in list(sys.modules.values()):
        members = getattr(module, "__dict__", None)  # of the module itself: getattr would wake lazy modules
        if isinstance(members, dict):
            yield from list(cast("dict[str, object]", members).values())


def is_being_imported(module: ModuleType) -> bool:
    """Whether its import has not ended yet."""
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def watch_constructor(cls: type[Any], on_made: Callable[[object, str | None], None]) -> None:
    """Call ``on_made(instance, module of the caller)`` after each construction."""
    original: Callable[..., None] = cls.__init__
    package = cls.__module__.partition(".")[0]

    @functools.wraps(original)
    def __init__(self: object, /, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it takes the place of one
        original(self, *args, **kwargs)
        with contextlib.suppress(Exception):  # the program's constructor must not fail because of us
            on_made(self, _calling_module(package))

    cls.__init__ = __init__


def _calling_module(package: str) -> str | None:
    """The first module up the stack that belongs neither to the framework nor to us."""
    frame = sys._getframe(2)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - documented, and 100 times cheaper than inspect
    own = __name__.partition(".")[0]
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if isinstance(name, str) and name.partition(".")[0] not in {package, own, "starlette", "fastapi"}:
            return _real_name(name, frame.f_globals)
        frame = frame.f_back
    return None


def _real_name(name: str, module_globals: dict[str, Any]) -> str:
    """``__main__`` under the name it would have as an import."""
    if name != "__main__":
        return name
    spec = module_globals.get("__spec__")
    if isinstance(spec, ModuleSpec):
        return spec.name.removesuffix(".__main__")
    file = module_globals.get("__file__")
    return file.replace("\\", "/").rpartition("/")[2].removesuffix(".py") if isinstance(file, str) else name


@final
class _PostImportFinder:
    """Finds nothing itself; lets the others find and listens for the end of the import."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Hook]] = {}
        self._looking = threading.local()

    def wait_for(self, module_name: str, hook: Hook) -> None:
        self._waiting.setdefault(module_name, []).append(hook)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._waiting or getattr(self._looking, "now", False):
            return None
        self._looking.now = True
        try:
            spec = next(_asked(fullname, path, target, besides=self), None)
        finally:
            self._looking.now = False
        if spec is not None and spec.loader is not None:
            self._listen(fullname, spec.loader)
        return spec

    def _listen(self, fullname: str, loader: "Loader") -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if module.__name__ == fullname:
                for hook in self._waiting.pop(fullname, []):
                    with contextlib.suppress(Exception):  # the program's import must not fail because of us
                        hook(module)

        with contextlib.suppress(AttributeError):  # a loader that cannot be listened to: Watch.catch_up finds the class
            # On the instance: the loader stays the very object that tools like importlib.resources expect.
            loader.exec_module = exec_module  # type: ignore[method-assign]


def _asked(
    fullname: str, path: Sequence[str] | None, target: ModuleType | None, besides: object
) -> Iterator[ModuleSpec]:
    for finder in list(sys.meta_path):
        find_spec = getattr(finder, "find_spec", None)
        if finder is not besides and find_spec is not None:
            spec: ModuleSpec | None = find_spec(fullname, path, target)
            if spec is not None:
                yield spec


_finder: Final = _PostImportFinder()


def when_imported(module_name: str, hook: Hook) -> None:
    """Call ``hook(module)`` when the module has been imported."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _finder.wait_for(module_name, hook)
