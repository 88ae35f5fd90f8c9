"""The researchers that come ready made, and what they share.

Each takes an account and answers with what it found: `sandbox` invents it, visibly,
behind a real HTTP server; `openai` asks a model with web search. `brief` says what
the seller wants to know, `http` is the client all of them call through, `client` how
one is opened and closed. Nothing is imported here: `import sdr_kit` stays light.
"""
