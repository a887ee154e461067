"""What an operator gives as evidence: files and texts, each for a field of Stripe's."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Final

import msgspec

from cachao.problems import USAGE, Problem
from ticketing.corrections.dispute.evidence import FILE_FIELDS, TEXT_FIELDS

# In bytes. A function is given 6 MB at most, and base64 makes a file a third larger; Stripe takes 5 MB, banks 4.5 MB in
# all (https://docs.stripe.com/file-upload).
_LARGEST: Final = 4_400_000
_BEGINNINGS: Final = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff")
_NAMED: Final = re.compile(r"([a-z_]+)=(.*)\Z", re.DOTALL)


class EvidenceFile(msgspec.Struct, frozen=True):
    """A file that is to be uploaded."""

    name: str
    content: bytes

    @property
    def spoken(self) -> str:
        """What it is called, and how large it is."""
        return f"{self.name} ({max(len(self.content) // 1000, 1)} kB)"

    @property
    def upload(self) -> dict[str, str]:
        """The function's input."""
        return {"name": self.name, "content": base64.b64encode(self.content).decode("ascii")}


def files_in(said: list[str]) -> dict[str, EvidenceFile]:
    """Read the files of `--evidence [FIELD=]FILE`, by their fields.

    Raises:
        Problem: no such field or file, too large, of another kind, or two of one field.
    """
    found: dict[str, EvidenceFile] = {}
    for words in said:
        field, path = _split(words, FILE_FIELDS, default="uncategorized_file", other="--text", others=TEXT_FIELDS)
        if field in found:
            raise Problem(f"Stripe takes one file as {field}.", advice="Put them into one PDF.", exit_code=USAGE)
        found[field] = _read(Path(path))
    return found


def texts_in(said: list[str]) -> dict[str, str]:
    """Read the texts of `--text [FIELD=]TEXT`, by their fields.

    Raises:
        Problem: the field is one of a file, or is named twice.
    """
    found: dict[str, str] = {}
    for words in said:
        field, text = _split(words, TEXT_FIELDS, default="uncategorized_text", other="--evidence", others=FILE_FIELDS)
        if field in found:
            raise Problem(f"Stripe takes one text as {field}.", exit_code=USAGE)
        found[field] = text
    return found


def _split(words: str, fields: frozenset[str], *, default: str, other: str, others: frozenset[str]) -> tuple[str, str]:
    named = _NAMED.match(words)
    if named is None or named[1] not in fields | others:
        return default, words
    if named[1] in others:
        raise Problem(f"{named[1]} goes with {other}.", exit_code=USAGE)
    return named[1], named[2]


def _read(path: Path) -> EvidenceFile:
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise Problem(
            f"{path} cannot be read: {reason}.",
            advice=f"--evidence takes FILE, or FIELD=FILE with one of: {', '.join(sorted(FILE_FIELDS))}.",
            exit_code=USAGE,
        ) from None
    if not content.startswith(_BEGINNINGS):
        raise Problem(f"{path} is no PDF, PNG or JPEG: Stripe takes nothing else.", exit_code=USAGE)
    if len(content) > _LARGEST:
        raise Problem(
            f"{path} has {len(content) / 1e6:.1f} MB; {_LARGEST / 1e6:.1f} MB is the most.",
            advice="Fewer pages, or a lower resolution.",
            exit_code=USAGE,
        )
    return EvidenceFile(path.name, content)
