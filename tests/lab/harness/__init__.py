# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's side of the lab: it makes the workstation, starts it, runs things in it, and brings back what they leave. Standard library only."""
