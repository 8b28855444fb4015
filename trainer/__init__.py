"""From a recorded stream to a published model: data, encoders, heads, fit, evaluation, export, publishing."""
