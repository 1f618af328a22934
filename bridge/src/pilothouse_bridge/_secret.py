"""The credential ``<keyId>.<keyMaterial>``, kept out of every text."""

from typing import Final, final

MINIMUM_KEY_BYTES: Final = 32  # HS256 wants a key at least as long as its hash (RFC 7518, 3.2)


@final
class Secret:
    """A key with its id; shows its id at most, never its material.

    Source: the text is split at the first dot; the HMAC key is the UTF-8 bytes of the text behind it, never decoded.
    """

    __slots__ = ("_key", "key_id")

    def __init__(self, key_id: str, key: bytes) -> None:
        """Hold the key privately."""
        self.key_id = key_id
        self._key = key

    @classmethod
    def parse(cls, text: str) -> "Secret":
        """Split the text that the console showed.

        Raises: ValueError with a sentence that is safe to show.
        """
        key_id, dot, material = text.strip().partition(".")
        if not dot:
            raise ValueError("has no dot: a secret looks like <keyId>.<keyMaterial>")
        if not key_id:
            raise ValueError("has nothing before its first dot, where the key id belongs")
        key = material.encode()
        if len(key) < MINIMUM_KEY_BYTES:
            raise ValueError(
                f"has {len(key)} bytes of key material behind its first dot; {MINIMUM_KEY_BYTES} is the least"
            )
        return cls(key_id, key)

    def key(self) -> bytes:
        """The bytes to sign with."""
        return self._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.key_id, self._key) == (other.key_id, other._key)

    def __hash__(self) -> int:
        return hash(self.key_id)

    def __repr__(self) -> str:
        return f"Secret({self.key_id!r}, ...)"

    def __reduce__(self) -> str | tuple[object, ...]:
        # Pickles and deep copies end in caches, queues and crash reports.
        raise TypeError("a Secret is not to be copied out of this process")
