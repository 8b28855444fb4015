"""Fine-tuning of the text encoder."""
