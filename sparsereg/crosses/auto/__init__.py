"""The design by default: fields, bins and crosses of a table, chosen by held-out rows. Knows no solvers.

`candidates` says what each column can become, `gains` measures what a block of columns explains of rows that it was not
fitted on, `choose` adds blocks while they gain, `design` is what comes back.
"""
