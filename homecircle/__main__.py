"""``python -m homecircle``."""

from homecircle.cli import main

if __name__ == "__main__":
    main()
