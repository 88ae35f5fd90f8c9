"""The HTTP API: lists in, jobs begun, watched and steered, results out.

It is thin: what a job is and does is decided below. `app` has the endpoints, `office`
does what they ask in the words of the kit, `models` is what is sent and answered,
`guard` refuses whoever has no token and what is too large, `problems` writes errors
(RFC 9457), `document` completes the OpenAPI document, `serving` listens.
"""

from sdr_kit.server.serving import serve

__all__ = ["serve"]
