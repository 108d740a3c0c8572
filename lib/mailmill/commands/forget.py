"""`mailmill forget`: a person's mail is erased, and not taken again."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TextIO

import click

from mailmill.commands import interrupt
from mailmill.commands.session import options, session, settings
from mailmill.errors import ConfigError

log = logging.getLogger("mailmill")


@click.command(short_help="erase a person's mail, for good")
@options
@click.option("--message-id", "message_ids", multiple=True, metavar="ID", help="The mail with this Message-ID.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="The mail with this key of the tables.")
@click.option(
    "--source", "sources", multiple=True, metavar="OBJECT",
    help="All mail of a file, mailbox or archive, by its whole name; or one mail, as `source` of raw names it.",
)  # fmt: skip
@click.option(
    "--from", "listed", metavar="FILE", type=click.File("r", encoding="utf-8-sig"),
    help="One of these a line (-: standard input).",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--previous", is_flag=True, help="Afterwards: delete the earlier versions of all tables.")
def forget(
    config: str | None,
    engine: str | None,
    overrides: Sequence[str],
    message_ids: Sequence[str],
    keys: Sequence[str],
    sources: Sequence[str],
    listed: TextIO | None,
    dry_run: bool,
    previous: bool,
) -> None:
    """Erase mail, e.g. of a person who asks for it (GDPR, Article 17). Three commands leave none in the workspace:

    \b
      mailmill forget -c FILE.toml --from ids.txt    raw without that mail; its files of before are deleted
      mailmill run -c FILE.toml                      all later tables, models and documents are made without it
      mailmill forget -c FILE.toml --previous        the versions before, which are kept for readers, are deleted

    A hash of each message stays, by which it is not taken again from where it still lies (of a reject: of its place
    in a file, as that was). A command that was stopped is started again. Exit code 3: nothing of what was named is
    there.
    """
    try:
        lines = [line.strip() for line in listed] if listed else []
    except UnicodeDecodeError:
        raise ConfigError("--from: the file is not UTF-8") from None
    if any(not re.fullmatch("[0-9a-f]{32}", key.strip().lower()) for key in keys):
        raise ConfigError("--key: a key has 32 hexadecimal digits")
    named = any(text.strip() for text in (*message_ids, *keys, *sources, *lines))
    if previous == named or (previous and dry_run):
        raise ConfigError("say which mail: --message-id, --key, --source or --from; or --previous alone")
    found = settings(config, engine, overrides)
    from mailmill.stages import forgetting
    from mailmill.stages.selection import Selection

    with session(found, "forget") as job:
        if previous:
            files = forgetting.finish(job)
            click.echo(f"{files} files of earlier versions are deleted")
            return
        if not dry_run:
            interrupt.means(
                "interrupted; what was named may be erased in part, and then is not taken any more",
                "start the same command again: it finishes; --dry-run says what is left",
            )
        done = forgetting.forget(job, Selection.of(message_ids, keys, sources, lines), dry_run)
        if done.unmatched:
            log.warning("forget: %d selections are of no message that is there", done.unmatched)
        would = "would be forgotten" if dry_run else "forgotten"
        click.echo(f"{done.messages} messages and {done.rejects} rejects {would}, of {done.objects} objects")
        if not dry_run:
            click.echo("now `mailmill run`, which makes later tables without them, then `mailmill forget --previous`")
