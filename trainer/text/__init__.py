"""The shared text encoder and what it is fine-tuned on."""
