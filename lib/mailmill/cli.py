"""The command line: `mailmill run`, one command a stage, `corpus` and `engines`.

It turns arguments into one configuration and one call of the pipeline, and errors into one or two
plain lines and an exit code: 0 done, 1 a bug, 2 configuration, 3 data, 4 infrastructure.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from mailmill import __version__, blas, schemas  # noqa: F401 - `blas` before whatever imports NumPy
from mailmill.commands import docs as cli_docs
from mailmill.commands import interrupt, streams
from mailmill.commands.compact import compact
from mailmill.commands.forget import forget
from mailmill.commands.outcome import guarded
from mailmill.commands.runs import runs
from mailmill.commands.score import one_message, score
from mailmill.commands.session import options, run_id, session, settings
from mailmill.config import parse_bytes
from mailmill.errors import ConfigError, InfrastructureError
from mailmill.runs import logs

if TYPE_CHECKING:
    from mailmill.corpus.formats import Format

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
ORDER = (
    "run", "ingest", "clean", "label", "glove", "features", "search", "train", "evaluate", "score", "docs", "compact",
    "forget", "runs", "corpus", "engines",
)  # fmt: skip


class _Commands(click.Group):
    """The commands in the order in which they are used, not of the alphabet; an interrupt ends them in silence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*ORDER, *sorted(set(self.commands) - set(ORDER))]

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None  # click itself would write an empty line, which is no event of a log


@click.group(cls=_Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="mailmill")
def cli() -> None:
    """Grind raw email into a documented classifier, on Spark, Dask or one process.

    \b
      mailmill run --config conf/demo.toml     every stage, in order
      mailmill clean --config conf/demo.toml   one stage alone
      mailmill docs check -c conf/demo.toml    datasheets, model cards and their site
      mailmill corpus --count 5000 --out DIR   realistic mail with known truth
      mailmill engines                         what is installed here

    A stage whose inputs, settings and code are unchanged is skipped; a run that was killed is simply
    started again.

    \b
    Exit codes: 0 done, 1 a bug in mailmill (please report it), 2 configuration,
    3 data, 4 infrastructure (worth another try).
    """


_as_of = click.option(
    "--as-of", metavar="DATE", help="Take the mail of days (UTC) up to this one alone, e.g. to run a day again."
)


def _stage(name: str, short: str, text: str) -> None:
    dated = name in ("run", "ingest")

    @cli.command(name, help=text, short_help=short)
    @options
    def command(config: str | None, engine: str | None, overrides: Sequence[str], as_of: str | None = None) -> None:
        run_stage(name, config, engine, [*overrides, *([f'ingest.as_of="{as_of}"'] if as_of is not None else [])])

    if dated:
        _as_of(command)


_stage(
    "run", "every stage, in order", "Run every stage in order, skip those with nothing new, say where everything lies."
)
_stage(
    "ingest",
    "mail -> raw",
    "Read mail from files, folders, archives or S3 into the raw table; count duplicates and rejects.",
)
_stage("label", "labels -> labels", "Match a file of labels, or a header, with the messages.")
_stage(
    "glove",
    "clean -> vectors/trained",
    'Train word vectors on the mail\'s own words, for features.vectors = "trained"; see the section [glove].',
)
_stage("features", "clean -> features", "Turn the words into vectors, and split by conversation.")
_stage("train", "features -> models", "Train the configured models.")
_stage(
    "search",
    "features -> search",
    "Try the settings of [search], judge each on the validation split, and keep a table and the best. Resumable.",
)
_stage("evaluate", "models -> metrics", "Measure the models on held-out mail, choose one, and write down why.")


@cli.command(short_help="raw -> clean; --explain FILE.eml shows why")
@options
@click.option(
    "--explain",
    type=click.File("rb"),
    metavar="FILE.eml",
    help="Clean this one message (-: standard input) and show each line with its zone and rule. Needs no --config.",
)
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="With --explain: write a page instead."
)
def clean(
    config: str | None, engine: str | None, overrides: Sequence[str], explain: BinaryIO | None, page: Path | None
) -> None:
    """Reduce each message to its author's own words, with every removed character accounted for."""
    if explain is None:
        if page:
            raise ConfigError("--html goes with --explain FILE.eml")
        run_stage("clean", config, engine, overrides)
        return
    if config is not None:
        settings(config, engine, overrides)  # though one message needs none: a wrong one is told
    from mailmill.docs import explain as explanation

    with one_message(explain) as raw:
        mail = explanation.cleaned(raw)
    if page:
        try:
            page.write_text(explanation.page(mail), encoding="utf-8")
        except OSError as error:
            raise InfrastructureError(f"--html {page} cannot be written: {error.strerror}") from None
        click.echo(f"written to {page}")
    else:
        click.echo(explanation.terminal(mail, colour=sys.stdout.isatty()), nl=False)


