"""A module that cannot be imported."""

import no_such_package  # type: ignore[import-not-found]  # noqa: F401
