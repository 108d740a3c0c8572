"""spark-submit jobs/forget.py --config conf/emr.toml [--engine NAME] [--set section.key=value]"""

import sys

from mailmill.cli import main

if __name__ == "__main__":
    main(["forget", *sys.argv[1:]])
