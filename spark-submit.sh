#!/usr/bin/env bash
# Submit a stage of mailmill to Spark.
#
#   ./spark-submit.sh [--target local|standalone|yarn] [--master URL] [--dry-run] STAGE --config conf/x.toml [...]
#
# STAGE is a file of jobs/ (run, ingest, clean, label, features, train, evaluate, score); what follows it goes to
# the job. The job's exit code is this script's. SPARK_SUBMIT_OPTS_EXTRA adds options to spark-submit itself.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
target=local master="" dry_run=""

fail() { echo "spark-submit.sh: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case "$1" in
        --target) target="${2:?--target needs a value}"; shift 2 ;;
        --master) master="${2:?--master needs a value}"; shift 2 ;;
        --dry-run) dry_run=1; shift ;;
        -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
        -*) fail "unknown option $1 (options of the job come after the stage)" ;;
        *) break ;;
    esac
done
[ $# -gt 0 ] || fail "name a stage: $(cd "$here/jobs" && ls ./*.py | sed 's|./||;s|.py||' | xargs)"
stage="$1"; shift
job="$here/jobs/$stage.py"
[ -f "$job" ] || fail "no stage $stage in jobs/"

python="${PYSPARK_PYTHON:-$here/.venv/bin/python}"
[ -x "$python" ] || python="$(command -v python3)" || fail "no Python found: set PYSPARK_PYTHON"
submit="$(dirname "$python")/spark-submit"
[ -x "$submit" ] || submit="$(command -v spark-submit)" || fail "spark-submit not found: pip install 'mailmill[spark]'"

case "$target" in
    local) master="${master:-local[*]}" ;;
    standalone) [ -n "$master" ] || fail "--target standalone needs --master spark://HOST:7077" ;;
    yarn) master="${master:-yarn}" ;;
    *) fail "unknown target $target (local, standalone or yarn)" ;;
esac

command=("$submit" --master "$master" --name "mailmill-$stage")
read -r -a extra <<<"${SPARK_SUBMIT_OPTS_EXTRA:-}"
command+=(${extra[@]+"${extra[@]}"} "$job" "$@")
if [ -n "$dry_run" ]; then
    printf 'PYSPARK_PYTHON=%q' "$python"
    printf ' %q' "${command[@]}"
    echo
    exit 0
fi
PYSPARK_PYTHON="$python" exec "${command[@]}"
