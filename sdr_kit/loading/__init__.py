"""Any source in, clean rows out: the steps of a list's way, in the order they stand.

`tables` takes a source; `decode` makes its bytes text; `delimited` and `sheets` make a
table of it, whose header `records` finds and whose `footers` are no rows; `columns`
recognises which are ours; `clean` cleans the cells, with `groups`, `names` and
`domains`; `repeats` finds what stands
there twice; `books` accounts for every row.
"""
