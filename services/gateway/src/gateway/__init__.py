"""Twilio's door: verify the signature, translate the form, publish, answer. No business rule."""
