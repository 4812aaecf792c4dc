"""Reports: records, logs and pages of answers."""

from genprint.answers.results import Result
from genprint.report.page import save

Result.writer = staticmethod(save)
