"""How one value becomes bytes: ``<type>[+<key name>]\\n<data>``."""

from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol

from treadle.core.errors import InputError
from treadle.memory._cipher import AesGcmCipher
from treadle.memory._storage_errors import RecordError


class Codec:
    """Serialises, frames and, where there is a cipher, encrypts.

    A *frame* is the plain form, the same for the same value; a *sealed* frame is what is stored.
    """

    def __init__(self, serde: SerializerProtocol, cipher: AesGcmCipher | None) -> None:
        self._serde = serde
        self._cipher = cipher

    def encode(self, value: Any) -> bytes:
        """Return the frame of ``value``.

        Raises:
            InputError: it cannot be serialised.
        """
        try:
            kind, data = self._serde.dumps_typed(value)
        except InputError:
            raise
        except Exception as problem:  # a serializer of the user's own may raise anything
            raise InputError(f"it cannot be serialised: {problem!r}.") from problem
        return kind.encode() + b"\n" + data

    def decode(self, frame: bytes) -> Any:
        """Return the value of a frame.

        Raises:
            RecordError: the frame is damaged or not allowed.
        """
        kind, newline, data = frame.partition(b"\n")
        if not newline:
            raise RecordError("it is empty or damaged.")
        try:
            return self._serde.loads_typed((kind.decode("ascii", "replace"), data))
        except RecordError:
            raise
        except Exception as problem:  # a forged record must not pass as a bug of the graph
            raise RecordError(f"it cannot be read: {problem!r}.") from problem

    def seal(self, frame: bytes) -> bytes:
        """Return the stored form of a frame."""
        if self._cipher is None:
            return frame
        kind, _, data = frame.partition(b"\n")
        key_name, sealed = self._cipher.encrypt(data, kind)
        return kind + b"+" + key_name.encode() + b"\n" + sealed

    def unseal(self, stored: bytes) -> bytes:
        """Return the frame of what is stored.

        Raises:
            RecordError: it is encrypted and does not decrypt, or should be and is not.
        """
        head, _, data = stored.partition(b"\n")
        kind, plus, key_name = head.partition(b"+")
        if self._cipher is None:
            if plus:
                raise RecordError(
                    f"it is encrypted with the key {key_name.decode('ascii', 'replace')!r}.",
                    hint="Read it with the cipher that wrote it.",
                )
            return stored
        if not plus:
            if self._cipher.reads_plaintext:
                return stored
            raise RecordError(
                "it is not encrypted.",
                hint="If it was written before encryption was switched on, "
                "use AesGcmCipher(..., reads_plaintext=True).",
            )
        plain = self._cipher.decrypt(key_name.decode("ascii", "replace"), data, kind)
        return kind + b"\n" + plain

    def dump(self, value: Any) -> bytes:
        """Return the stored form of ``value``.

        Raises:
            InputError: it cannot be serialised.
        """
        return self.seal(self.encode(value))

    def load(self, stored: bytes) -> Any:
        """Return the value of what is stored.

        Raises:
            RecordError: as `decode` and `unseal`.
        """
        return self.decode(self.unseal(stored))


class naming:  # noqa: N801 - used as a function is, as contextlib's own
    """Says in an error of the codec which value it was.

    It is entered for each value that is kept; a generator would cost several times as much.

    Args:
        what: the value, as messages call it.

    Raises:
        InputError: as raised inside, with ``what`` before the message.
        RecordError: likewise.
    """

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        """Name the value in an error."""
        if isinstance(problem, InputError | RecordError):
            said = f"{self._what}: {problem.message}"
            raise type(problem)(said, hint=problem.hint) from problem
