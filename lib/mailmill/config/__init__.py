"""Configuration: one TOML file, read once into frozen typed objects.

A typo stops a run before any work: an unknown key is refused with the nearest known one, and every
problem is reported together with its file and key. `--set section.key=value` changes one setting.
The settings that decide a stage's output are hashed into its manifest, so a stage runs again
exactly when something it depends on has changed.
"""

from mailmill.config.data import (
    TRAINED,
    CleanSection,
    EngineSection,
    FeaturesSection,
    GloveSection,
    IngestSection,
    InputSection,
    LabelsSection,
    RunSection,
    StorageSection,
    TablesSection,
)
from mailmill.config.documents import DocsSection, QualitySection
from mailmill.config.learning import (
    CacheSection,
    EvaluateSection,
    ForestSection,
    LogisticSection,
    ModelName,
    ScoreSection,
    SearchSection,
    TrainSection,
)
from mailmill.config.loading import Config, fingerprint, load, parse
from mailmill.config.values import Bytes, Section, parse_bytes

__all__ = [
    "TRAINED",
    "Bytes",
    "CacheSection",
    "CleanSection",
    "Config",
    "DocsSection",
    "EngineSection",
    "EvaluateSection",
    "FeaturesSection",
    "ForestSection",
    "GloveSection",
    "IngestSection",
    "InputSection",
    "LabelsSection",
    "LogisticSection",
    "ModelName",
    "QualitySection",
    "RunSection",
    "ScoreSection",
    "SearchSection",
    "Section",
    "StorageSection",
    "TablesSection",
    "TrainSection",
    "fingerprint",
    "load",
    "parse",
    "parse_bytes",
]
