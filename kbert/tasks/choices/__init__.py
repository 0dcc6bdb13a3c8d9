"""A question and several choices: which of them is right."""
