"""What the kit itself costs, measured where it runs: a room a thing that costs.

Each figure is a ratio to a peer or a bare loop in the same run: seconds alone say how
fast the machine is, and how busy.
"""
