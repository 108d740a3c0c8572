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

# Other folders may have a link to it: jobs/ and lib/ lie where it leads.
file="${BASH_SOURCE[0]}"
while [ -L "$file" ]; do
    link="$(readlink "$file")"
    case "$link" in /*) file="$link" ;; *) file="$(dirname "$file")/$link" ;; esac
done
here="$(CDPATH='' cd -P "$(dirname "$file")" && pwd)"

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }
python="${PYSPARK_PYTHON:-$here/.venv/bin/python}"
if [ ! -x "$python" ]; then
    for python in python3.11 python3.12 python3.13 python3; do ! fits "$python" || break; done
fi
fits "$python" ||
    { echo "spark-submit.sh: mailmill needs Python 3.11, 3.12 or 3.13; $python is none: set PYSPARK_PYTHON" >&2; exit 2; }
MAILMILL_HOME="$here" PYTHONPATH="$here/lib${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m mailmill.submit "$@"
