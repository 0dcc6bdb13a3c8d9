"""The Hugging Face BERT directory, which is kbert's own format."""
