"""Reports: records, logs and pages of answers."""