def run_stage(name: str, config: str | None, engine: str | None, overrides: Sequence[str]) -> None:
    """Load the configuration and run one stage, or "run" for all."""
    found = settings(config, engine, overrides)
    from mailmill import pipeline  # after the configuration: a typo is reported in a fraction of a second
    from mailmill.docs.build import tell_of_outlived
    from mailmill.docs.summary import summarise

    with session(found, name) as job:
        getattr(pipeline, name)(job)
        tell_of_outlived(job.workspace)
        if name == "search":
            table = job.workspace.open("search", schemas.FILES)
            click.echo(table.file("search.md").decode() + "\nThe best, to be copied into the configuration:\n")
            click.echo(table.file("best.toml").decode())
        if name in ("run", "evaluate"):
            click.echo(summarise(job.workspace))


cli.add_command(cli_docs.docs)


@cli.command(short_help="generate mail with known truth")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="An empty folder, or one this command made."
)
@click.option("--count", type=click.IntRange(min=1), help="How many messages.  [default: 1000, or all texts]")
@click.option("--bytes", "size", metavar="SIZE", help="Stop at this size instead, e.g. 2GB.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option(
    "--format", "form", type=click.Choice(["eml", "mbox", "tar.gz", "parquet"]), default="eml", show_default=True
)
@click.option(
    "--texts", type=click.Path(exists=True, dir_okay=False), help="Wrap these texts (Parquet, JSONL, CSV) as mail."
)
@click.option("--text-column", default="text", show_default=True, help="Of --texts.")
@click.option("--label-column", default="label", show_default=True, help="Of --texts; '': they have no labels.")
@click.option("--group-column", help="Texts with the same value here become one conversation.")
@click.option(
    "--malformed", default=0.01, show_default=True, type=click.FloatRange(0, 0.5), help="Share of broken messages."
)
@click.option(
    "--duplicates", default=0.01, show_default=True, type=click.FloatRange(0, 0.5), help="Share of exact copies."
)
@click.option(
    "--wrong-labels", type=click.FloatRange(0, 0.5), help="Share of labels that are wrong.  [default: 0.03; texts: 0]"
)
@click.option(
    "--language", "languages", multiple=True, default=("en",), show_default=True, help="Of the frames around the text: "
    "en, de, fr, es, pt, it, nl; repeatable.",
)  # fmt: skip
@click.option("--label-header", help="Also write the label into this header of each message.")
def corpus(out: Path, form: Format, size: str | None, **options: Any) -> None:
    """Generate realistic raw mail with known truth: mail/, labels.csv and truth.parquet.

    Without --texts, a grammar of support mail is the source. The same options give the same bytes.
    """
    from mailmill.corpus import CorpusSpec, write
    from mailmill.docs import answers
    from mailmill.progress import watch

    try:
        limit = int(str(parse_bytes(size))) if size else None
    except ValueError as error:
        raise ConfigError(f"--bytes: {error}") from None
    if limit == 0:
        raise ConfigError("--bytes 0 leaves no room for a message")
    texts = options["texts"]
    if options["count"] is None and limit is None and not texts:
        options["count"] = 1000
    if options["wrong_labels"] is None:
        options["wrong_labels"] = 0.0 if texts else 0.03
    spec = CorpusSpec(bytes=limit, **options)
    interrupt.means(f"interrupted; {out} is incomplete", "start the same command again: it begins anew")
    with watch("corpus", spec.count) as progress:
        summary = write(spec, out, form, progress.advance)
    click.echo(
        f"{answers.count(summary.messages, 'message')} ({answers.size(summary.bytes)}, {summary.malformed} malformed, "
        f"{answers.count(summary.duplicates, 'duplicate')}) in {out / 'mail'}, "
        f"{answers.count(summary.labels, 'label')} in {out / 'labels.csv'}"
    )


@cli.command(short_help="what is installed here")
def engines() -> None:
    """Say which engines are installed, in which versions, and which one `auto` would take here."""
    from mailmill import resources
    from mailmill.config import EngineSection
    from mailmill.engines import choose
    from mailmill.engines.choice import NEEDED

    click.echo(f"mailmill {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    click.echo(f"machine   {resources.cores()} cores, {resources.memory() / 2**30:.1f} GiB of memory free")
    java = resources.java_version()
    for name, packages in {"local": ("pyarrow", "numpy"), **NEEDED, "dask": ("dask", *NEEDED["dask"])}.items():
        found = {package: _version(package) for package in packages}
        if None in found.values():
            click.echo(f"{name:<9} not installed: pip install 'mailmill[{name}]'")
            continue
        note = ""
        if name == "spark":
            note = f", Java {java}" if java else ", but no Java: install a JDK (17 or newer) and set JAVA_HOME"
        click.echo(f"{name:<9} {', '.join(f'{package} {number}' for package, number in found.items())}{note}")
    click.echo(f"auto      {choose(EngineSection())}")


for _command in (score, compact, forget, runs):
    cli.add_command(_command)


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: run, and end the process with the right exit code."""
    streams.prepare()
    interrupt.install()
    interrupt.leave(guarded(lambda: _run(arguments)))


def _run(arguments: Sequence[str] | None) -> None:
    run = ""
    try:
        run = run_id()
    finally:
        logs.configure(run)  # a refusal of the id is an event, too
    cli.main(arguments, standalone_mode=False)
