"""Which control planes somebody signed in to, and with what: one file that its owner alone can read."""

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from pilothouse.client.errors import CredentialsUnsafe

_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_BYTES_MAX: Final = 1_048_576


class Context(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One control plane, and how one is signed in there."""

    url: str
    username: str = ""
    ca_file: str | None = None
    """PEM file of the authorities to trust instead of the machine's."""
    certificate: str | None = None
    """The one certificate to trust, PEM, looked at when signing in with --trust."""
    access_token: str | None = None
    access_ends_at: float = 0.0
    refresh_token: str | None = None
    api_token: str | None = None

    @property
    def is_signed_in(self) -> bool:
        """Whether there is anything to sign requests with."""
        return bool(self.api_token or self.refresh_token or self.access_token)

    def signed_out(self) -> "Context":
        """Forget the credentials and keep the address."""
        return msgspec.structs.replace(self, access_token=None, access_ends_at=0.0, refresh_token=None, api_token=None)


class Contexts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of them, and the one that is used when none is named."""

    current: str | None = None
    contexts: dict[str, Context] = {}


def default_path(environment: Mapping[str, str]) -> Path:
    """Tell where credentials are kept: the user's own configuration directory."""
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "pilothouse" / "contexts.json"


class ContextStore:
    """The file of contexts. Who changes it holds its lock; readers see a whole file or the one before it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Contexts:
        """Read what is kept; nothing yet is no error.

        Raises: CredentialsUnsafe
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return Contexts()
        except OSError as error:
            raise CredentialsUnsafe(
                f"{self.path} cannot be opened: {error.strerror}.", fix="It is a plain file of yours."
            ) from error
        with open(descriptor, "rb") as opened:  # noqa: PTH123 - the descriptor was checked, a path could change
            about = os.fstat(opened.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & _OTHERS:
                raise CredentialsUnsafe(
                    f"Others may read or change {self.path}, which holds credentials.",
                    fix=f"Run `chmod 600 {self.path}`, and sign in anew if others use this machine.",
                )
            raw = opened.read(_BYTES_MAX)
        try:
            return msgspec.json.decode(raw, type=Contexts)
        except msgspec.DecodeError as error:
            raise CredentialsUnsafe(
                f"{self.path} is not what this program wrote: {error}", fix="Move it away and sign in anew."
            ) from error

    @contextlib.contextmanager
    def lock(self) -> Generator[None]:
        """Hold the one lock of the file, so that two commands do not both refresh a session."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        descriptor = os.open(
            self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE_FILE
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def save(self, contexts: Contexts) -> None:
        """Replace the file at once; call it with the lock held."""
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".contexts-")  # made with mode 0600
        try:
            with open(descriptor, "wb") as opened:  # noqa: PTH123 - a descriptor
                opened.write(msgspec.json.format(msgspec.json.encode(contexts)))
                opened.flush()
                os.fsync(opened.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def put(self, name: str, context: Context, *, use: bool = False) -> None:
        """Keep a context, and make it the current one if asked, or if there is none."""
        with self.lock():
            self.put_locked(name, context, use=use)

    def put_locked(self, name: str, context: Context, *, use: bool = False) -> None:
        """Do the same with the lock held already."""
        kept = self.load()
        current = name if use or kept.current is None else kept.current
        self.save(Contexts(current=current, contexts={**kept.contexts, name: context}))

    def use(self, name: str) -> None:
        """Make a context the current one."""
        with self.lock():
            self.save(msgspec.structs.replace(self.load(), current=name))

    def remove(self, name: str) -> None:
        """Forget a context altogether."""
        with self.lock():
            kept = self.load()
            left = {other: context for other, context in kept.contexts.items() if other != name}
            self.save(Contexts(current=None if kept.current == name else kept.current, contexts=left))
