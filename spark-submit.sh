#!/usr/bin/env bash
# Submit a stage of mailmill to Spark: local, a standalone cluster, YARN (EMR on EC2) or EMR Serverless.
#
#   ./spark-submit.sh --help
#
# This file finds a Python; lib/mailmill/submit does the work.
set -euo pipefail

# A stream that the caller closed leads nowhere: else the next file that is opened would take its place.
[ -e /dev/fd/0 ] || exec </dev/null
[ -e /dev/fd/1 ] || exec >/dev/null
[ -e /dev/fd/2 ] || exec 2>/dev/null

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
python="${PYSPARK_PYTHON:-$here/.venv/bin/python}"
[ -x "$python" ] || python="$(command -v python3.11 || command -v python3)" ||
    { echo "spark-submit.sh: no Python found: set PYSPARK_PYTHON" >&2; exit 2; }
MAILMILL_HOME="$here" PYTHONPATH="$here/lib${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m mailmill.submit "$@"
