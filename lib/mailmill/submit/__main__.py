"""`python -m mailmill.submit`: what `spark-submit.sh` starts."""

from __future__ import annotations

import sys

from mailmill.errors import EXIT_OK, MailmillError, exit_code_of
from mailmill.submit import running
from mailmill.submit.request import USAGE, parse


def main(arguments: list[str]) -> int:
    """Submit as the command line says; the exit code."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE.strip())
        return EXIT_OK
    try:
        return running.submit(parse(arguments))
    except MailmillError as error:
        print(f"spark-submit.sh: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"                 {error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"spark-submit.sh: {error}", file=sys.stderr)
        return exit_code_of(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
