"""What all event handlers share: errors as sentences, and the job queue."""
