"""Text to tokens to packed inputs: vocabulary, tokenizers, packer, preprocessor."""
