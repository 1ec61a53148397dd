"""Entry of ``python -m distcausal``; everything it does is in `distcausal._cli`."""

import sys

from distcausal._cli import main

if __name__ == "__main__":
    sys.exit(main())
