"""`python -m sparsereg` is the command line."""

from sparsereg.cli import main

if __name__ == "__main__":
    main()
