"""`imagespace view`: exact slices of the space, and walks on them, as pictures and films.

Every command is a file, slice and hill together in plane. They share options, asked (the model and
what tells pictures apart) and target (where a view is written, and what is told of it).
"""

import typer

from imagespace.cli.view import basins, commitment, forward, plane, points

app = typer.Typer(
    help="Look at the space itself: basins, slices, hills, clouds, forks, points.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("basins")(basins.basins)
app.command("slice")(plane.slice_of_the_field)
app.command("hill")(plane.hill)
app.command("forward")(forward.forward)
app.command("commitment")(commitment.commitment)
app.command("points")(points.points)
