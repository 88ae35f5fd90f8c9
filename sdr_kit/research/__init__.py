"""The researchers that come ready made, and what they share.

Each takes an account and answers with what it found: `sandbox` invents it, visibly,
behind a real HTTP server; `openai` and `anthropic` ask a model. `brief` says what the
seller wants to know; `provider` is how a model is asked for it, in one of the formats
(`responses`, `chat`, `messages`); `refusal` and `failures` say what went wrong. `http`
is the client all of them call through, `client` how one is opened and closed. Nothing
is imported here: `import sdr_kit` stays light.
"""
