"""The contracts every other room builds on: errors, usage, settings, the call boundary, events."""
