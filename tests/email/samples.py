"""Small raw messages for the tests of the email room."""

from __future__ import annotations


def raw_mail(body: str, sender: str = "Ada Byron <ada@firm.example>", **headers: str) -> bytes:
    """A plain-text message with `body`; header names are given with underscores for dashes."""
    fields = {"From": sender, "Subject": "Test", "Content-Type": "text/plain; charset=utf-8"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return f"{head}\n{body}".encode()


def html_mail(markup: str, **headers: str) -> bytes:
    """The same with an HTML body."""
    return raw_mail(markup, Content_Type="text/html; charset=utf-8", **headers)
