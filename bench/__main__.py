"""`make bench`: everything that is measured, one after the other."""

from bench.freshness import main

if __name__ == "__main__":
    main()
