"""One tree of errors, with one class for each code.

Every error carries a sentence that names what was wrong, a ``hint`` that says what to do, whether the same
call may succeed later (``retryable``), and machine-readable ``details``.
"""

from __future__ import annotations

from typing import Any, ClassVar


class FolkmootError(Exception):
    """What folkmoot refuses or cannot do; one subclass for each ``code``.

    >>> try:
    ...     hub.memory.set("plans/q3", 2, expected_version=7)
    ... except folkmoot.ConflictError as error:
    ...     print(error.code, error.details["current_version"])
    """

    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retryable: bool = False,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.details: dict[str, Any] = details if details is not None else {}

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.message, self.hint, self.retryable, self.details)


def _again(
    kind: type[FolkmootError], message: str, hint: str | None, retryable: bool, details: dict[str, Any]
) -> FolkmootError:
    return kind(message, hint=hint, retryable=retryable, details=details)


class InvalidInputError(FolkmootError):
    """A field is missing, unknown, of the wrong type or out of its range; ``details["field"]`` names it."""

    code = "invalid_input"


class NotFoundError(FolkmootError):
    """Nothing of that name is here."""

    code = "not_found"


class AlreadyExistsError(FolkmootError):
    """Something of that name is here already."""

    code = "already_exists"


class ConflictError(FolkmootError):
    """A version or a state did not match; ``details["current"]`` shows what is there now."""

    code = "conflict"


class LeaseLostError(FolkmootError):
    """The lease that was named is over, or belongs to someone else."""

    code = "lease_lost"


class NotAllowedError(FolkmootError):
    """Who asks may not do that."""

    code = "not_allowed"


class UnauthenticatedError(FolkmootError):
    """Who asks is not known."""

    code = "unauthenticated"


class LimitExceededError(FolkmootError):
    """A limit was met; ``details["limit_name"]`` and ``details["limit"]`` say which."""

    code = "limit_exceeded"


class UnavailableError(FolkmootError):
    """The hub cannot answer now: it is closed, or its turn to write did not come in time."""

    code = "unavailable"


class ForkedProcessError(UnavailableError):
    """This hub was opened before the process forked; open it anew in the child."""


class StorageError(FolkmootError):
    """The disk or the file refused: full, read-only, corrupt, locked."""

    code = "storage"


class InternalError(FolkmootError):
    """A defect of folkmoot itself; please report it with its sentence."""

    code = "internal"


CLASSES: dict[str, type[FolkmootError]] = {
    kind.code: kind
    for kind in (
        InvalidInputError,
        NotFoundError,
        AlreadyExistsError,
        ConflictError,
        LeaseLostError,
        NotAllowedError,
        UnauthenticatedError,
        LimitExceededError,
        UnavailableError,
        StorageError,
        InternalError,
    )
}


def from_engine(
    code: str, message: str, hint: str | None, retryable: bool, details: dict[str, Any]
) -> FolkmootError:
    """The exception for an error of the engine; called by the native part."""
    kind = CLASSES.get(code, InternalError)
    if kind is UnavailableError and details.get("reason") == "forked":
        kind = ForkedProcessError
    return kind(message, hint=hint, retryable=retryable, details=details)
