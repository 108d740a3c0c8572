"""spark-submit jobs/docs.py --config conf/emr.toml [--engine NAME] [--set section.key=value]"""

import sys

from mailmill.cli import main

if __name__ == "__main__":
    main(["docs", "build", *sys.argv[1:]])
