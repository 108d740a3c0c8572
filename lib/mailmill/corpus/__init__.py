"""`mailmill corpus`: realistic raw mail of any size with known truth, each mail a function of (spec, index).

Read `generator.py` first. Words come from `grammar.py` or from given texts (`texts.py`), the shapes
of mail programs from `data/clients.toml`, the frames by language from `data/envelopes.toml`.
"""

from mailmill.corpus.generator import generate
from mailmill.corpus.spec import CorpusSpec, CorpusSummary, GeneratedMail
from mailmill.corpus.writer import write

__all__ = ["CorpusSpec", "CorpusSummary", "GeneratedMail", "generate", "write"]
