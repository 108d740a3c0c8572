#!/usr/bin/env bash
# Submit a stage of mailmill to Spark: local, a standalone cluster, YARN (EMR on EC2) or EMR Serverless.
#
#   ./spark-submit.sh --help
#
# This file finds a Python; lib/mailmill/submit does the work.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
python="${PYSPARK_PYTHON:-$here/.venv/bin/python}"
[ -x "$python" ] || python="$(command -v python3.11 || command -v python3)" ||
    { echo "spark-submit.sh: no Python found: set PYSPARK_PYTHON" >&2; exit 2; }
MAILMILL_HOME="$here" PYTHONPATH="$here/lib${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m mailmill.submit "$@"
