"""The parts of the law that finds how many accounts at once, and how often.

Each is told what happens and answers one question, knows no clock and nothing of the
others: `ramp` (how many starts may be out that nobody has answered), `cap` (how many at
once the provider takes), `pace` (how often it takes one), `knee` (from how many on
more at once only makes each slower).
"""
