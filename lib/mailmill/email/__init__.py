"""Cleaning mail: from raw bytes to the author's own words, with every removed character accounted for.

Start reading at `cleaner.clean_message`. What words and phrases look like in each language is data in
`patterns/*.toml`; the logic never mentions a language.
"""

from mailmill.email.cleaner import CleanMessage, CleanOptions, Span, clean_message, clean_messages, clean_text
from mailmill.email.kernel import CleanKernel

__all__ = ["CleanKernel", "CleanMessage", "CleanOptions", "Span", "clean_message", "clean_messages", "clean_text"]
