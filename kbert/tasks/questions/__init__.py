"""A question and a text: the slice of the text that answers it."""
