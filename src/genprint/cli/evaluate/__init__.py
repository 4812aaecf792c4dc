"""Commands that measure: on labelled sources, how well methods do and what answers are worth."""

import typer

from genprint.cli.evaluate import answers, gallery, methods, real

app = typer.Typer(no_args_is_help=True, help="Measures methods on labelled sources, and what a gallery is worth.")
app.command("attributability")(methods.attributability_command)
app.command("existence")(methods.existence_command)
app.command("stability")(methods.stability_command)
app.command("robustness")(methods.robustness_command)
app.command("families")(methods.families_command)
app.command("open-set")(answers.open_set_command)
app.command("answers")(answers.answers_command)
app.command("verification")(answers.verification_command)
app.command("calibration")(answers.calibration_command)
app.command("mixture")(answers.mixture_command)
app.command("real")(real.real_command)
app.command("gallery")(gallery.gallery_command)
