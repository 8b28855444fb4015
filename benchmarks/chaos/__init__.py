"""Nothing lost: one recording replayed while its workers are killed, held against the undisturbed run."""
