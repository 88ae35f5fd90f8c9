"""Providers with hidden limits in virtual time, and what laws make of them."""
