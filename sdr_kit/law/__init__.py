"""The parts of the law that finds how many accounts at once, and how often.

Each is told what happens and answers one question, knows no clock and nothing of the
others: `ramp` (how many starts may be out that nobody has answered), `cap` (how many at
once the provider takes), `pace` (how often it takes one, by its refusals), `quota` (how
often, by what it says), `knee` (from how many on more at once only makes each slower),
`judge` (what a refusal means), `alike` (whether failures say the same). `notes` are
the words for it, `learned` is what the next run begins with.
"""
