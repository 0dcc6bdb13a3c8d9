"""One tag for each word or character of a text."""
