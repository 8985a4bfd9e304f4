"""`python -m xml_extractor COMMAND`."""

from xml_extractor.cli import main

if __name__ == "__main__":
    main()
