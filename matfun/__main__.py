"""``python -m matfun``: the command line."""

from matfun.lab.cli import main

if __name__ == "__main__":
    main()
