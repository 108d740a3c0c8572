"""`python -m mailmill`: the command line."""

from mailmill.cli import main

if __name__ == "__main__":
    main()
